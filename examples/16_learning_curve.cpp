// How much is more data worth, and can it do harm? The error of a network falls as a power of the number of samples;
// that of the least-squares solution of smallest norm is greatest where there are as many samples as features.
#include <minitrain/experiment/fits.hpp>
#include <minitrain/optim/schedules.hpp>
#include <minitrain/trainer.hpp>

#include "common/classes.hpp"
#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/least_squares.hpp"
#include "common/on_device.hpp"

#include <algorithm>
#include <cmath>

namespace mt = minitrain;
using Values = std::vector<double>;

constexpr std::size_t features = 100;  // of the least squares
const Values noises{0.1, 0.5};
const char* const noise_names[] = {"0.1", "0.5"};

// As many steps whatever n is, and a rate that falls to 0: small sets are seen more often, and no run ends in the
// middle of its noise.
struct Recipe {
  std::size_t steps = 0, batch = 64;
  double rate = 0;
};

// Trains on n samples drawn by the seed: {test error, training error}.
static Values learn(const mt::Split& data, std::size_t n, std::uint64_t seed, const Recipe& recipe,
                    const std::string& device_name) {
  const mt::Dataset some = examples::some_of(data.train, n, seed);
  const std::size_t epoch = (n + recipe.batch - 1) / recipe.batch,
                    epochs = std::max<std::size_t>(1, recipe.steps / epoch);
  mt::TrainerOptions options{.epochs = epochs, .batch_size = recipe.batch, .seed = seed};
  options.schedule = mt::LinearDecay{.steps = epochs * epoch, .last = 0};
  return examples::on_one_thread(device_name, [&](const auto& device) {
    mt::Trainer trainer{device, mt::Mlp{.widths = {data.train.feature_columns(), 128, data.train.classes()}},
                        mt::SoftmaxCrossEntropy{}, mt::Adam{.learning_rate = recipe.rate}, options};
    trainer.fit(some);
    return Values{1 - trainer.evaluate(data.test).accuracy, 1 - trainer.evaluate(some).accuracy};
  });
}

static Values means(const std::vector<Values>& groups) {
  Values result;
  for (const Values& group : groups) result.push_back(mt::mean_of(group).mean);
  return result;
}

// The curve of all n, what it is like, and how sure that is.
static void show_learning(examples::Experiment& experiment, const Values& sizes, const std::vector<Values>& errors) {
  for (const Values& group : errors) {
    if (std::ranges::find(group, 0) == group.end()) continue;
    experiment.verdict("test errors lie on a straight line in log-log", "one of them is 0, which is on no such line",
                       false, false);
    return experiment.reading("With so little to tell apart a network makes no error at all, and there is no curve.");
  }
  const Values mean = means(errors);
  const mt::LogLine line = mt::fit_log_log(sizes, mean);
  const mt::PowerLaw law = mt::fit_power_law(sizes, mean);
  const auto interval = [&](const auto& of) {
    return experiment.seeds() > 1 ? mt::bootstrap(errors, of, 1) : mt::Interval{examples::nan, examples::nan};
  };
  const mt::Interval slope = interval([&](const auto& g) { return mt::fit_log_log(sizes, means(g)).slope; });
  const mt::Interval b = interval([&](const auto& g) { return mt::fit_power_law(sizes, means(g)).b; });
  const mt::Interval c = interval([&](const auto& g) { return mt::fit_power_law(sizes, means(g)).c; });
  experiment.fit("straight line in log-log", "slope", line.slope, slope.low, slope.high);
  experiment.fit("straight line in log-log", "R2", line.r_squared);
  experiment.fit("error = a n^-b + c", "a", law.a);
  experiment.fit("error = a n^-b + c", "b", law.b, b.low, b.high);
  experiment.fit("error = a n^-b + c", "c", law.c, c.low, c.high);
  experiment.fit("error = a n^-b + c", "R2", law.r_squared);
  examples::Curve curve{.label = examples::format("%.3g n^-%.3f + %.3g", law.a, law.b, law.c), .x = {}, .y = {}};
  for (const double n : sizes) curve.x.push_back(n), curve.y.push_back(law.at(n));
  experiment.plot({.file = "learning_curve",
                   .title = "Error against the number of training samples",
                   .x = "n",
                   .x_label = "training samples",
                   .y = "test_error",
                   .y_label = "test error",
                   .y_log = true,
                   .where = {{"part", "learning"}},
                   .spread = "stderr",
                   .lines = false,
                   .theory = {curve}});
  const bool straight = line.r_squared > 0.95 && line.slope < 0;
  experiment.verdict("test errors lie on a straight line in log-log: R2 > 0.95",
                     examples::format("R2 = %.4f, slope %.3f", line.r_squared, line.slope), straight,
                     experiment.usual_data());
  experiment.verdict("more data help at every step", examples::format("%.3f down to %.3f", mean.front(), mean.back()),
                     std::ranges::is_sorted(mean, std::greater<>()), experiment.usual_data());
  experiment.verdict("an exponent as of Hestness et al.: 0.07 to 0.5", examples::format("%.3f", -line.slope),
                     -line.slope >= 0.07 && -line.slope <= 0.5, false);
  if (!straight) {
    return experiment.reading(examples::format(
        "From %.0f to %.0f samples the test error goes from %.1f to %.1f %%. That it falls on a "
        "straight line is not seen (R2 = %.2f, slope %.3f): what more data are worth is not told.",
        sizes.front(), sizes.back(), 100 * mean.front(), 100 * mean.back(), line.r_squared, line.slope));
  }
  const double half = std::pow(2, -1 / line.slope);  // without end as the slope comes near 0
  experiment.reading(
      examples::format("From %.0f to %.0f samples the test error falls from %.1f to %.1f %%: a straight line of slope "
                       "%.3f. Twice the data take away %.0f %% of the error",
                       sizes.front(), sizes.back(), 100 * mean.front(), 100 * mean.back(), line.slope,
                       100 * (1 - std::pow(2, line.slope))) +
      (half < 1e6 ? examples::format(", so half of it costs %.0f times the data.", half) : "."));
}

