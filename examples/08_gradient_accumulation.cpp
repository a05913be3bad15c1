// A batch that does not fit into memory is made of micro-batches. What does that cost, does it change the result, and
// what do the classic mistakes do to it? The mistakes are made here by hand, over the library's own operations.
#include <minitrain/experiment/fits.hpp>
#include <minitrain/trainer.hpp>

#include "common/allocated.hpp"
#include "common/by_hand.hpp"
#include "common/experiment.hpp"
#include "common/find_data.hpp"

namespace mt = minitrain;
using examples::ByHand, examples::Way;

namespace {

const std::vector<std::string> optimizers{"SGD", "SGD with momentum", "Adam"};

// f(optimizer), by its number.
template <class F>
auto with_optimizer(std::size_t number, const F& f) {
  if (number == 0) return f(mt::SGD{.learning_rate = 0.1});
  if (number == 1) return f(mt::SGD{.learning_rate = 0.02, .momentum = 0.9});
  return f(mt::Adam{.learning_rate = 1e-3});
}

mt::Mlp model_for(const mt::Dataset& data) {
  return {.widths = {data.feature_columns(), 128, data.classes()}, .init = mt::Init::he_normal};
}

struct Distance {
  double relative_l2 = 0, largest = 0;
};
Distance distance(const mt::Tensor<float>& a, const mt::Tensor<float>& b) {
  double square = 0, all = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    square += d * d;
    all += static_cast<double>(b[i]) * static_cast<double>(b[i]);
    largest = std::max(largest, std::abs(d));
  }
  return {std::sqrt(square / all), largest};
}

// A way of making a window, and how windows are cut. An epoch of `samples` ends with a window that is not full where
// they are no multiple of the batch.
struct Scenario {
  Way way;
  std::size_t batch, micro_batch, samples;
};

// How far the parameters are from those of undivided batches, after each of `marks` steps: relative L2, then largest.
std::vector<double> distances(const mt::Dataset& data, const Scenario& s, std::size_t optimizer, std::uint64_t seed,
                              const std::vector<std::size_t>& marks) {
  return with_optimizer(optimizer, [&](const auto& chosen) {
    const mt::Mlp model = model_for(data);
    const mt::Cpu device{{.threads = 1}};
    mt::Trainer trainer{device, model, mt::SoftmaxCrossEntropy{}, chosen, {.batch_size = s.batch, .seed = seed}};
    ByHand hand(model, chosen, seed, s.batch);
    mt::DataLoader<> loader(data, {.batch_size = s.batch, .shuffle = true, .seed = seed}, device);
    std::vector<double> values;
    for (std::size_t step = 1, epoch = 0, at = 0; step <= marks.back(); ++step) {
      const mt::Batch<>& batch = loader.next(device, epoch, at, std::min(s.batch, s.samples - at));
      at += batch.size();
      if (at == s.samples) ++epoch, at = 0;
      trainer.accumulate(batch);
      trainer.update();
      hand.step(s.way, batch, s.micro_batch, s.batch);
      if (std::ranges::find(marks, step) == marks.end()) continue;
      const Distance d = distance(hand.parameters(), trainer.parameters());
      values.insert(values.end(), {d.relative_l2, d.largest});
    }
    return values;
  });
}

}  // namespace
