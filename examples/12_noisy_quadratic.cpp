// The noisy quadratic model: a problem small enough that what a batch size is worth can be computed, not measured.
// Every run of SGD on it, with and without momentum, has an exact mean; the library's optimizer is held to it.
#include <minitrain/experiment/fits.hpp>

#include "common/experiment.hpp"
#include "common/noisy_quadratic_run.hpp"

namespace mt = minitrain;
using examples::NoisyQuadratic;
using examples::QuadraticRun;

constexpr double momentum = 0.9;

// The fewest steps to the target, over rates (1 - momentum)·2^(j/8), and the rate of them.
struct Best {
  double steps = examples::nan, rate = examples::nan;
};

template <class Steps>
static Best best_of(const NoisyQuadratic& model, double m, double batch, const Steps& steps_at) {
  Best best;
  // From rates that diverge, or end above the target, down to where fewer steps are no longer in sight: below the best
  // rate, steps go with 1/rate.
  for (int j = 48; j > -120; --j) {
    const double rate = (1 - m) * std::exp2(j / 8.0);
    if (!(examples::last_loss(model, {rate, m, batch}) < model.target)) continue;
    const std::optional<double> steps = steps_at(rate);
    if (steps && !(*steps >= best.steps)) best = {*steps, rate};
    if (steps && *steps > 1.3 * best.steps) break;
  }
  return best;
}

// {steps, rate} of a point of the grid.
static std::vector<double> tuned(const NoisyQuadratic& model, const mt::Point& point) {
  const double m = point["momentum"], batch = point["batch_size"];
  const Best best = best_of(model, m, batch, [&](double rate) {
    return m == 0 ? examples::steps_by_formula(model, rate, batch)
                  : examples::QuadraticMoments(model, {rate, m, batch}).steps_to_target();
  });
  return {best.steps, best.rate};
}

// What another implementation (NumPy, in double, without the maps and their powers) found: steps at rates
// (1 - momentum)·2^(j/8).
struct Reference {
  double momentum, batch;
  int j;
  double steps;
};
constexpr Reference references[] = {
    {0, 1, -66, 6040897},  {0, 4, -50, 1511297},  {0, 16, -34, 378927},   {0, 64, -18, 95971},
    {0, 256, -3, 25781},   {0, 1024, 6, 10395},   {0, 4096, 7, 7861},     {0, 16384, 7, 7405},
    {0, 65536, 7, 7305},   {0, 262144, 7, 7281},  {0, 1048576, 7, 7275},  {0.9, 16, -34, 377528},
    {0.9, 64, -18, 94428}, {0.9, 256, -1, 23849}, {0.9, 1024, 14, 5966},  {0.9, 4096, 29, 1573},
    {0.9, 16384, 39, 573}, {0.9, 65536, 39, 468}, {0.9, 262144, 39, 452}, {0.9, 1048576, 39, 448}};

static void compare_with_references(const NoisyQuadratic& model, examples::Experiment& experiment) {
  std::size_t same = 0, all = 0;
  for (const Reference& r : references) {
    if (experiment.quick() && r.steps > 1e4) continue;
    const double rate = (1 - r.momentum) * std::exp2(r.j / 8.0);
    ++all;
    // Without momentum the formula has to agree with the maps too.
    const bool by_maps = examples::QuadraticMoments(model, {rate, r.momentum, r.batch}).steps_to_target() == r.steps;
    const bool by_formula = r.momentum > 0 || examples::steps_by_formula(model, rate, r.batch) == r.steps;
    if (by_maps && by_formula) ++same;
  }
  experiment.verdict("at the rates of another implementation, the same steps to the target, to the last one",
                     std::to_string(same) + " of " + std::to_string(all), same == all);
}

// Steps and best rates of one momentum against the batch size: the two ends of the curve.
struct Curves {
  std::vector<double> batch, steps, rate;
  // The largest batch that still needs less than twice the samples of the smallest.
  double useful() const {
    std::size_t i = 0;
    while (i + 1 < batch.size() && batch[i + 1] * steps[i + 1] < 2 * batch[0] * steps[0]) ++i;
    return batch[i];
  }
};

static std::string text(double value) { return examples::rounded(value); }

