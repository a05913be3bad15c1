// What to do with the learning rate when the batch grows? Three rules, warm-up, and a batch that grows where another
// run would lower its rate.
#include <minitrain/trainer.hpp>

#include "common/classes.hpp"
#include "common/epoch_runs.hpp"
#include "common/on_device.hpp"

namespace mt = minitrain;
using examples::format;

constexpr std::size_t base_batch = 64;
constexpr double base_rate = 0.02, momentum = 0.9;

struct Task {
  std::string name;
  mt::Dataset train, test;
  std::size_t hidden = 0;
  std::string device;
};

// {training loss, test accuracy} after each epoch, then loss and accuracy over the training set, test loss and
// optimizer steps; NaN from where a run diverged.
static std::vector<double> run(const Task& task, const mt::TrainerOptions& options) {
  const mt::Sequential model{
      mt::Dense{.in = task.train.feature_columns(), .out = task.hidden, .init = mt::Init::he_normal}, mt::ReLU{},
      mt::Dense{.in = task.hidden, .out = task.train.classes(), .init = mt::Init::he_normal}};
  return examples::on_one_thread(task.device, [&](const auto& device) {
    mt::Trainer trainer{device, model, mt::SoftmaxCrossEntropy{},
                        mt::SGD{.learning_rate = base_rate, .momentum = momentum}, options};
    std::vector<double> values;
    const auto at_epoch = [&](const mt::EpochRecord& e) {
      if (examples::was_interrupted()) throw examples::Interrupted();
      values.insert(values.end(), {e.training.loss, e.validation.accuracy});
    };
    try {
      trainer.fit(task.train, task.test, {.on_epoch = at_epoch});
      const mt::Evaluation all = trainer.evaluate(task.train);
      values.insert(values.end(),
                    {all.loss, all.accuracy, trainer.evaluate(task.test).loss, static_cast<double>(trainer.steps())});
    } catch (const mt::NumericError&) {
      values.resize(2 * options.epochs + 4, examples::nan);
    }
    return values;
  });
}

// --- The rate by the batch size

constexpr const char* rules[] = {"fixed", "sqrt", "linear", "linear, warm-up"};

static mt::TrainerOptions rule_options(const Task& task, std::size_t rule, std::size_t batch, std::size_t epochs,
                                       std::size_t seed) {
  mt::TrainerOptions options{.epochs = epochs, .batch_size = batch, .seed = seed};
  if (rule == 1) options.rate_scaling = {mt::RateRule::sqrt, base_batch};
  if (rule >= 2) options.rate_scaling = {mt::RateRule::linear, base_batch};
  if (rule == 3 && batch > base_batch) {  // from the rate of the base batch, over two epochs
    const std::size_t steps = (task.train.size() + batch - 1) / batch;
    options.schedule =
        mt::Warmup{.steps = 2 * steps, .from = static_cast<double>(base_batch) / static_cast<double>(batch)};
  }
  return options;
}

