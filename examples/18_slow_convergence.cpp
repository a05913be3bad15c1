// What does a learning rate that is too small look like, and how large may one be? Steps to a target against the rate,
// up to where training diverges: of gradient descent on a bowl whose curvature is known, and of a network.
#include <minitrain/experiment/fits.hpp>
#include <minitrain/trainer.hpp>

#include "common/classes.hpp"
#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/known_curvature.hpp"
#include "common/on_device.hpp"

#include <algorithm>
#include <cmath>

namespace mt = minitrain;
using Values = std::vector<double>;

constexpr double reached = 1, not_reached = 0, diverged = -1;
constexpr double bowl_target = 1e-6;  // of the loss at first

// What all runs with a constant rate have in common.
struct Race {
  double target = 0;  // loss on samples that are not trained on
  std::size_t most = 0, batch = 64;
};

// SGD until the loss on `judges` is at the target: {steps or nothing, how it ended, the loss then}. It is looked at
// after every step at first, later whenever there are 2 % more.
static Values race(const mt::Dataset& data, const mt::Dataset& judges, const Race& rules, double rate,
                   std::uint64_t seed, const std::string& device_name) {
  const std::size_t epoch = (data.size() + rules.batch - 1) / rules.batch;
  return examples::on_one_thread(device_name, [&](const auto& device) {
    mt::Trainer trainer{device,
                        mt::Mlp{.widths = {data.feature_columns(), 128, data.classes()}},
                        mt::SoftmaxCrossEntropy{},
                        mt::SGD{.learning_rate = rate},
                        {.epochs = rules.most / epoch + 1, .batch_size = rules.batch, .seed = seed}};
    const double at_first = trainer.evaluate(judges).loss;
    double loss = at_first, outcome = not_reached;
    std::size_t next = 1;
    const auto look = [&](const mt::StepEvent& step) {
      if (step.step < next) return;
      next = step.step + 1 + step.step / 50;
      loss = trainer.evaluate(judges).loss;
      if (loss <= rules.target) outcome = reached;
      if (!(loss < 1e3 * at_first)) outcome = diverged;
      if (outcome != not_reached || step.step >= rules.most) trainer.request_stop();
    };
    try {
      trainer.fit(data, {.on_step = look});
    } catch (const mt::NumericError&) {
      return Values{examples::nan, diverged, examples::nan};
    }
    return Values{outcome == reached ? static_cast<double>(trainer.steps()) : examples::nan, outcome, loss};
  });
}

// Gradient descent on a bowl of known curvatures, with a share of the largest rate that does not diverge: {steps or
// nothing, how it ended}.
static Values descend(const examples::KnownCurvature& bowl, double share) {
  constexpr std::size_t most = 100'000;
  mt::Trainer<double> trainer{
      mt::Cpu{{.threads = 1}},
      mt::Mlp{.widths = {bowl.data.feature_columns(), 1}, .bias = false, .init = mt::Init::zeros},
      mt::MeanSquaredError{},
      mt::SGD{.learning_rate = share * 2 / bowl.largest()},
      {.epochs = most, .batch_size = bowl.rows}};
  double first = 0, outcome = not_reached;
  std::size_t steps = 0;
  const auto look = [&](const mt::EpochRecord& e) {
    if (e.epoch == 0) first = e.training.loss;
    steps = e.epoch;  // the loss is that before the step
    if (e.training.loss <= bowl_target * first) outcome = reached;
    if (e.training.loss >= 1e6 * first) outcome = diverged;
    if (outcome != not_reached) trainer.request_stop();
  };
  trainer.fit(bowl.data, {.on_epoch = look});
  return {outcome == reached ? static_cast<double>(steps) : examples::nan, outcome};
}

static const char* in_words(double outcome) {
  return outcome == reached ? "reached" : outcome == diverged ? "diverged" : "not reached";
}