static void judge_curve(examples::Experiment& experiment, double m, const Curves& c) {
  const std::string who = m == 0 ? "SGD" : "momentum " + text(m);
  const std::vector<double> few(c.batch.begin(), c.batch.begin() + 2);
  const auto slope_of = [&](const std::vector<double>& y) {
    return mt::fit_log_log(few, {y.begin(), y.begin() + 2}).slope;
  };
  const double steps_slope = slope_of(c.steps), rate_slope = slope_of(c.rate);
  experiment.fit(who + ", small batches: log steps against log batch", "slope", steps_slope);
  experiment.fit(who + ", small batches: log rate against log batch", "slope", rate_slope);
  const mt::Hyperbola h = mt::fit_steps(c.batch, c.steps);
  experiment.fit(who + ": S(B) = S_min (1 + B_crit/B)", "S_min", h.s_min, examples::nan, examples::nan, "steps");
  experiment.fit(who + ": S(B) = S_min (1 + B_crit/B)", "B_crit", h.b_crit, examples::nan, examples::nan, "samples");
  experiment.fit(who + ": S(B) = S_min (1 + B_crit/B)", "R2", h.r_squared);
  experiment.verdict(who + ", small batches: twice the batch, half the steps at twice the rate (slopes -1 and 1)",
                     "slopes " + text(steps_slope) + " and " + text(rate_slope),
                     std::abs(steps_slope + 1) < 0.05 && std::abs(rate_slope - 1) < 0.1);
  const double last = c.steps.back() / c.steps[c.steps.size() - 2];
  experiment.verdict(
      who + ", large batches: a larger one saves nothing (less than 15 % of the steps)",
      "steps times " + text(last) + " from batch " + text(c.batch[c.batch.size() - 2]) + " to " + text(c.batch.back()),
      last > 0.85 && last <= 1);
}

// Runs of the library's SGD at the best rate of one batch size, and their mean against E L.
static bool compare_with_simulation(const NoisyQuadratic& model, examples::Experiment& experiment, double m,
                                    double batch, double rate, double steps, examples::Plot& plot) {
  const QuadraticRun run{rate, m, batch};
  std::vector<std::size_t> marks{0};
  const auto last = static_cast<std::size_t>(experiment.quick() ? std::min(steps, 600.0) : steps);
  for (std::size_t t = 1; t < last; t *= 2) marks.push_back(t);
  marks.push_back(last);
  std::vector<double> runs(experiment.seeds());
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i] = static_cast<double>(i);
  std::vector<std::string> metrics;
  for (const std::size_t t : marks) metrics.push_back("loss after " + std::to_string(t));
  const std::string name = m == 0 ? "SGD" : "momentum " + text(m);
  const mt::Grid grid({{"seed", runs}});
  const auto result = mt::run_sweep(
      grid, metrics, [&](const mt::Point& point) { return examples::simulate(model, run, marks, point.count("seed")); },
      experiment.sweep_options("simulation_" + text(m)));
  if (!result.complete()) return false;
  const std::vector<double> exact = examples::losses_at(model, run, marks);
  examples::Curve curve{"theory, " + name, {}, exact};
  for (std::size_t k = 0; k < marks.size(); ++k) {
    curve.x.push_back(static_cast<double>(marks[k]));
    for (std::size_t i = 0; i < runs.size(); ++i) {
      experiment.add(
          {{"method", name}, {"batch_size", text(batch)}, {"step", std::to_string(marks[k])}, {"seed", text(runs[i])}},
          "loss", result.value(i, metrics[k]));
    }
  }
  plot.theory.push_back(std::move(curve));
  const mt::Mean mean = mt::mean_of(result.column(metrics.back()));
  const double away = (mean.mean - exact.back()) / mean.standard_error;
  char found[160];
  std::snprintf(found, sizeof found, "%.6g +- %.2g in %zu runs, theory %.6g: %.2f standard errors", mean.mean,
                mean.standard_error, mean.count, exact.back(), away);
  experiment.verdict("the library's " + name + ", batch " + text(batch) + ", after " + std::to_string(last) +
                         " steps: mean loss within 3 standard errors of theory",
                     found, std::abs(away) < 3);
  return true;
}