static bool compare_rules(examples::Experiment& experiment, const Task& task, const std::vector<double>& batches,
                          std::size_t epochs) {
  const mt::Grid grid(
      {{"rule", examples::numbered(4)}, {"batch_size", batches}, {"seed", examples::numbered(experiment.seeds())}});
  const examples::EpochRuns runs(
      grid,
      examples::sweep_until_interrupt(
          grid, examples::epoch_metrics(epochs),
          [&](const mt::Point& p) {
            return run(task, rule_options(task, p.count("rule"), p.count("batch_size"), epochs, p.count("seed")));
          },
          experiment.sweep_options("rules", examples::sweep_workers(task.device))),
      epochs, experiment.seeds());
  if (!runs.complete()) return false;
  const std::size_t many = batches.size();
  runs.add_to(experiment, [&](std::size_t way) {
    return examples::Key{
        {"part", "rules"}, {"rule", rules[way / many]}, {"batch_size", format("%g", batches[way % many])}};
  });
  std::printf("Loss over the training set, and test accuracy, after %zu epochs\n%8s", epochs, "batch");
  for (const char* rule : rules) std::printf(" %18s", rule);
  const auto loss = [&](std::size_t rule, std::size_t b) {
    return runs.mean(rule * many + b, "loss over the training set");
  };
  for (std::size_t b = 0; b < many; ++b) {
    std::printf("\n%8g", batches[b]);
    for (std::size_t rule = 0; rule < 4; ++rule) {
      const double accuracy = runs.mean(rule * many + b, runs.last_accuracy());
      std::printf(" %18s", std::isnan(accuracy) ? "diverged" : format("%.4f %.4f", loss(rule, b), accuracy).c_str());
    }
  }
  std::printf("\n\n");
  constexpr std::size_t four = 2;  // batches double
  // How far the largest batch is that keeps within 15 % of the loss of the base batch.
  double kept[4];
  for (std::size_t rule = 0; rule < 4; ++rule) {
    kept[rule] = batches[0];
    for (std::size_t b = 1; b < many && loss(rule, b) < 1.15 * loss(0, 0); ++b) kept[rule] = batches[b];
    experiment.fit(std::string(rules[rule]) + " rule: the largest batch within 15 % of the loss of batch 64", "B",
                   kept[rule], examples::nan, examples::nan, "samples");
  }
  experiment.verdict("at four times the batch the linear rule keeps the loss (within 15 %), a fixed rate does not",
                     format("times %.3f with it, %.3f without", loss(2, four) / loss(0, 0), loss(0, four) / loss(0, 0)),
                     std::abs(loss(2, four) / loss(0, 0) - 1) < 0.15 && loss(0, four) > 1.15 * loss(0, 0),
                     experiment.usual_data());
  experiment.verdict("the larger the batch, the worse a fixed rate",
                     format("loss times %.2f at batch %g", loss(0, many - 1) / loss(0, 0), batches.back()),
                     loss(0, many - 1) > 1.5 * loss(0, 0), experiment.usual_data());
  experiment.verdict("at four times the batch the square root lies between the two",
                     format("loss times %.3f", loss(1, four) / loss(0, 0)),
                     loss(1, four) < loss(0, four) && loss(1, four) > loss(2, four), false);
  bool same = true;
  for (std::size_t rule = 1; rule < 4; ++rule) same = same && loss(rule, 0) == loss(0, 0);
  experiment.verdict("at the batch that the rate was chosen for, all rules are one, to the last bit",
                     same ? "the same loss" : "different losses", same);
  const double with = loss(3, many - 1), without = loss(2, many - 1);
  experiment.verdict(format("warm-up helps the linear rule at batch %g", batches.back()),
                     std::isnan(without) ? format("without it: diverged; with it: loss %.4g", with)
                                         : format("loss %.4g with it, %.4g without", with, without),
                     with < without || std::isnan(without), false);
  const bool grown = std::max(kept[2], kept[3]) > kept[0], all_end = std::ranges::max(kept) < batches.back();
  experiment.reading(
      (grown ? format("A rate that grows with the batch keeps an epoch worth an epoch up to batch %g (linear) and "
                      "%g (linear with warm-up); the square root keeps up to %g, and a fixed rate up to %g. ",
                      kept[2], kept[3], kept[1], kept[0])
             : format("That a rate that grows with the batch keeps an epoch worth an epoch for longer is not seen: the "
                      "loss stays within 15 %% up to batch %g by the linear rule, %g with warm-up, %g by the square "
                      "root, and %g at a fixed rate. ",
                      kept[2], kept[3], kept[1], kept[0])) +
      (!all_end                                ? "Where all of them end is not seen: the batches tried are too small."
       : loss(2, many - 1) < loss(0, many - 1) ? "Beyond, none of them does."
                                               : "No rule holds for ever: beyond, the rate would have to be larger "
                                                 "than the loss allows."));
  for (const auto& [file, y, label] : {std::tuple("rules_loss", "loss over the training set", "training loss"),
                                       {"rules_accuracy", "test accuracy", "test accuracy"}}) {
    experiment.plot({.file = file,
                     .title = format("After %zu epochs, by the rule for the learning rate", epochs),
                     .x = "batch_size",
                     .x_label = "batch size (samples)",
                     .y = y,
                     .y_label = label,
                     .y_log = std::string(file) == "rules_loss",
                     .series = {"rule"},
                     .where = {{"part", "rules"}}});
  }
  return true;
}

