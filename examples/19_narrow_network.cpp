// What does a network that is too narrow look like? Its training error is as high as its test error, and more data do
// not help. Both against the width, with all of the data and with a tenth of them.
#include <minitrain/experiment/fits.hpp>
#include <minitrain/optim/schedules.hpp>
#include <minitrain/trainer.hpp>

#include "common/classes.hpp"
#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/on_device.hpp"

#include <algorithm>
#include <cmath>

namespace mt = minitrain;
using Values = std::vector<double>;

// Trains a network of that width on a share of the data, in as many steps whatever the share: {training, test error}.
static Values fit_width(const mt::Split& data, std::size_t width, double share, std::size_t epochs, double rate,
                        std::uint64_t seed, const std::string& device_name) {
  constexpr std::size_t batch = 64;
  const auto n = static_cast<std::size_t>(share * static_cast<double>(data.train.size()));
  const mt::Dataset some = examples::some_of(data.train, n, seed);
  const std::size_t epoch = (n + batch - 1) / batch,
                    passes = epochs * ((data.train.size() + batch - 1) / batch) / epoch;
  mt::TrainerOptions options{.epochs = passes, .batch_size = batch, .seed = seed};
  options.schedule = mt::LinearDecay{.steps = passes * epoch, .last = 0};
  return examples::on_one_thread(device_name, [&](const auto& device) {
    mt::Trainer trainer{device, mt::Mlp{.widths = {some.feature_columns(), width, some.classes()}},
                        mt::SoftmaxCrossEntropy{}, mt::Adam{.learning_rate = rate}, options};
    trainer.fit(some);
    return Values{1 - trainer.evaluate(some).accuracy, 1 - trainer.evaluate(data.test).accuracy};
  });
}

// Means over seeds, at every width.
struct Errors {
  Values training = {}, test = {};
};

static void show(examples::Experiment& experiment, const Values& widths, const Errors& all, const Errors& tenth) {
  const Values &training = all.training, &test = all.test;
  std::printf("%6s %12s %12s %28s\n", "width", "training", "test", "with a tenth of the data");
  for (std::size_t i = 0; i < widths.size(); ++i)
    std::printf("%6.0f %12.4f %12.4f %14.4f %13.4f\n", widths[i], training[i], test[i], tenth.training[i],
                tenth.test[i]);
  const double border = 2 * std::ranges::min(test);
  const auto at =
      static_cast<std::size_t>(std::ranges::find_if(test, [&](double e) { return e <= border; }) - test.begin());
  const double threshold = widths[at];
  experiment.fit("first width with at most twice the smallest test error", "width", threshold);
  // Correlation, and how far apart they are where the network is too narrow.
  const double mean_a = mt::mean_of(training).mean, mean_b = mt::mean_of(test).mean;
  double ab = 0, aa = 0, bb = 0, gap = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    ab += (training[i] - mean_a) * (test[i] - mean_b);
    aa += (training[i] - mean_a) * (training[i] - mean_a), bb += (test[i] - mean_b) * (test[i] - mean_b);
    if (i < at) gap = std::max(gap, std::abs(test[i] - training[i]) / training[i]);
  }
  const double together = ab / std::sqrt(aa * bb);
  const auto nearest = [&](double width) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < widths.size(); ++i)
      if (std::abs(std::log(widths[i] / width)) < std::abs(std::log(widths[best] / width))) best = i;
    return best;
  };
  const std::size_t below = nearest(threshold / 2), above = nearest(2 * threshold);
  experiment.verdict("training and test error move together: correlation > 0.95", examples::format("%.4f", together),
                     together > 0.95);
  experiment.verdict("where the network is too narrow, test error is within a quarter of the training error",
                     examples::format("%.0f %% apart at most", 100 * gap), gap < 0.25, experiment.usual_data());
  experiment.verdict("a clear threshold: half of that width errs twice as often as double of it",
                     examples::format("width %.0f; %.3f at %.0f, %.3f at %.0f", threshold, test[below], widths[below],
                                      test[above], widths[above]),
                     test[below] > 2 * test[above]);
  const double narrow = tenth.test.front() / test.front() - 1, wide = tenth.test.back() / test.back() - 1;
  experiment.verdict("more data help the widest more than the narrowest",
                     examples::format("a tenth of the data: error %+.0f %% and %+.0f %%", 100 * wide, 100 * narrow),
                     wide > narrow);
  std::string reading =
      examples::format("Width %.0f is the first that errs at most twice as often as the best", threshold);
  if (at == 0) {
    reading += ": none that was tried is too narrow.";
  } else {
    const bool underfits = gap < 0.25 && std::abs(narrow) < 0.25;
    reading += examples::format(
        ". Below it training and test error are within %.0f %% of one another, and a tenth of "
        "the data changes the error of the narrowest network by %.0f %%: %s.",
        100 * gap, 100 * std::abs(narrow),
        underfits ? "what is missing is not data" : "that it is not data that are missing is not seen");
  }
  experiment.reading(reading + examples::format(" At width %.0f a tenth of the data makes the test error %.0f %% %s.",
                                                widths.back(), 100 * std::abs(wide), wide < 0 ? "lower" : "higher"));
  experiment.plot({.file = "width",
                   .title = "Training and test error against the width",
                   .x = "width",
                   .x_label = "hidden units",
                   .y = "error",
                   .y_label = "error",
                   .y_log = true,
                   .series = {"measured_on"},
                   .where = {{"share", "1"}}});
  experiment.plot({.file = "width_and_data",
                   .title = "Test error against the width and the data",
                   .x = "width",
                   .x_label = "hidden units",
                   .y = "error",
                   .y_label = "test error",
                   .y_log = true,
                   .series = {"share"},
                   .where = {{"measured_on", "test"}}});
}