// Largest difference, of the largest number, between full-batch gradient descent of the library from 0 and the solver.
static double descent_against_solver() {
  const examples::Regression drawn(50, features, 0);
  std::vector<float> x(drawn.rows.x.begin(), drawn.rows.x.end()), y(drawn.clean.begin(), drawn.clean.end());
  examples::Rows rows{.n = 50, .d = features, .x = {x.begin(), x.end()}};  // as the floats of the data set are
  const Values exact = examples::MinimumNorm(rows)({y.begin(), y.end()});
  const mt::Dataset data({.samples = rows.n, .features = x, .targets = y});
  mt::Trainer<double> trainer{mt::Cpu{{.threads = 1}},
                              mt::Mlp{.widths = {features, 1}, .bias = false, .init = mt::Init::zeros},
                              mt::MeanSquaredError{},
                              mt::SGD{.learning_rate = 0.08},
                              {.epochs = 4000, .batch_size = rows.n}};
  trainer.fit(data);
  const auto found = trainer.parameters();
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < features; ++i) {
    most = std::max(most, std::abs(found.data()[i] - exact[i]));
    largest = std::max(largest, std::abs(exact[i]));
  }
  return most / largest;
}

static void show_descent(examples::Experiment& experiment, const std::vector<std::size_t>& sizes,
                         const std::vector<std::vector<Values>>& risks) {
  double most = 0;
  for (std::size_t s = 0; s < noises.size(); ++s) {
    Values mean;
    examples::Curve theory{.label = "theory", .x = {}, .y = {}};
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const mt::Mean m = mt::mean_of(risks[s][i]);
      mean.push_back(m.mean);
      const double expected = examples::expected_excess(sizes[i], features, noises[s]);
      std::printf("n = %4zu, noise %s: excess error %.4g +- %.2g, theory %.4g\n", sizes[i], noise_names[s], m.mean,
                  m.standard_error, expected);
      if (!std::isfinite(expected)) continue;
      theory.x.push_back(static_cast<double>(sizes[i]));
      theory.y.push_back(expected);
      const bool away = sizes[i] + 10 <= features || sizes[i] >= features + 10;  // nearer, the mean has no spread
      if (away) most = std::max(most, std::abs(m.mean - expected) / m.standard_error);
    }
    const std::size_t peak = sizes[static_cast<std::size_t>(std::ranges::max_element(mean) - mean.begin())];
    const std::string noise = noise_names[s];
    experiment.verdict("noise " + noise + ": the error is greatest at n = d = 100", "at n = " + std::to_string(peak),
                       peak == features);
    experiment.plot({.file = "double_descent_" + noise,
                     .title = "Least squares of smallest norm, d = 100, noise " + noise,
                     .x = "n",
                     .x_label = "training samples",
                     .y = "excess_error",
                     .y_label = "excess error",
                     .y_log = true,
                     .where = {{"part", "descent"}, {"noise", noise}},
                     .spread = "stderr",
                     .lines = false,
                     .theory = {theory}});
    if (s + 1 == noises.size()) {
      const auto at = [&](std::size_t n) {
        return mean[static_cast<std::size_t>(std::ranges::find(sizes, n) - sizes.begin())];
      };
      experiment.verdict("noise " + noise + ": 90 samples are worse than 50",
                         examples::format("%.3g against %.3g", at(90), at(50)), at(90) > at(50));
      const bool peaked = peak == features && at(90) > at(50) && at(1000) < at(features);
      const char* const words =
          peaked
              ? "With noise, least squares of smallest norm get worse from 50 to 90 samples (%.3g to %.3g), "
                "worst at 100 and better from there on (%.3g at 1000): the exactly determined system follows the "
                "noise with whatever weights it takes."
              : "With noise, the excess error of least squares is %.3g at 50 samples, %.3g at 90 and %.3g at 1000: a "
                "peak at 100 is not seen.";
      experiment.reading(examples::format(words, at(50), at(90), at(1000)));
    }
  }
  experiment.verdict("10 and more from the peak, theory is within 4 standard errors",
                     examples::format("%.2f at most", most), most < 4);
  const double difference = descent_against_solver();
  experiment.verdict("gradient descent from 0 finds the solution of smallest norm, to 1e-6",
                     examples::format("%.2g of the largest weight", difference), difference < 1e-6);
}