// --- A batch that grows in place of a rate that falls

constexpr const char* schedules[] = {"constant", "decay the rate", "grow the batch"};
constexpr std::size_t nine = 9;  // epochs; a change after 4 and after 7 of them
constexpr std::size_t factor = 4;

static mt::TrainerOptions schedule_options(const Task& task, std::size_t schedule, std::size_t seed) {
  const std::size_t steps = (task.train.size() + base_batch - 1) / base_batch;
  mt::TrainerOptions options{.epochs = nine, .batch_size = base_batch, .seed = seed};
  if (schedule == 1) options.schedule = mt::StepDecay{.at = {4 * steps, 7 * steps}, .factor_of_step = 1.0 / factor};
  if (schedule == 2) options.batch_growth = {.at = {4, 7}, .factor = factor};
  return options;
}

// Accuracy of another implementation on Fashion-MNIST with 784-128-10, the means of 3 seeds.
constexpr double reference[] = {0.8763, 0.8781, 0.8788};

static bool compare_schedules(examples::Experiment& experiment, const Task& task) {
  const mt::Grid grid({{"schedule", examples::numbered(3)}, {"seed", examples::numbered(experiment.seeds())}});
  const examples::EpochRuns runs(
      grid,
      examples::sweep_until_interrupt(
          grid, examples::epoch_metrics(nine),
          [&](const mt::Point& p) { return run(task, schedule_options(task, p.count("schedule"), p.count("seed"))); },
          experiment.sweep_options("schedules", examples::sweep_workers(task.device))),
      nine, experiment.seeds());
  if (!runs.complete()) return false;
  runs.add_to(experiment, [](std::size_t way) {
    return examples::Key{{"part", "schedules"}, {"schedule", schedules[way]}};
  });
  std::printf("%-16s %8s %30s %22s %12s\n", "nine epochs", "updates", "test accuracy", "training loss", "test loss");
  for (std::size_t way = 0; way < 3; ++way) {
    const auto [low, high] = runs.range(way, runs.last_accuracy());
    std::printf("%-16s %8.0f %12.4f (%.4f to %.4f) %22.4f %12.4f\n", schedules[way], runs.mean(way, "steps"),
                runs.mean(way, runs.last_accuracy()), low, high, runs.mean(way, "loss over the training set"),
                runs.mean(way, "test loss"));
    if (task.name != "Fashion-MNIST") continue;
    const double mean = runs.mean(way, runs.last_accuracy());
    experiment.verdict(format("%s: test accuracy on Fashion-MNIST as of another implementation, %.4f +- 0.006",
                              schedules[way], reference[way]),
                       format("%.4f", mean), std::abs(mean - reference[way]) < 0.006, !experiment.quick());
  }
  std::printf("\n");
  const auto epochs_of = [&](std::size_t batch) {
    return static_cast<double>((task.train.size() + batch - 1) / batch);
  };
  const double decayed = nine * epochs_of(base_batch);
  const double grown =
      4 * epochs_of(base_batch) + 3 * epochs_of(factor * base_batch) + 2 * epochs_of(factor * factor * base_batch);
  experiment.verdict(format("updates: %.0f by decay, %.0f by growth", decayed, grown),
                     format("%.0f and %.0f: %.0f %% fewer", runs.mean(1, "steps"), runs.mean(2, "steps"),
                            100 * (1 - runs.mean(2, "steps") / runs.mean(1, "steps"))),
                     runs.mean(1, "steps") == decayed && runs.mean(2, "steps") == grown);
  double worst = 0, constant = 0;
  for (std::size_t e = 1; e <= nine; ++e) {
    const std::string name = format("training loss of epoch %zu", e);
    const double apart = std::abs(runs.mean(2, name) / runs.mean(1, name) - 1);
    if (!std::isnan(worst) && !(apart <= worst)) worst = apart;  // NaN, where one diverged, stays
    constant = std::max(constant, std::abs(runs.mean(0, name) / runs.mean(1, name) - 1));
  }
  experiment.verdict(
      "growing the batch and decaying the rate: the same curve (training loss of every epoch within 4 %)",
      format("at most %.2f %% apart; with a constant rate and batch %.1f %%", 100 * worst, 100 * constant),
      worst < 0.04, experiment.usual_data());
  const double loss_ratio = runs.mean(2, "loss over the training set") / runs.mean(1, "loss over the training set");
  const double difference = runs.mean(2, runs.last_accuracy()) - runs.mean(1, runs.last_accuracy());
  experiment.verdict("they end at one place: loss over the training set within 3 %, test accuracy within 0.5 points",
                     format("times %.4f, %+.2f points", loss_ratio, 100 * difference),
                     std::abs(loss_ratio - 1) < 0.03 && std::abs(difference) < 0.005, experiment.usual_data());
  experiment.reading(
      format("Growing the batch by %zu twice leads to %s dividing the rate by %zu twice (%.1f %% apart at most), in "
             "%.0f updates in place of %.0f.",
             factor, worst < 0.04 ? "the same loss, epoch by epoch, as" : "another loss than", factor, 100 * worst,
             grown, decayed));
  for (const auto& [file, y, label] : {std::tuple("schedules_loss", "training loss by epoch", "training loss"),
                                       {"schedules_accuracy", "test accuracy by epoch", "test accuracy"}}) {
    experiment.plot({.file = file,
                     .title = "Decay the rate, or grow the batch",
                     .x = "epoch",
                     .x_label = "epoch",
                     .x_log = false,
                     .y = y,
                     .y_label = label,
                     .y_log = false,
                     .series = {"schedule"},
                     .where = {{"part", "schedules"}}});
  }
  return true;
}