int main(int argc, char** argv) try {
  examples::Experiment experiment(argc, argv,
                                  {.name = "19_narrow_network",
                                   .question = "What does a network that is too narrow look like?",
                                   .summary = "Training and test error against the width.",
                                   .seeds = 3});
  const bool images = experiment.kind() == examples::DataKind::images;
  const std::size_t epochs = experiment.arguments().number("--epochs",
                                                           images               ? 4
                                                           : experiment.quick() ? 20
                                                                                : 40,
                                                           "passes over all of the data");
  if (experiment.help_shown()) return examples::ok;

  const mt::Split data = examples::classes_of(experiment.data(), {.features = 20, .hidden = 16, .decay = 0}).parts;
  const double rate = images ? 1e-3 : 5e-3;
  experiment.setting("network", examples::format("%zu-W-%zu, Adam, rate %g falling to 0, batches of 64",
                                                 data.train.feature_columns(), data.train.classes(), rate));
  experiment.setting("epochs", examples::format("%zu; ten times as many of a tenth of the data", epochs));
  const Values widths{1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 32, 64, 128};
  Values seeds;
  for (std::size_t seed = 1; seed <= experiment.seeds(); ++seed) seeds.push_back(static_cast<double>(seed));
  const mt::Grid grid({{"width", widths}, {"share", {0.1, 1}}, {"seed", seeds}});
  const auto trained = mt::run_sweep(
      grid, {"training", "test"},
      [&](const mt::Point& p) {
        return fit_width(data, p.count("width"), p["share"], epochs, rate, p.count("seed"), experiment.device());
      },
      experiment.sweep_options("widths", examples::sweep_workers(experiment.device())));
  if (!trained.complete()) return experiment.finish();

  Errors all, tenth;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    Errors& errors = grid[i]["share"] == 1 ? all : tenth;
    for (const char* metric : {"training", "test"}) {
      const double error = trained.value(i, metric);
      experiment.add({{"width", std::to_string(grid[i].count("width"))},
                      {"share", grid[i]["share"] == 1 ? "1" : "0.1"},
                      {"measured_on", metric},
                      {"seed", std::to_string(grid[i].count("seed"))}},
                     "error", error);
      Values& means = metric == std::string("test") ? errors.test : errors.training;
      if (grid[i]["seed"] == 1) means.push_back(0);
      means.back() += error / static_cast<double>(experiment.seeds());
    }
  }
  show(experiment, widths, all, tenth);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}
