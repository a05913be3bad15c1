// What do wrong labels do? A part of the training labels is replaced, then a network is trained on all of them and
// tested on right ones; and again for batch sizes and learning rates, which decide how much of the noise averages out.
#include <minitrain/data/label_noise.hpp>
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

// The data with a part of the labels replaced by others; in memory, where training is quickest.
static mt::Dataset with_noise(const mt::Dataset& data, double fraction, std::uint64_t seed) {
  const mt::Dataset noisy = mt::with_label_noise(data, fraction, seed);
  std::vector<std::uint64_t> all(data.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  mt::DatasetParts parts{.samples = data.size(), .classes = data.classes()};
  parts.labels.resize(data.size());
  noisy.read({}, all, {.labels = parts.labels.data()});
  if (data.storage().bytes.empty()) {
    parts.features.resize(data.size() * data.feature_columns());
    data.read({}, all, {.features = parts.features.data()});
    return mt::Dataset(std::move(parts));
  }
  parts.scale = data.storage().scale, parts.offset = data.storage().offset;
  parts.bytes.reserve(data.size() * data.feature_columns());
  for (const std::uint64_t i : all) {
    const auto row = data.storage().bytes.begin() + static_cast<std::ptrdiff_t>(data.row(i) * data.feature_columns());
    parts.bytes.insert(parts.bytes.end(), row, row + static_cast<std::ptrdiff_t>(data.feature_columns()));
  }
  return mt::Dataset(std::move(parts));
}

struct Run {
  double noise = 0, rate = 0.1;
  std::size_t batch = 64, epochs = 5;
  std::uint64_t seed = 1;
};

// SGD whose rate falls to 0, so that it is the rate and not its last step that decides:
// {test accuracy, training accuracy by the labels that it has seen, by the right ones}; nothing where it diverged.
static Values train(const mt::Split& data, const Run& run, const std::string& device_name) {
  const mt::Dataset noisy = with_noise(data.train, run.noise, run.seed);
  mt::TrainerOptions options{.epochs = run.epochs, .batch_size = run.batch, .seed = run.seed};
  options.schedule = mt::LinearDecay{.steps = run.epochs * ((noisy.size() + run.batch - 1) / run.batch), .last = 0};
  return examples::on_one_thread(device_name, [&](const auto& device) {
    mt::Trainer trainer{device, mt::Mlp{.widths = {noisy.feature_columns(), 128, noisy.classes()}},
                        mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = run.rate}, options};
    try {
      trainer.fit(noisy);
    } catch (const mt::NumericError&) {
      return Values(3, examples::nan);
    }
    return Values{trainer.evaluate(data.test).accuracy, trainer.evaluate(noisy).accuracy,
                  trainer.evaluate(data.train).accuracy};
  });
}

// The mean over the last axis, seeds: of one metric at every other point.
static Values over_seeds(const mt::SweepResult& result, const std::string& metric, std::size_t seeds) {
  const Values all = result.column(metric);
  Values means;
  for (std::size_t i = 0; i < all.size(); i += seeds) {
    double sum = 0;
    for (std::size_t s = 0; s < seeds; ++s) sum += all[i + s];
    means.push_back(sum / static_cast<double>(seeds));
  }
  return means;
}

