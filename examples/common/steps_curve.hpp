#pragma once
// The curve of steps against the batch size: measured at the best rate of every batch, and the hyperbola through it.

#include <minitrain/experiment/fits.hpp>

#include "on_device.hpp"
#include "time_to_target.hpp"

namespace examples {

/// What was found at one batch size.
struct BatchResult {
  double batch = 0, exponent = 0;  // samples; the rate is 2^exponent
  bool at_edge = false;            // of the grid of rates
  std::vector<double> steps = {};  // of seeds 1, 2, ...; infinite where one did not get to the target

  /// Of numbers of which some may be infinite; of an even number the lower of the two in the middle.
  static double median_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[(values.size() - 1) / 2];
  }
  double median() const { return median_of(steps); }
  bool feasible() const { return std::isfinite(median()); }
};

using StepsCurve = std::vector<BatchResult>;

/// S(B) = S_min·(1 + B_crit/B) with intervals of 95 %.
struct FittedSteps {
  minitrain::Hyperbola curve{.s_min = nan, .b_crit = nan, .e_min = nan};
  minitrain::Interval b_crit{nan, nan}, s_min{nan, nan};
  explicit operator bool() const { return std::isfinite(curve.b_crit) && curve.b_crit > 0; }
};

namespace detail {

/// Through the finite medians; of fewer than three there is no curve.
inline minitrain::Hyperbola through(const std::vector<double>& batch, const std::vector<double>& medians) {
  std::vector<double> b, s;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (std::isfinite(medians[i])) b.push_back(batch[i]), s.push_back(medians[i]);
  }
  return b.size() < 3 ? FittedSteps{}.curve : minitrain::fit_steps(b, s);
}

}  // namespace detail

/// Through the medians of the batches that got to the target. Intervals by bootstrap over the seeds.
inline FittedSteps fit_curve(const StepsCurve& curve) {
  std::vector<double> batch, medians;
  std::vector<std::vector<double>> groups;
  for (const BatchResult& r : curve) {
    batch.push_back(r.batch);
    medians.push_back(r.median());
    groups.push_back(r.steps);
  }
  FittedSteps result{.curve = detail::through(batch, medians)};
  if (!result || groups.front().size() < 3) return result;  // of fewer seeds there is no interval worth its name
  const auto interval = [&](double minitrain::Hyperbola::*parameter) {
    const auto statistic = [&](const std::vector<std::vector<double>>& drawn) {
      std::vector<double> s;
      for (const auto& group : drawn) s.push_back(BatchResult::median_of(group));
      const double value = detail::through(batch, s).*parameter;
      return std::isnan(value) ? std::numeric_limits<double>::infinity() : value;
    };
    return minitrain::bootstrap(groups, statistic, 1);
  };
  result.b_crit = interval(&minitrain::Hyperbola::b_crit);
  result.s_min = interval(&minitrain::Hyperbola::s_min);
  return result;
}

/// The slope of ln S against ln B over the batches in [low, high]; NaN of fewer than two.
inline double slope(const StepsCurve& curve, double low, double high) {
  std::vector<double> batch, steps;
  for (const BatchResult& r : curve) {
    if (r.batch < low || r.batch > high || !r.feasible()) continue;
    batch.push_back(r.batch);
    steps.push_back(r.median());
  }
  return batch.size() < 2 ? nan : minitrain::fit_log_log(batch, steps).slope;
}

/// Tunes the rate of every batch size with seeds of its own, then counts steps with seeds 1, 2, ...; a curve for each
/// rule, and all of it in the results. Nothing after Ctrl-C.
inline std::vector<StepsCurve> measure_steps(Experiment& experiment, const Workload& w, const std::vector<Rule>& rules,
                                             const std::vector<std::size_t>& batches, std::size_t tuning_seeds) {
  constexpr std::uint64_t first_tuning_seed = 1000;
  const std::size_t workers = experiment.device() == "cpu" ? 0 : 1;
  const std::vector<double> sizes(batches.begin(), batches.end());
  std::vector<double> numbers, seeds(experiment.seeds());
  for (const Rule rule : rules) numbers.push_back(static_cast<double>(rule));
  std::iota(seeds.begin(), seeds.end(), 1);

  const minitrain::Grid tuning({{"optimizer", numbers}, {"batch_size", sizes}});
  const auto tune_point = [&](const minitrain::Point& p) {
    const Tuned t = on_one_thread(experiment.device(), [&](const auto& device) {
      return tune(device, w, Rule(p.count("optimizer")), p.count("batch_size"), first_tuning_seed, tuning_seeds);
    });
    return std::vector<double>{static_cast<double>(t.exponent), static_cast<double>(t.at_edge),
                               static_cast<double>(t.trials), t.steps};
  };
  const auto tuned = sweep_until_interrupt(tuning, {"log2_rate", "at_edge", "trials", "steps"}, tune_point,
                                           experiment.sweep_options("rates", workers));
  if (!tuned.complete()) return {};

  const minitrain::Grid runs({{"optimizer", numbers}, {"batch_size", sizes}, {"seed", seeds}});
  const auto count_point = [&](const minitrain::Point& p) {
    const std::size_t i = p.index() / seeds.size();
    if (std::isnan(tuned.value(i, "steps"))) return std::vector<double>{nan};
    return on_one_thread(experiment.device(), [&](const auto& device) {
      return std::vector<double>{steps_to_target(device, w, Rule(p.count("optimizer")),
                                                 std::exp2(tuned.value(i, "log2_rate")), p.count("batch_size"),
                                                 p.count("seed"))
                                     .steps};
    });
  };
  const auto found = sweep_until_interrupt(runs, {"steps"}, count_point, experiment.sweep_options("steps", workers));
  if (!found.complete()) return {};

  std::vector<StepsCurve> curves(rules.size());
  for (std::size_t i = 0; i < tuning.size(); ++i) {
    const std::size_t rule = i / sizes.size(), size = i % sizes.size();
    BatchResult r{sizes[size], tuned.value(i, "log2_rate"), tuned.value(i, "at_edge") != 0};
    Key key{{"optimizer", rule_names[static_cast<int>(rules[rule])]}, {"batch_size", std::to_string(batches[size])}};
    experiment.add(key, "learning_rate", std::isnan(tuned.value(i, "steps")) ? nan : std::exp2(r.exponent));
    experiment.add(key, "trials", tuned.value(i, "trials"));
    key.emplace_back("seed", "");
    for (std::size_t k = 0; k < seeds.size(); ++k) {
      key.back().second = std::to_string(k + 1);
      const double steps = found.value(i * seeds.size() + k, "steps");
      experiment.add(key, "steps", steps);
      experiment.add(key, "samples", steps * r.batch);
      r.steps.push_back(std::isnan(steps) ? std::numeric_limits<double>::infinity() : steps);
    }
    curves[rule].push_back(std::move(r));
  }
  return curves;
}

}  // namespace examples
