// The gradient noise scale: unbiased, with an interval that holds, and equal to what all gradients of single samples
// give.

#include <minitrain/trainer.hpp>

#include <cmath>
#include <random>

#include "support/catch.hpp"
#include "support/device.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::labelled;

namespace {

/// |mean gradient|² over samples [first, first + count), by the step that plain SGD of rate 1 makes.
template <class Model>
double squared_gradient(const Model& model, const mt::Dataset& data, std::size_t first, std::size_t count) {
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = 1}, {.seed = 2}};
  mt::DataLoader<float, test::Device> loader(data, {.batch_size = count}, trainer.device());
  const auto before = trainer.parameters();
  trainer.accumulate(loader.next(trainer.device(), 0, first, count));
  trainer.update();
  const auto after = trainer.parameters();
  double sum = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double g = static_cast<double>(before[i]) - static_cast<double>(after[i]);
    sum += g * g;
  }
  return sum;
}

template <class Model>
mt::NoiseScale first_step(const Model& model, const mt::Dataset& data, mt::TrainerOptions options) {
  options.batch_size = data.size();
  options.shuffle = false;
  options.seed = 2;
  options.noise_scale_every = 1;
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = 1}, options};
  trainer.fit(data);
  return trainer.noise_scale();
}

}  // namespace

TEST_CASE("the noise scale of a dense net is that of the gradients of single samples", "[train]") {
  const mt::Sequential model{mt::Dense{6, 9}, mt::Tanh{}, mt::Dense{9, 5, false}, mt::ReLU{}, mt::Dense{5, 3}};
  const auto data = labelled(33);
  double singles = 0;
  for (std::size_t i = 0; i < 33; ++i) singles += squared_gradient(model, data, i, 1) / 33;
  const double all = squared_gradient(model, data, 0, 33);
  const double signal = (33 * all - singles) / 32, noise = (singles - all) / (1 - 1.0 / 33);
  for (const std::size_t micro : {0, 1, 10}) {
    const auto scale = first_step(model, data, {.micro_batch_size = micro, .clip_value = 1e-3});
    CHECK(scale.signal == Approx(signal).epsilon(1e-4));
    CHECK(scale.noise == Approx(noise).epsilon(1e-4));
    CHECK(scale.steps == 1);
    CHECK_FALSE(scale.known());
  }
}

TEST_CASE("the noise scale of any other net is that of its first micro-batch", "[train]") {
  const mt::Sequential model{mt::Dense{6, 9}, mt::LayerNorm{9}, mt::ReLU{}, mt::Dense{9, 3}};
  const auto data = labelled(33);
  const double few = squared_gradient(model, data, 0, 8), all = squared_gradient(model, data, 0, 33);
  const auto scale = first_step(model, data, {.micro_batch_size = 8});
  CHECK(scale.signal == Approx((33 * all - 8 * few) / 25).epsilon(1e-4));
  CHECK(scale.noise == Approx((few - all) / (1.0 / 8 - 1.0 / 33)).epsilon(1e-4));
  // One micro-batch has nothing to be compared with.
  CHECK(first_step(model, data, {.micro_batch_size = 33}).steps == 0);
}

TEST_CASE("measuring the noise changes no bit of the run", "[train]") {
  const auto data = labelled(100);
  const auto run = [&](std::size_t every) {
    mt::Trainer trainer{test::device(),
                        mt::Sequential{mt::Dense{6, 9}, mt::ReLU{}, mt::Dense{9, 3}},
                        mt::SoftmaxCrossEntropy{},
                        mt::SGD{.learning_rate = 0.1},
                        {.epochs = 3, .batch_size = 16, .noise_scale_every = every}};
    const auto history = trainer.fit(data);
    CHECK(std::isnan(history.epochs.back().noise_scale) == (every == 0));
    return trainer.parameters();
  };
  const auto plain = run(0);
  CHECK(run(1) == plain);
  CHECK(run(3) == plain);
}

TEST_CASE("the interval of the noise scale holds the scale nineteen times of twenty", "[train]") {
  // Gradients of single samples: g + s·n, n normal in 5 dimensions, so |G|² = |g|² and tr(Σ) = 5·s².
  std::mt19937 bits(7);
  std::normal_distribution<double> normal;
  const double g[5] = {0.6, -0.4, 0.2, 0.1, 0.3}, s = 2;
  double signal = 0;
  for (const double v : g) signal += v * v;
  const double truth = 5 * s * s / signal;
  int held = 0, known = 0;
  double signals = 0, noises = 0;
  constexpr int trials = 400, batch = 64, steps = 150;
  for (int trial = 0; trial < trials; ++trial) {
    mt::NoiseScaleEstimator estimator(1e9);  // all steps count alike
    for (int step = 0; step < steps; ++step) {
      double mean[5] = {}, squares = 0;
      for (int i = 0; i < batch; ++i) {
        for (int k = 0; k < 5; ++k) {
          const double v = g[k] + s * normal(bits);
          mean[k] += v / batch;
          squares += v * v / batch;
        }
      }
      double all = 0;
      for (const double m : mean) all += m * m;
      estimator.add({1, squares, batch, all});
    }
    const auto estimate = estimator.estimate();
    CHECK(estimate.steps == Approx(steps));
    signals += estimate.signal / trials;
    noises += estimate.noise / trials;
    known += estimate.known();
    held += estimate.low <= truth && truth <= estimate.high;
  }
  CHECK(signals == Approx(signal).epsilon(0.02));
  CHECK(noises == Approx(5 * s * s).epsilon(0.01));
  CHECK(known == trials);
  CHECK(held >= 0.92 * trials);
  CHECK(held <= 0.99 * trials);
}

TEST_CASE("the noise scale does not claim to know what it does not", "[train][bad input]") {
  mt::NoiseScaleEstimator estimator;
  CHECK_FALSE(estimator.estimate().known());
  estimator.add({1, 2, 1, 2});             // nothing to compare
  estimator.add({1, std::nan(""), 8, 1});  // not finite
  CHECK(estimator.estimate().steps == 0);
  for (int i = 0; i < 100; ++i) estimator.add({1, 8, 8, i % 2 == 0 ? 0.5 : 1.4});  // a gradient that is all noise
  CHECK_FALSE(estimator.estimate().known());
  CHECK_THAT(mt::to_string(estimator.estimate()), test::ContainsSubstring("not known: "));
  CHECK(mt::to_string(mt::NoiseScale{130.8, 111.9, 148.1}) ==
        "noise scale 131 samples (112 to 148, 95 %): batches far above it gain little");
  // What goes on after a stop goes on as it was.
  mt::NoiseScaleEstimator other;
  other.set_state(estimator.state());
  other.add({1, 4, 8, 2});
  estimator.add({1, 4, 8, 2});
  CHECK(other.estimate().signal == estimator.estimate().signal);
  CHECK(other.estimate().steps == estimator.estimate().steps);
}