static void show_noise(examples::Experiment& experiment, const Values& noise, const mt::SweepResult& result,
                       double classes) {
  const Values test = over_seeds(result, "test_accuracy", experiment.seeds());
  const Values seen = over_seeds(result, "seen_accuracy", experiment.seeds());
  const Values right = over_seeds(result, "right_accuracy", experiment.seeds());
  std::printf("%8s %14s %14s %14s %14s\n", "noise", "test", "seen labels", "right labels", "clean share");
  double departure = 0;  // the farthest, with its sign
  examples::Curve linear{.label = "what right answers explain", .x = {}, .y = {}};
  for (std::size_t i = 0; i < noise.size(); ++i) {
    // Who answers right with probability q, whatever the label, agrees with labels seen in q (1 - p) of the samples,
    // and by chance in some of those where both are wrong.
    const double explained = right[i] * (1 - noise[i]) + (1 - right[i]) * noise[i] / (classes - 1);
    if (std::abs(seen[i] - explained) > std::abs(departure)) departure = seen[i] - explained;
    linear.x.push_back(noise[i]);
    linear.y.push_back(right[0] * (1 - noise[i]) + (1 - right[0]) * noise[i] / (classes - 1));
    std::printf("%8.2f %14.4f %14.4f %14.4f %14.4f\n", noise[i], test[i], seen[i], right[i], 1 - noise[i]);
  }
  const auto at = [&](double p) {
    return test[static_cast<std::size_t>(
        std::ranges::min_element(noise, {}, [&](double x) { return std::abs(x - p); }) - noise.begin())];
  };
  // A straight line by least squares, and what it leaves over.
  const auto n = static_cast<double>(noise.size());
  double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
  for (std::size_t i = 0; i < noise.size(); ++i) x += noise[i] / n, y += seen[i] / n;
  for (std::size_t i = 0; i < noise.size(); ++i) {
    xx += (noise[i] - x) * (noise[i] - x), xy += (noise[i] - x) * (seen[i] - y), yy += (seen[i] - y) * (seen[i] - y);
  }
  const double slope = xy / xx, r_squared = xy * xy / (xx * yy);
  experiment.fit("accuracy on the labels seen = intercept + slope noise", "slope", slope);
  experiment.fit("accuracy on the labels seen = intercept + slope noise", "R2", r_squared);
  const double before = (at(0) - at(0.6)) / 0.6, after = (at(0.6) - at(0.8)) / 0.2;
  experiment.verdict(
      "test accuracy falls slowly to 60 % of wrong labels, then faster",
      examples::format("%.1f points from each 10 %% of noise up to 60 %%, %.1f from there on", 10 * before, 10 * after),
      after > before, experiment.usual_data());
  experiment.verdict("60 % of wrong labels cost less than 30 points of test accuracy",
                     examples::format("%.3f to %.3f", at(0), at(0.6)), at(0) - at(0.6) < 0.3, experiment.usual_data());
  experiment.verdict("training accuracy on the labels seen falls linearly: R2 > 0.98",
                     examples::format("R2 = %.4f, slope %.3f", r_squared, slope), r_squared > 0.98 && slope < 0);
  std::string reading = examples::format(
      "With every second label wrong the test accuracy is still %.1f %%, with 60 %% %.1f %%, with 80 %% %.1f %%; "
      "without "
      "noise it is %.1f %%. On the labels seen, accuracy is ",
      100 * at(0.5), 100 * at(0.6), 100 * at(0.8), 100 * at(0));
  const double points = 100 * std::abs(departure);
  if (points < 1) {
    reading += examples::format(
        "at most %.1f points from what the right answers alone explain: what is beyond that has "
        "been learned by heart.",
        points);
  } else {
    reading +=
        examples::format("up to %.1f points %s what the right answers alone explain%s.", points,
                         departure > 0 ? "above" : "below", departure > 0 ? ": so much has been learned by heart" : "");
  }
  experiment.reading(reading);
  experiment.plot({.file = "test_accuracy",
                   .title = "Test accuracy against wrong labels",
                   .x = "noise",
                   .x_label = "training labels that are wrong (share)",
                   .x_log = false,
                   .y = "test_accuracy",
                   .y_label = "test accuracy",
                   .where = {{"part", "noise"}}});
  experiment.plot({.file = "seen_accuracy",
                   .title = "Accuracy on the labels seen",
                   .x = "noise",
                   .x_label = "training labels that are wrong (share)",
                   .x_log = false,
                   .y = "seen_accuracy",
                   .y_label = "training accuracy",
                   .where = {{"part", "noise"}},
                   .theory = {linear}});
}

// For each noise: the accuracy with the best rate at every batch size, and what a rate does at every batch size.
static void show_interaction(examples::Experiment& experiment, const Values& noise, const Values& batches,
                             const Values& rates, const mt::SweepResult& result) {
  const Values test = over_seeds(result, "test_accuracy", experiment.seeds());
  const auto at = [&](std::size_t n, std::size_t b, std::size_t r) {
    const double value = test[(n * batches.size() + b) * rates.size() + r];
    return std::isnan(value) ? 0 : value;  // it diverged
  };
  std::vector<std::size_t> best;  // rate of each noise and batch
  for (std::size_t n = 0; n < noise.size(); ++n) {
    for (std::size_t b = 0; b < batches.size(); ++b) {
      std::size_t top = 0;
      for (std::size_t r = 1; r < rates.size(); ++r) top = at(n, b, r) > at(n, b, top) ? r : top;
      best.push_back(top);
      std::printf("noise %.1f, batch %5.0f:", noise[n], batches[b]);
      for (std::size_t r = 0; r < rates.size(); ++r) std::printf("  %6.3g: %.4f", rates[r], at(n, b, r));
      std::printf("  best rate %g\n", rates[top]);
      experiment.fit(examples::format("noise %g, batch %g", noise[n], batches[b]), "best rate", rates[top]);
    }
  }
  const std::size_t last = noise.size() - 1, small = 0, large = batches.size() - 1, fast = rates.size() - 1;
  const double small_loss = at(0, small, fast) - at(last, small, fast),
               large_loss = at(0, large, fast) - at(last, large, fast);
  experiment.verdict(examples::format("at the rate %g, noise costs more at batch %.0f than at %.0f", rates[fast],
                                      batches[small], batches[large]),
                     examples::format("%.1f points against %.1f", 100 * small_loss, 100 * large_loss),
                     small_loss > large_loss, experiment.usual_data());
  const double clean_rate = rates[best[small]], noisy_rate = rates[best[last * batches.size() + small]];
  experiment.verdict("noise makes the best rate of the smallest batch no larger",
                     examples::format("%g without, %g with %.0f %%", clean_rate, noisy_rate, 100 * noise[last]),
                     noisy_rate <= clean_rate, experiment.usual_data());
  const auto largest = [&](std::size_t n) { return rates[best[n * batches.size() + large]]; };
  experiment.verdict("the best rate grows with the batch, at every noise",
                     examples::format("with %.0f %% noise from %g to %g", 100 * noise[last], noisy_rate, largest(last)),
                     largest(0) >= clean_rate && largest(last) >= noisy_rate, false);
  std::string reading = examples::format(
      "At the rate %g, going from no noise to %.0f %% costs %.1f points at batches of %.0f and %.1f at batches of %.0f",
      rates[fast], 100 * noise[last], 100 * small_loss, batches[small], 100 * large_loss, batches[large]);
  reading += small_loss > large_loss
                 ? ": gradients of wrong labels point anywhere and cancel out in a large batch, as in Rolnick et al."
                 : ".";
  // Its loss at the best rate of each, nearer to the large batch's than to that at the large rate.
  const double gentle = at(0, small, best[small]) - at(last, small, best[last * batches.size() + small]);
  if (small_loss > large_loss && noisy_rate < clean_rate && 2 * gentle < small_loss + large_loss) {
    reading +=
        examples::format(" A small batch gets the same by a smaller rate (%g instead of %g).", noisy_rate, clean_rate);
  }
  experiment.reading(reading);
  for (const double p : noise) {
    const std::string text = examples::format("%g", p);
    experiment.plot({.file = "rate_and_batch_" + text,
                     .title = "Test accuracy, " + text + " of the labels wrong",
                     .x = "rate",
                     .x_label = "learning rate",
                     .y = "test_accuracy",
                     .y_label = "test accuracy",
                     .series = {"batch_size"},
                     .where = {{"part", "interaction"}, {"noise", text}}});
  }
}