// The bowl, where all of it is known: steps, and the rate from which on it diverges.
static void show_bowl(examples::Experiment& experiment, const examples::KnownCurvature& bowl, const Values& shares,
                      const mt::SweepResult& result) {
  examples::Curve theory{.label = "theory", .x = {}, .y = {}};
  double most = 0;
  bool edge = true;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double outcome = result.value(i, "outcome"), steps = result.value(i, "steps");
    edge = edge && outcome == (shares[i] < 1 ? reached : diverged);
    std::printf("bowl, %.4g of the edge: %s", shares[i], in_words(outcome));
    if (outcome == reached && shares[i] < 1) {
      theory.x.push_back(shares[i]);
      theory.y.push_back(static_cast<double>(bowl.steps_to(bowl_target, shares[i] * 2 / bowl.largest())));
      most = std::max(most, std::abs(steps - theory.y.back()));
      std::printf(" after %.0f steps, by theory %.0f", steps, theory.y.back());
    }
    std::printf("\n");
  }
  experiment.verdict("on a bowl of known curvature, rates below 2/h arrive and those above diverge",
                     edge ? "so they do" : "they do not", edge);
  experiment.verdict("in the number of steps that theory has, give or take one",
                     examples::format("%.0f apart at most", most), most <= 1);
  experiment.plot({.file = "bowl",
                   .title = "Gradient descent on a bowl: steps to a millionth of the loss",
                   .x = "share_of_edge",
                   .x_label = "learning rate, of the largest that does not diverge",
                   .y = "steps",
                   .y_label = "steps",
                   .y_log = true,
                   .where = {{"part", "bowl"}},
                   .spread = "none",
                   .lines = false,
                   .theory = {theory}});
}

// The network: medians over seeds.
static void show_rates(examples::Experiment& experiment, const Values& rates, const mt::SweepResult& result,
                       const Race& rules) {
  const std::size_t seeds = experiment.seeds();
  Values slow_rates, slow_steps;
  std::vector<std::size_t> arrived(rates.size());
  Values steps(rates.size(), examples::nan);
  std::size_t best = rates.size();
  for (std::size_t r = 0; r < rates.size(); ++r) {
    Values there;
    std::size_t lost = 0;
    for (std::size_t i = r * seeds; i < (r + 1) * seeds; ++i) {
      if (result.value(i, "outcome") == reached) there.push_back(result.value(i, "steps"));
      lost += result.value(i, "outcome") == diverged ? 1 : 0;
    }
    arrived[r] = there.size();
    std::printf("rate %10.6g: %zu of %zu arrive, %zu diverge", rates[r], there.size(), seeds, lost);
    if (there.size() == seeds) {
      steps[r] = mt::spread(there).median;
      std::printf("; %.0f steps, steps x rate = %.3g", steps[r], steps[r] * rates[r]);
      if (best == rates.size() || steps[r] < steps[best]) best = r;
    }
    std::printf("\n");
  }
  if (best == rates.size()) return experiment.verdict("some rate arrives", "none does", false, experiment.usual_data());
  for (std::size_t r = 0; r < best; ++r) {
    if (!std::isnan(steps[r]) && rates[r] <= rates[best] / 8)
      slow_rates.push_back(rates[r]), slow_steps.push_back(steps[r]);
  }
  bool as_theory = false;
  if (slow_rates.size() > 1) {
    const mt::LogLine line = mt::fit_log_log(slow_rates, slow_steps);
    as_theory = std::abs(line.slope + 1) < 0.2;
    experiment.fit("steps against rates below an eighth of the best, log-log", "slope", line.slope);
    experiment.verdict("steps grow as 1/rate below an eighth of the best rate: slope -1 +- 0.2",
                       examples::format("%.3f", line.slope), as_theory, experiment.usual_data());
  } else {
    experiment.verdict("two rates below an eighth of the best arrive", "fewer", false, experiment.usual_data());
  }
  experiment.verdict(examples::format("a tiny rate, %g, does not arrive in %zu steps", rates[0], rules.most),
                     examples::format("%zu of %zu arrive", arrived[0], seeds), arrived[0] == 0,
                     experiment.usual_data());
  experiment.verdict(examples::format("nor does a huge one, %g", rates.back()),
                     examples::format("%zu of %zu arrive", arrived.back(), seeds), arrived.back() == 0,
                     experiment.usual_data());
  std::string reading = examples::format("The best rate, %g, takes %.0f steps", rates[best], steps[best]);
  if (!slow_rates.empty()) {
    reading +=
        examples::format("; one %.0f times smaller takes %.0f", rates[best] / slow_rates.front(), slow_steps.front());
  }
  if (as_theory) {
    Values ways;
    for (std::size_t i = 0; i < slow_rates.size(); ++i) ways.push_back(slow_rates[i] * slow_steps[i]);
    reading += examples::format(
        ". Up to an eighth of it the product of steps and rate stays between %.3g and %.3g: a "
        "tiny rate walks the same way in smaller steps.",
        std::ranges::min(ways), std::ranges::max(ways));
  } else {
    reading += ". That steps grow as 1/rate where rates are small is not seen.";
  }
  experiment.reading(reading);
  experiment.plot({.file = "steps_against_rate",
                   .title = "Steps to a loss against the learning rate",
                   .x = "rate",
                   .x_label = "learning rate",
                   .y = "steps",
                   .y_label = "steps",
                   .y_log = true,
                   .where = {{"part", "rates"}}});
}