int main(int argc, char** argv) try {
  examples::Experiment experiment(argc, argv,
                                  {.name = "16_learning_curve",
                                   .question = "How much is more data worth, and can it do harm?",
                                   .summary = "Error against the number of samples: a network, and least squares.",
                                   .seeds = 5,
                                   .quick_seeds = 2});
  const bool quick = experiment.quick(), real = !experiment.data().empty();
  auto sizes = experiment.arguments().numbers(
      "--sizes", quick ? "300,1000,3000,10000" : "300,600,1200,2500,5000,10000,20000,40000,60000",
      "training samples; at most all there are");
  const Recipe recipe{.steps = experiment.arguments().number("--steps", quick ? 2000 : 12'000, "of every run"),
                      .rate = real ? 1e-3 : 2e-3};
  const std::size_t trials =
      experiment.arguments().number("--trials", quick ? 80 : 400, "of the least squares, by 20", 20);
  if (experiment.help_shown()) return examples::ok;

  const mt::Split data =
      examples::classes_of(experiment.data(), {.train = quick ? 10'000u : 60'000u, .test = 10'000}).parts;
  sizes = examples::at_most(sizes, data.train.size());
  if (sizes.size() < 3) {
    throw examples::UsageError("--sizes: wanted three or more, of the " + std::to_string(data.train.size()) +
                               " samples that there are");
  }
  experiment.setting("network",
                     examples::format("%zu-128-%zu, Adam, rate %g falling to 0, batches of %zu",
                                      data.train.feature_columns(), data.train.classes(), recipe.rate, recipe.batch));
  experiment.setting("steps of every run", std::to_string(recipe.steps));
  experiment.setting("least squares", examples::format("%zu features, %zu trials", features, trials / 20 * 20));

  Values counts(sizes.begin(), sizes.end()), seeds;
  for (std::size_t seed = 1; seed <= experiment.seeds(); ++seed) seeds.push_back(static_cast<double>(seed));
  const mt::Grid grid({{"n", counts}, {"seed", seeds}});
  const auto learned = mt::run_sweep(
      grid, {"test_error", "training_error"},
      [&](const mt::Point& p) { return learn(data, p.count("n"), p.count("seed"), recipe, experiment.device()); },
      experiment.sweep_options("learning", examples::sweep_workers(experiment.device())));
  if (!learned.complete()) return experiment.finish();

  // Means of groups of trials: their scatter says how sure the mean of all is.
  const std::vector<std::size_t> rows{10, 25, 50, 75, 90, 95, 98, 100, 102, 105, 110, 125, 150, 200, 400, 1000};
  Values groups, row_counts(rows.begin(), rows.end());
  for (std::size_t group = 0; group < 20; ++group) groups.push_back(static_cast<double>(group));
  const mt::Grid squares({{"n", row_counts}, {"group", groups}});
  const auto solved = mt::run_sweep(
      squares, {"excess_0.1", "excess_0.5"},
      [&](const mt::Point& p) {
        Values mean(noises.size());
        const std::size_t each = trials / 20;
        for (std::size_t trial = 0; trial < each; ++trial) {
          const Values excess =
              examples::Regression(p.count("n"), features, p.count("group") * each + trial).excess(noises);
          for (std::size_t s = 0; s < noises.size(); ++s) mean[s] += excess[s] / static_cast<double>(each);
        }
        return mean;
      },
      experiment.sweep_options("descent"));
  if (!solved.complete()) return experiment.finish();

  std::vector<Values> errors(sizes.size());
  for (std::size_t i = 0; i < grid.size(); ++i) errors[i / seeds.size()].push_back(learned.value(i, "test_error"));
  experiment.add(grid, learned, {{"part", "learning"}});
  std::vector<std::vector<Values>> risks(noises.size(), std::vector<Values>(rows.size()));
  for (std::size_t s = 0; s < noises.size(); ++s) {
    for (std::size_t i = 0; i < squares.size(); ++i) {
      const double risk = solved.rows[i][s];
      risks[s][i / groups.size()].push_back(risk);
      experiment.add({{"part", "descent"},
                      {"noise", noise_names[s]},
                      {"n", std::to_string(squares[i].count("n"))},
                      {"group", std::to_string(squares[i].count("group"))}},
                     "excess_error", risk);
    }
  }
  show_learning(experiment, counts, errors);
  show_descent(experiment, rows, risks);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}