int main(int argc, char** argv) try {
  examples::Experiment experiment(
      argc, argv,
      {.name = "12_noisy_quadratic",
       .question = "What is a batch size worth where everything can be computed?",
       .summary = "Steps to a target against batch size on the noisy quadratic model, exactly, and a simulation.",
       .seeds = 12,
       .quick_seeds = 6,
       .takes = examples::Takes::none});
  if (experiment.help_shown()) return examples::ok;
  const NoisyQuadratic model;
  if (experiment.device() != "cpu" && experiment.device() != "auto") {
    throw examples::UsageError("--device: this one computes on the processor alone");
  }
  experiment.setting("model", "h_i = c_i = 1/i, " + std::to_string(model.dimensions) +
                                  " dimensions, E L(0) = " + text(examples::QuadraticMoments(model, {}).loss()));
  experiment.setting("target", "E L <= " + text(model.target));
  experiment.setting("learning rates", "(1 - momentum) 2^(j/8)");
  experiment.setting("gradients", "drawn by Philox: no data set is read");

  std::vector<double> batches;
  for (double b = experiment.quick() ? 16 : 1; b <= 1 << 20; b *= experiment.quick() ? 16 : 4) batches.push_back(b);
  const mt::Grid grid({{"momentum", {0, momentum}}, {"batch_size", batches}});
  const auto result = mt::run_sweep(
      grid, {"steps", "rate"}, [&](const mt::Point& point) { return tuned(model, point); },
      experiment.sweep_options("theory"));
  if (!result.complete()) return experiment.finish();

  Curves curves[2];
  std::printf("%8s %12s %10s %12s %10s\n", "batch", "SGD steps", "rate", "0.9 steps", "rate");
  for (std::size_t i = 0; i < batches.size(); ++i) {
    std::printf("%8.0f", batches[i]);
    for (std::size_t m = 0; m < 2; ++m) {
      const std::size_t point = m * batches.size() + i;
      const double steps = result.value(point, "steps"), rate = result.value(point, "rate");
      const std::string name = m == 0 ? "SGD" : "momentum " + text(momentum);
      experiment.add({{"method", name}, {"batch_size", text(batches[i])}}, "steps to target", steps);
      experiment.add({{"method", name}, {"batch_size", text(batches[i])}}, "best rate", rate);
      curves[m].batch.push_back(batches[i]);
      curves[m].steps.push_back(steps);
      curves[m].rate.push_back(rate);
      std::printf(" %12.0f %10.5g", steps, rate);
    }
    std::printf("\n");
  }
  std::printf("\n");
  compare_with_references(model, experiment);
  for (std::size_t m = 0; m < 2; ++m) judge_curve(experiment, m == 0 ? 0 : momentum, curves[m]);
  const double useful[] = {curves[0].useful(), curves[1].useful()};
  experiment.verdict(
      "momentum makes larger batches useful: samples stay below twice the fewest up to a batch that is "
      "at least 4 times as large",
      "up to " + text(useful[1]) + " with it, " + text(useful[0]) + " without", useful[1] >= 4 * useful[0]);
  const double gain[] = {curves[0].steps.front() / curves[1].steps.front(),
                         curves[0].steps.back() / curves[1].steps.back()};
  experiment.verdict(
      "momentum does nothing at small batches, where noise is all (steps within 2 %), and much at large "
      "ones (fewer than a fifth)",
      "steps without / with: " + text(gain[0]) + " at batch " + text(batches.front()) + ", " + text(gain[1]) + " at " +
          text(batches.back()),
      std::abs(gain[0] - 1) < 0.02 && gain[1] > 5);

  examples::Plot simulated{.file = "simulation",
                           .title = "The library's optimizer against theory",
                           .x = "step",
                           .x_label = "optimizer steps",
                           .y = "loss",
                           .y_label = "loss",
                           .y_log = true,
                           .series = {"method"},
                           .spread = "stderr",
                           .lines = false};
  const std::size_t middle = experiment.quick() ? 2 : 6;  // batch 4096
  for (std::size_t m = 0; m < 2; ++m) {
    if (!compare_with_simulation(model, experiment, m == 0 ? 0 : momentum, batches[middle], curves[m].rate[middle],
                                 curves[m].steps[middle], simulated)) {
      return experiment.finish();
    }
  }
  experiment.plot({.file = "steps_to_target",
                   .title = "Steps to the target against batch size, at the best rate",
                   .x = "batch_size",
                   .x_label = "batch size (samples)",
                   .y = "steps to target",
                   .y_label = "optimizer steps",
                   .y_log = true,
                   .series = {"method"},
                   .spread = "none"});
  experiment.plot({.file = "best_rate",
                   .title = "The best learning rate against batch size",
                   .x = "batch_size",
                   .x_label = "batch size (samples)",
                   .y = "best rate",
                   .y_label = "learning rate",
                   .y_log = true,
                   .series = {"method"},
                   .spread = "none"});
  experiment.plot(std::move(simulated));
  experiment.reading(
      "While noise decides, the best rate grows with the batch and steps fall with it. Once the rate meets what the "
      "steepest direction allows, a larger batch buys nothing. Momentum moves that limit: at batch " +
      text(batches.front()) + " it saves " + text(100 * (1 - 1 / gain[0])) + " % of the steps, at batch " +
      text(batches.back()) + " it takes 1/" + text(gain[1]) + " of them.");
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}
