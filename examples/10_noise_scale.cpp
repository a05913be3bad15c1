// How noisy is the gradient, and how does that change while a network learns? The noise scale tr(Σ)/|G|² exactly, from
// the gradients of all samples, and by the two-batch estimator of McCandlish et al. 2018, along a run of SGD.
#include <minitrain/experiment/fits.hpp>

#include "common/allocated.hpp"
#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/gradient_noise.hpp"
#include "common/temporary_file.hpp"
#include "common/time_to_target.hpp"

namespace mt = minitrain;
using examples::Experiment, examples::format, examples::GradientMeter, examples::Noise;

namespace {

constexpr std::size_t batch_size = 64, big_batch = 1024;
constexpr double rate = 0.1;

// The data, and a network for it as the reference results have it.
struct Setup {
  mt::Dataset data;
  mt::Sequential<mt::Dense, mt::ReLU, mt::Dense> model;
};

Setup setup(const std::string& folder) {
  const bool real = !folder.empty();
  const mt::Dataset data = real ? examples::load_folder(folder).train : examples::workload("").train;
  const std::size_t hidden = real ? 128 : 32;
  const auto dense = [](std::size_t in, std::size_t out) {
    return mt::Dense{.in = in, .out = out, .init = mt::Init::he_normal, .bias_init = mt::Init::zeros};
  };
  return {data, {dense(data.feature_columns(), hidden), mt::ReLU{}, dense(hidden, data.classes())}};
}

// Trains `steps` steps, and measures there. Trained anew for every point: then points can go side by side.
template <class Device>
std::vector<double> measure(const Device& device, const Setup& s, std::size_t steps, std::uint64_t seed,
                            std::size_t draws) {
  mt::TrainerOptions options{.epochs = steps * batch_size / s.data.size() + 1, .batch_size = batch_size, .seed = seed};
  options.noise_scale_every = 1;
  mt::Trainer<float, Device> trainer{device, s.model, mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = rate}, options};
  if (steps > 0) {
    trainer.fit(s.data, {.on_step = [&](const mt::StepEvent& e) {
                  if (examples::was_interrupted()) throw examples::Interrupted();
                  if (e.step == steps) trainer.request_stop();
                }});
  }
  const examples::TemporaryFile weights;
  trainer.save_weights(weights.path());
  GradientMeter<float, Device> meter(device, s.model, s.data.size());
  meter.load_weights(weights.path());
  const auto exact = meter.exact(s.data);
  const auto layers = meter.layers();
  const auto estimated = meter.two_batches(s.data, batch_size, big_batch, draws, seed);
  std::vector<double> values{exact.loss,   exact.all.signal, exact.all.noise, estimated.all.signal, estimated.all.noise,
                             trainer.noise_scale().value};
  for (std::size_t layer = 0; layer < layers; ++layer) {
    // |G|² of the whole data set is known; what batches of 64 have more than that is tr(Σ)/64.
    values.push_back(exact.layer_signals[layer]);
    values.push_back(static_cast<double>(batch_size) * (estimated.small_squares[layer] - exact.layer_signals[layer]));
  }
  return values;
}