int main(int argc, char** argv) try {
  examples::Experiment experiment(argc, argv,
                                  {.name = "13_learning_rate_rules",
                                   .question = "What to do with the learning rate when the batch grows?",
                                   .summary = "Rules for the learning rate by batch size; warm-up; a growing batch."});
  const bool quick = experiment.quick();
  const std::size_t epochs = experiment.arguments().number("--epochs", 5, "of a run that compares rules");
  if (experiment.help_shown()) return examples::ok;
  auto [name, data] = examples::classes_of(experiment.data(), {.train = 20'000, .test = 5'000});
  examples::want_samples(data.train, 4 * base_batch);
  if (quick) data.train = examples::some_of(data.train, 8'192, 1);
  const Task task{name, data.train, data.test, experiment.data().empty() ? 64u : 128u, experiment.device()};
  const std::size_t largest = std::min<std::size_t>(quick ? 1024 : 4096, data.train.size());
  std::vector<double> batches;
  for (std::size_t b = base_batch; b <= largest; b *= 2) batches.push_back(static_cast<double>(b));
  experiment.setting("model", format("%zu-%zu-%zu, ReLU, softmax cross-entropy", task.train.feature_columns(),
                                     task.hidden, task.train.classes()));
  experiment.setting("samples", format("%zu to train on, %zu to test", task.train.size(), task.test.size()));
  experiment.setting("optimizer",
                     format("SGD, momentum %g, learning rate %g for a batch of %zu", momentum, base_rate, base_batch));
  experiment.setting("epochs", std::to_string(epochs));
  if (compare_rules(experiment, task, batches, epochs)) compare_schedules(experiment, task);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}