int main(int argc, char** argv) try {
  examples::Experiment experiment(argc, argv,
                                  {.name = "18_slow_convergence",
                                   .question = "How slow is a small learning rate, and how large may one be?",
                                   .summary = "Steps to a target against the learning rate.",
                                   .seeds = 3});
  const bool quick = experiment.quick(), real = !experiment.data().empty();
  const Race rules{.target = real ? 0.6 : 1.2,
                   .most = experiment.arguments().number("--steps", quick ? 5000 : 10'000, "at most, with any rate")};
  if (experiment.help_shown()) return examples::ok;

  const mt::Split data = examples::classes_of(experiment.data()).parts;
  const mt::Dataset judges = examples::some_of(data.test, 1000, 1);
  const examples::KnownCurvature bowl(10, 30);
  experiment.setting("network", examples::format("%zu-128-%zu, SGD, batches of %zu", data.train.feature_columns(),
                                                 data.train.classes(), rules.batch));
  experiment.setting("target", examples::format("a test loss of %g, in %zu steps at most", rules.target, rules.most));
  experiment.setting("outcome", "1: at the target; 0: not in so many steps; -1: diverged, and drawn as not reached");
  experiment.setting("bowl", "10 directions, curvatures 1 to 1/30, gradient descent on all samples");
  Values seeds, shares, rates;
  for (std::size_t seed = 1; seed <= experiment.seeds(); ++seed) seeds.push_back(static_cast<double>(seed));
  for (int k = -8; k <= -1; ++k) shares.push_back(std::ldexp(1.0, k));
  shares.insert(shares.end(), {0.7, 0.9, 0.98, 1.02, 1.1});
  for (int k = -12; k <= 6; k += quick ? 2 : 1) rates.push_back(std::ldexp(1.0, k));

  const mt::Grid exact({{"share_of_edge", shares}});
  const auto descended = mt::run_sweep(
      exact, {"steps", "outcome"}, [&](const mt::Point& p) { return descend(bowl, p["share_of_edge"]); },
      experiment.sweep_options("bowl"));
  if (!descended.complete()) return experiment.finish();
  const mt::Grid raced({{"rate", rates}, {"seed", seeds}});
  const auto network = mt::run_sweep(
      raced, {"steps", "outcome", "loss"},
      [&](const mt::Point& p) {
        return race(data.train, judges, rules, p["rate"], p.count("seed"), experiment.device());
      },
      experiment.sweep_options("rates", examples::sweep_workers(experiment.device())));
  if (!network.complete()) return experiment.finish();

  experiment.add(exact, descended, {{"part", "bowl"}});
  experiment.add(raced, network, {{"part", "rates"}});
  show_bowl(experiment, bowl, shares, descended);
  show_rates(experiment, rates, network, rules);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}