int main(int argc, char** argv) try {
  examples::Experiment experiment(
      argc, argv,
      {.name = "17_label_noise",
       .question = "What do wrong labels do, and what do batch size and learning rate to them?",
       .summary = "Accuracy against wrong labels, batch size and learning rate.",
       .seeds = 3});
  const bool quick = experiment.quick();
  const std::size_t epochs = experiment.arguments().number("--epochs", 5, "of every run");
  std::size_t samples = experiment.arguments().number("--samples", quick ? 6000 : 20'000,
                                                      "to train on for batches and rates; at most all there are");
  if (experiment.help_shown()) return examples::ok;

  const mt::Split data =
      examples::classes_of(experiment.data(), {.train = quick ? 10'000u : 60'000u, .test = 10'000}).parts;
  samples = std::min(samples, data.train.size());
  const mt::Split part{examples::some_of(data.train, samples, 1), data.test};
  experiment.setting("network", examples::format("%zu-128-%zu, SGD, rate falling to 0", data.train.feature_columns(),
                                                 data.train.classes()));
  experiment.setting("epochs", std::to_string(epochs));
  experiment.setting("samples", examples::format("%zu; %zu for batches and rates", data.train.size(), samples));

  const Values noise{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8};
  Values seeds;
  for (std::size_t seed = 1; seed <= experiment.seeds(); ++seed) seeds.push_back(static_cast<double>(seed));
  const std::vector<std::string> metrics{"test_accuracy", "seen_accuracy", "right_accuracy"};
  const mt::Grid first({{"noise", noise}, {"seed", seeds}});
  const auto alone = mt::run_sweep(
      first, metrics,
      [&](const mt::Point& p) {
        return train(data, {.noise = p["noise"], .epochs = epochs, .seed = p.count("seed")}, experiment.device());
      },
      experiment.sweep_options("noise", examples::sweep_workers(experiment.device())));
  if (!alone.complete()) return experiment.finish();

  const Values some{0, 0.4, 0.8}, batches = quick ? Values{16, 256} : Values{16, 64, 256, 1024};
  const Values rates{0.02, 0.1, 0.5};
  const mt::Grid second({{"noise", some}, {"batch_size", batches}, {"rate", rates}, {"seed", seeds}});
  const auto both = mt::run_sweep(
      second, metrics,
      [&](const mt::Point& p) {
        return train(part,
                     {.noise = p["noise"],
                      .rate = p["rate"],
                      .batch = p.count("batch_size"),
                      .epochs = 2 * epochs,
                      .seed = p.count("seed")},
                     experiment.device());
      },
      experiment.sweep_options("interaction", examples::sweep_workers(experiment.device())));
  if (!both.complete()) return experiment.finish();

  experiment.add(first, alone, {{"part", "noise"}});
  experiment.add(second, both, {{"part", "interaction"}});
  show_noise(experiment, noise, alone, static_cast<double>(data.train.classes()));
  show_interaction(experiment, some, batches, rates, both);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}
