#pragma once
// Steps to a target: how many optimizer steps a batch size needs until the loss on held-out samples is low enough, at
// the learning rate that suits it best. Method of Shallue et al., "Measuring the Effects of Data Parallelism on Neural
// Network Training", JMLR 2019.

#include <minitrain/data/synthetic.hpp>
#include <minitrain/trainer.hpp>

#include <bit>
#include <map>
#include <numeric>

#include "experiment.hpp"
#include "format.hpp"
#include "interrupt.hpp"
#include "interruptible_sweep.hpp"
#include "samples.hpp"

namespace examples {

/// A network inputs-hidden-classes, what it learns from, and when it has learned enough.
struct Workload {
  std::string name{};
  minitrain::Dataset train{}, held_out{};
  std::size_t hidden = 32;
  double target = 0;        // mean cross-entropy over the held-out samples, in nats
  double epochs = 0;        // passes after which the target counts as out of reach
  double step_limit = 1e9;  // optimizer steps after which it does, too
};

/// The first `count` samples and the next `held_out`. A training set that is a multiple of every batch size has no
/// short batches, whose noise would be that of another size.
inline minitrain::Split first_and_next(const minitrain::Dataset& data, std::size_t count, std::size_t held_out) {
  return {samples_from(data, 0, count), samples_from(data, count, held_out)};
}

/// Overlapping clusters in directions of very different scales, 2^(-j/4) for feature j, as real data has them: without
/// them a dozen steps of any batch would do.
inline minitrain::Dataset scaled_clusters(std::size_t samples, std::size_t features, std::size_t classes) {
  const auto clusters =
      minitrain::synthetic_classification({.samples = samples, .features = features, .classes = classes, .seed = 1});
  minitrain::DatasetParts parts = clusters.storage();
  for (std::size_t i = 0; i < parts.features.size(); ++i) {
    parts.features[i] *= static_cast<float>(std::exp2(-0.25 * static_cast<double>(i % features)));
  }
  return minitrain::Dataset(std::move(parts));
}

/// The data in `folder`, such as images learned by 784-32-10; where none is named, synthetic clusters by 24-32-8.
inline Workload workload(const std::string& folder) {
  if (!folder.empty()) {
    const RealData data = load_data(folder);
    const minitrain::Dataset& all = data.parts.train;
    if (all.size() >= 57'344 + 2'048) {
      const minitrain::Split parts = first_and_next(all, 57'344, 2'048);
      return {data.name, parts.train, parts.test, 32, 0.45, 40};
    }
    want_samples(all, 64);
    const std::size_t count = std::bit_floor(2 * all.size() / 3);
    const minitrain::Split parts = first_and_next(all, count, all.size() - count);
    return {data.name, parts.train, parts.test, 32, 0.3, 200};
  }
  const minitrain::Split parts = first_and_next(scaled_clusters(16'384 + 2'048, 24, 8), 16'384, 2'048);
  return {"synthetic clusters", parts.train, parts.test, 32, 0.3, 60};
}

/// The rows of the set-up table that say what w is.
inline void describe(Experiment& experiment, const Workload& w) {
  experiment.setting("samples",
                     format("%s: %zu to train on, %zu held out", w.name.c_str(), w.train.size(), w.held_out.size()));
  experiment.setting("network", format("%zu-%zu-%zu, ReLU", w.train.feature_columns(), w.hidden, w.train.classes()));
  experiment.setting("target", format("a held-out loss of %g nats, within %g epochs", w.target, w.epochs));
}

enum class Rule { sgd, momentum, adam };
inline constexpr const char* rule_names[] = {"SGD", "momentum", "Adam"};

/// A trainer of that network from its beginning.
template <class Device>
minitrain::Trainer<float, Device> make_trainer(const Device& device, const Workload& w, Rule rule, double rate,
                                               const minitrain::TrainerOptions& options) {
  const minitrain::Mlp model{.widths = {w.train.feature_columns(), w.hidden, w.train.classes()}};
  const minitrain::SoftmaxCrossEntropy loss;
  if (rule == Rule::adam) return {device, model, loss, minitrain::Adam{.learning_rate = rate}, options};
  const minitrain::SGD sgd{.learning_rate = rate, .momentum = rule == Rule::momentum ? 0.9 : 0.0};
  return {device, model, loss, sgd, options};
}

/// The first step after which the loss on held-out samples was the target's or less; NaN: it never was. `loss` is the
/// last one measured, infinite after a run that diverged.
struct Reached {
  double steps = std::numeric_limits<double>::quiet_NaN();
  double loss = std::numeric_limits<double>::infinity();
  explicit operator bool() const noexcept { return steps == steps; }
};

/// Trains until the target, measuring after each of the first 25 steps and then every 4 % more of them: so exact is the
/// number of steps. Ends after `most` steps, as far as the workload's own limits allow so many, and once the loss is
/// twice what it was at first.
template <class Device>
Reached steps_to_target(const Device& device, const Workload& w, Rule rule, double rate, std::size_t batch,
                        std::uint64_t seed, double most = std::numeric_limits<double>::infinity()) {
  const double steps_per_epoch = std::ceil(static_cast<double>(w.train.size()) / static_cast<double>(batch));
  most = std::floor(std::min(most, w.epochs * steps_per_epoch));
  const auto epochs = static_cast<std::size_t>(std::ceil(most / steps_per_epoch));
  Reached reached;
  if (epochs == 0) return reached;
  auto trainer = make_trainer(device, w, rule, rate, {.epochs = epochs, .batch_size = batch, .seed = seed});
  const double first = trainer.evaluate(w.held_out).loss;
  double next = 1;
  const auto look = [&](const minitrain::StepEvent& e) {
    const auto step = static_cast<double>(e.step);
    if (was_interrupted()) throw Interrupted();
    if (step >= most) next = step, trainer.request_stop();
    if (step < next) return;
    next = std::max(step + 1, std::ceil(1.04 * step));
    reached.loss = trainer.evaluate(w.held_out).loss;
    if (reached.loss <= w.target) reached.steps = step;
    if (reached || !(reached.loss < 2 * first)) trainer.request_stop();
  };
  try {
    trainer.fit(w.train, {.on_step = look});
  } catch (const minitrain::NumericError&) {
    reached.loss = std::numeric_limits<double>::infinity();
  }
  if (!std::isfinite(reached.loss)) reached.loss = std::numeric_limits<double>::infinity();
  return reached;
}

/// The best learning rate of a grid of powers of two.
struct Tuned {
  int exponent = 0;      // rate 2^exponent
  double steps = 0;      // mean over the seeds; NaN: no rate reached the target
  bool at_edge = false;  // no worse rate was found on one side of it
  std::size_t trials = 0;
  double rate() const { return std::ldexp(1.0, exponent); }
};

/// Where to look first: proportional to the batch while that is small, then constant, as is the best rate of noisy
/// quadratics (McCandlish et al. 2018). Only time depends on it.
inline int guessed_exponent(Rule rule, std::size_t batch) {
  const double b = static_cast<double>(batch);
  if (rule == Rule::adam) return static_cast<int>(std::lround(-6 + std::log2(1 / std::sqrt(1 + 256 / b))));
  const double largest = rule == Rule::momentum ? -3 : -1;
  return static_cast<int>(std::lround(largest + std::log2(1 / (1 + (rule == Rule::momentum ? 256 : 64) / b))));
}

/// Tries three rates next to each other, and one more at the end where the best is, until the best is none of the
/// outermost, at most `extensions` times. Rates compare by the mean steps of `seeds` runs, seeds first_seed, ...; a
/// run ends when it can no longer win. Where none reaches the target, by the loss in the end.
template <class Device>
Tuned tune(const Device& device, const Workload& w, Rule rule, std::size_t batch, std::uint64_t first_seed,
           std::size_t seeds, int extensions = 8) {
  using Cost = std::pair<double, double>;  // mean steps, infinite where some run did not reach it; loss
  std::map<int, Cost> costs;
  Cost best{std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  int at = guessed_exponent(rule, batch);
  const auto try_rate = [&](int exponent) {
    Cost cost{0, 0};
    const auto count = static_cast<double>(seeds);
    for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
      const Reached run =
          steps_to_target(device, w, rule, std::ldexp(1.0, exponent), batch, seed, count * (best.first - cost.first));
      cost.second += run.loss;
      cost.first += run ? run.steps / count : std::numeric_limits<double>::infinity();
      if (!run) break;
    }
    costs[exponent] = cost;
    if (cost < best) best = cost, at = exponent;
  };
  for (const int exponent : {at, at - 1, at + 1}) try_rate(exponent);
  for (int i = 0; i < extensions; ++i) {
    if (at == costs.begin()->first) {
      try_rate(at - 1);
    } else if (at == costs.rbegin()->first) {
      try_rate(at + 1);
    } else {
      break;
    }
  }
  return {.exponent = at,
          .steps = std::isfinite(best.first) ? best.first : std::numeric_limits<double>::quiet_NaN(),
          .at_edge = at == costs.begin()->first || at == costs.rbegin()->first,
          .trials = costs.size()};
}

}  // namespace examples
