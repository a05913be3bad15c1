#pragma once
// find_learning_rate(): the range test, a run whose rate grows with each step until it diverges.

#include <minitrain/train/trainer.hpp>

#include <algorithm>

namespace minitrain::inline MINITRAIN_ABI {

struct LearningRateRange {
  double lowest = 1e-6, highest = 10;  // > 0, in that order
  std::size_t steps = 100;             // from one to the other, in equal factors; at least 2
  double smoothing = 0.9;              // of the loss: what the last steps count, in [0, 1)
  double diverged = 4;                 // ends when the smoothed loss is so many times the least; > 1

  /// Throws OptionError for an option outside its range.
  void check() const {
    constexpr const char* name = "find_learning_rate";
    check_option(lowest > 0 && lowest < highest, name, "lowest", lowest, "positive and below highest");
    check_option(highest < 1e300, name, "highest", highest, "finite");
    check_option(smoothing >= 0 && smoothing < 1, name, "smoothing", smoothing, "in [0, 1)");
    check_option(diverged > 1 && diverged < 1e300, name, "diverged", diverged, "above 1");
    if (steps < 2) throw OptionError({name, ": steps is ", steps, ", but it must be at least 2"});
  }
};

/// What the test saw: rates, and the loss at each, smoothed.
struct LearningRateTest {
  std::vector<double> rates{}, losses{};
  double steepest = std::numeric_limits<double>::quiet_NaN();  // where the loss falls fastest by log(rate): a good rate
                                                               // to begin with; NaN where it never falls
  double lowest_loss = std::numeric_limits<double>::quiet_NaN();  // the rate of the least loss, too high by then
  bool diverged = false;
  std::string ended{};  // by a loss that was not finite: what it said, data that is to blame too; empty: it did not
};

namespace detail {

/// The rate itself, for an optimizer whose own is 1.
struct GrowingRate {
  LearningRateRange range;
  void check() const {}
  std::string name() const { return "growing"; }
  double factor(std::size_t step) const {
    return range.lowest *
           std::pow(range.highest / range.lowest, static_cast<double>(step) / static_cast<double>(range.steps - 1));
  }
};

}  // namespace detail

/// Trains a trainer of its own, from the initial parameters that options.seed gives, so that nothing of the caller's
/// changes. Throws as a trainer and its fit() do; a loss that is not finite only ends the test.
/// Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, arXiv:1506.01186, section 3.3.
template <class T = float, Model M, LossSpec Loss, OptimizerSpec Optimizer, class Device>
LearningRateTest find_learning_rate(const Dataset& data, const M& model, const Loss& loss, const Optimizer& optimizer,
                                    const TrainerOptions& options, const Device& device,
                                    const LearningRateRange& range = {}) {
  range.check();
  TrainerOptions how = options;
  how.schedule = detail::GrowingRate{range};
  how.rate_scaling = {};
  how.reduce_on_plateau = {};
  how.batch_growth = {};
  how.early_stopping = {};
  how.checkpoint = {};
  how.handle_signals = false;
  how.non_finite = {};
  how.profile = false;
  how.epochs = range.steps;  // of at least a step each
  Optimizer unit = optimizer;
  unit.learning_rate = 1;
  Trainer<T, Device> trainer{device, model, loss, unit, how};
  LearningRateTest test;
  double mean = 0, weight = 0, least = std::numeric_limits<double>::infinity();
  const auto hear = [&](const StepEvent& step) {
    mean = range.smoothing * mean + (1 - range.smoothing) * step.loss;
    weight = range.smoothing * weight + (1 - range.smoothing);
    const double smoothed = mean / weight;
    test.rates.push_back(step.learning_rate);
    test.losses.push_back(smoothed);
    if (smoothed < least) least = smoothed, test.lowest_loss = step.learning_rate;
    test.diverged = !(smoothed <= range.diverged * least);
    if (test.diverged || test.rates.size() == range.steps) trainer.request_stop();
  };
  try {
    trainer.fit(data, {.on_step = hear});
  } catch (const NumericError& error) {
    test.diverged = true;
    test.ended = error.what();
  }
  double steepest = 0;
  for (std::size_t i = 1; i + 1 < test.losses.size() && test.rates[i] < test.lowest_loss; ++i) {
    const double slope = (test.losses[i + 1] - test.losses[i - 1]) / std::log(test.rates[i + 1] / test.rates[i - 1]);
    if (slope < steepest) steepest = slope, test.steepest = test.rates[i];
  }
  return test;
}

}  // namespace minitrain::inline MINITRAIN_ABI
