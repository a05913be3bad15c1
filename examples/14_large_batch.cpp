// Why do networks trained with large batches do worse on new data? One network, a small batch and one of a tenth of all
// samples: as many epochs, then as many updates. How sharp the minima are, how far from the beginning they lie.
#include <minitrain/experiment/fits.hpp>
#include <minitrain/trainer.hpp>

#include "common/classes.hpp"
#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/interruptible_sweep.hpp"
#include "common/on_device.hpp"
#include "common/sharpness.hpp"

namespace mt = minitrain;
using examples::format;

constexpr double base_rate = 0.01, momentum = 0.9;
constexpr std::size_t marks = 10;  // looks at the test set on the way

// How to train with a large batch. `ratio` is that of the batches.
struct Way {
  const char* name;
  bool large, same_updates, sqrt_rate;
};
// The longest first, so that no worker is left with it at the end.
constexpr Way ways[] = {{"large, same updates, rate x sqrt", true, true, true},
                        {"large, same updates", true, true, false},
                        {"small", false, false, false},
                        {"large, rate x sqrt", true, false, true},
                        {"large", true, false, false}};
constexpr std::size_t adapted = 0, small_batch = 2, large_batch = 4, way_count = 5;

struct Task {
  mt::Dataset train, test;
  std::size_t small = 0, large = 0, epochs = 0, width = 100;
  std::string device;

  mt::TrainerOptions options(const Way& way, std::uint64_t seed) const {
    mt::TrainerOptions o{.epochs = epochs, .batch_size = way.large ? large : small, .seed = seed};
    if (way.same_updates) o.epochs *= large / small;
    if (way.sqrt_rate) o.rate_scaling = {mt::RateRule::sqrt, small};
    return o;
  }
  // F1 of Keskar et al. is 784-[512 x 5]-10 with batch norm; this one is smaller, with layer norm, so that what it does
  // to a sample does not depend on the others of the batch.
  auto model() const {
    const mt::LayerNorm norm{.columns = width};
    return mt::Sequential{mt::Dense{train.feature_columns(), width},
                          norm,
                          mt::ReLU{},  //
                          mt::Dense{width, width},
                          norm,
                          mt::ReLU{},  //
                          mt::Dense{width, width},
                          norm,
                          mt::ReLU{},  //
                          mt::Dense{width, train.classes()}};
  }
};

static double distance(const mt::Tensor<float>& a, const mt::Tensor<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

static const std::vector<std::string> metrics{
    "test accuracy",     "test loss",           "training accuracy",    "training loss",
    "updates",           "distance from start", "sharpness, box 0.001", "sharpness, box 0.0005",
    "subspace sharpness"};

static std::vector<std::string> all_metrics() {
  std::vector<std::string> names = metrics;
  for (std::size_t k = 1; k <= marks; ++k) names.push_back(format("test accuracy %zu/%zu", k, marks));
  return names;
}

// What all_metrics() names.
static std::vector<double> run(const Task& task, const Way& way, std::uint64_t seed) {
  const mt::TrainerOptions options = task.options(way, seed);
  const auto model = task.model();
  std::vector<double> values, on_the_way;
  const auto parameters = examples::on_one_thread(task.device, [&](const auto& device) {
    mt::Trainer trainer{device, model, mt::SoftmaxCrossEntropy{},
                        mt::SGD{.learning_rate = base_rate, .momentum = momentum}, options};
    const mt::Tensor<float> start = trainer.parameters();
    const auto at_epoch = [&](const mt::EpochRecord& e) {
      if (examples::was_interrupted()) throw examples::Interrupted();
      if ((e.epoch + 1) * marks >= (on_the_way.size() + 1) * options.epochs) {
        on_the_way.push_back(trainer.evaluate(task.test).accuracy);
      }
    };
    trainer.fit(task.train, {.on_epoch = at_epoch});
    const mt::Evaluation test = trainer.evaluate(task.test), train = trainer.evaluate(task.train);
    mt::Tensor<float> end = trainer.parameters();
    values = {test.accuracy,       test.loss, train.accuracy, train.loss, static_cast<double>(trainer.steps()),
              distance(end, start)};
    return end;
  });
  examples::Neighbourhood where{.centre = {parameters.begin(), parameters.end()}, .seed = seed};
  for (const double epsilon : {1e-3, 5e-4}) {
    where.epsilon = epsilon;
    values.push_back(examples::sharpness(task.train, model, where));
  }
  where.epsilon = 1e-3;
  where.directions = 100;
  values.push_back(examples::sharpness(task.train, model, where));
  values.insert(values.end(), on_the_way.begin(), on_the_way.end());
  return values;
}

// Of one metric: a value for every seed of a way.
class Found {
 public:
  Found(const mt::SweepResult& result, std::size_t seeds) : result_(result), seeds_(seeds) {}
  std::vector<double> values(std::size_t way, const std::string& metric) const {
    std::vector<double> all;
    for (std::size_t s = 0; s < seeds_; ++s) all.push_back(result_.value(way * seeds_ + s, metric));
    return all;
  }
  double mean(std::size_t way, const std::string& metric) const { return mt::mean_of(values(way, metric)).mean; }
  // Sharpness differs by orders of magnitude between seeds: the middle of them.
  double median(std::size_t way, const std::string& metric) const { return mt::spread(values(way, metric)).median; }

 private:
  const mt::SweepResult& result_;
  std::size_t seeds_;
};

static void add_rows(examples::Experiment& experiment, const Found& found) {
  for (std::size_t way = 0; way < way_count; ++way) {
    for (std::size_t s = 0; s < experiment.seeds(); ++s) {
      examples::Key key{{"way", ways[way].name}, {"seed", std::to_string(s)}};
      for (const std::string& metric : metrics) experiment.add(key, metric, found.values(way, metric)[s]);
      key.emplace_back("updates", "");
      const double updates = found.values(way, "updates")[s];
      for (std::size_t k = 1; k <= marks; ++k) {
        key.back().second = format("%.0f", updates * static_cast<double>(k) / static_cast<double>(marks));
        experiment.add(key, "test accuracy on the way",
                       found.values(way, format("test accuracy %zu/%zu", k, marks))[s]);
      }
    }
  }
}

static void show(const Found& found) {
  std::printf("%-34s %8s %26s %10s %9s %10s %10s %10s\n", "", "updates", "test accuracy", "training", "distance",
              "sharpness", "eps 5e-4", "subspace");
  for (const std::size_t way : {small_batch, large_batch, std::size_t{3}, std::size_t{1}, adapted}) {
    const mt::Spread accuracy = mt::spread(found.values(way, "test accuracy"));
    const std::string range =
        format("%.4f (%.4f to %.4f)", found.mean(way, "test accuracy"), accuracy.low, accuracy.high);
    std::printf("%-34s %8.0f %26s %10.4f %9.2f %10.3g %10.3g %10.3g\n", ways[way].name, found.mean(way, "updates"),
                range.c_str(), found.mean(way, "training accuracy"), found.mean(way, "distance from start"),
                found.median(way, metrics[6]), found.median(way, metrics[7]), found.median(way, metrics[8]));
  }
  std::printf("\n");
}

static void judge(examples::Experiment& experiment, const Task& task, const Found& found) {
  const auto accuracy = [&](std::size_t way) { return 100 * found.mean(way, "test accuracy"); };
  const double gap = accuracy(small_batch) - accuracy(large_batch), left = accuracy(small_batch) - accuracy(adapted);
  experiment.fit("test accuracy, small less large batch, as many epochs", "gap", gap, examples::nan, examples::nan,
                 "points");
  experiment.fit("test accuracy, small less large batch, as many updates, rate x sqrt", "gap", left, examples::nan,
                 examples::nan, "points");
  experiment.verdict("as many epochs: the large batch does worse on new data", format("by %.2f points", gap), gap > 0,
                     experiment.usual_data());
  experiment.verdict("as many updates, and the rate x sqrt: less than half of the gap is left",
                     format("%.2f of %.2f points", left, gap), left < gap / 2,
                     !experiment.quick() && experiment.usual_data());
  bool sharper = true;
  std::string ratios;
  for (std::size_t k = 6; k < 9; ++k) {
    const double ratio = found.median(large_batch, metrics[k]) / found.median(small_batch, metrics[k]);
    experiment.fit("large / small batch, as many epochs: " + metrics[k], "ratio", ratio);
    ratios += format("%s%.3g", k == 6 ? "" : ", ", ratio);
    sharper = sharper && ratio > 3;
  }
  experiment.verdict(
      "as many epochs: the large batch ends where it is more than 3 times as sharp (box of 1e-3, of 5e-4, "
      "100 random directions)",
      "times " + ratios, sharper, experiment.usual_data());
  const double further =
      found.mean(small_batch, "distance from start") / found.mean(large_batch, "distance from start");
  experiment.fit("small / large batch, as many epochs: distance from the beginning", "ratio", further);
  experiment.verdict("as many epochs: the small batch gets further from where it began", format("times %.2f", further),
                     further > 1.5, experiment.usual_data());
  const auto per_epoch = [&](std::size_t batch) {
    return static_cast<double>((task.train.size() + batch - 1) / batch);
  };
  const double updates = static_cast<double>(task.epochs) * per_epoch(task.small);
  experiment.verdict(format("the adapted regime has the %.0f updates of the small batch", updates),
                     format("%.0f", found.mean(adapted, "updates")),
                     found.mean(adapted, "updates") == updates && found.mean(small_batch, "updates") == updates);
  const double sharp = found.median(large_batch, metrics[6]) / found.median(small_batch, metrics[6]),
               still_sharp = found.median(adapted, metrics[6]) / found.median(small_batch, metrics[6]);
  const char* const lacked = gap <= 0         ? "it lacked nothing"
                             : left < gap / 2 ? "what it lacked were updates"
                                              : "updates are not all that it lacked";
  // Whether it is sharp just where it does worse: at as many epochs, and at as many updates.
  const bool along = (gap > 0) == (sharp > 3) && (gap > 0 && left >= gap / 2) == (still_sharp > 3);
  experiment.reading(
      format("After as many epochs the large batch is %.2f points %s, %.2f times %s where it began, and its "
             "minimum is %.3g times as sharp. With as many updates, and the rate times the root of the ratio, %.2f "
             "points are left: %s. Its minimum is then %.3g times as sharp as that of the small batch: sharpness %s.",
             std::abs(gap), gap < 0 ? "ahead" : "behind", further < 1 ? 1 / further : further,
             further < 1 ? "as far from" : "nearer to", sharp, left, lacked, still_sharp,
             along ? "goes along with it" : "by itself does not tell how well a network does on new data"));
}

static void draw(examples::Experiment& experiment) {
  experiment.plot({.file = "accuracy_by_updates",
                   .title = "Test accuracy by the number of updates",
                   .x = "updates",
                   .x_label = "optimizer steps",
                   .y = "test accuracy on the way",
                   .y_label = "test accuracy",
                   .series = {"way"},
                   .spread = "stderr"});
}

int main(int argc, char** argv) try {
  examples::Experiment experiment(
      argc, argv,
      {.name = "14_large_batch",
       .question = "Why do networks trained with large batches do worse on new data?",
       .summary = "Small and large batches at as many epochs and as many updates: accuracy, sharpness, distance.",
       .seeds = 3,
       .quick_seeds = 2});
  const bool quick = experiment.quick();
  const std::size_t most =
      experiment.arguments().number("--samples", quick ? 3'000 : 10'000, "to train on; at most all there are", 100);
  const std::size_t epochs = experiment.arguments().number("--epochs", quick ? 20 : 30, "of the small batch");
  const std::size_t ratio = experiment.arguments().number("--ratio", 20, "of the large batch to the small one");
  if (experiment.help_shown()) return examples::ok;
  const mt::Split data =
      examples::classes_of(experiment.data(), {.train = most, .test = 5'000, .features = 30, .classes = 3, .hidden = 8})
          .parts;
  // Whole large batches: short ones would be more updates than the small batch has.
  std::size_t samples = std::min(most, data.train.size());
  if (samples > 10 * ratio) samples -= samples % (10 * ratio);
  const std::size_t small = std::max<std::size_t>(samples / 10 / ratio, 1);
  const Task task{
      examples::some_of(data.train, samples, 1), data.test, small, small * ratio, epochs, 100, experiment.device()};
  experiment.setting("model", format("%zu-[%zu LayerNorm ReLU x 3]-%zu, softmax cross-entropy",
                                     task.train.feature_columns(), task.width, task.train.classes()));
  experiment.setting("samples", format("%zu to train on, %zu to test", task.train.size(), task.test.size()));
  experiment.setting("optimizer", format("SGD, momentum %g, learning rate %g", momentum, base_rate));
  experiment.setting("batches", format("%zu, and %zu, a tenth of the samples", task.small, task.large));
  experiment.setting("epochs", format("%zu, and %zu for as many updates", epochs, epochs * ratio));
  experiment.setting("sharpness",
                     "of Keskar et al., by 10 steps of projected ascent along the gradient's signs, on the CPU");

  std::vector<double> way_axis, seeds;
  for (std::size_t i = 0; i < way_count; ++i) way_axis.push_back(static_cast<double>(i));
  for (std::size_t i = 0; i < experiment.seeds(); ++i) seeds.push_back(static_cast<double>(i));
  const mt::Grid grid({{"way", way_axis}, {"seed", seeds}});
  const auto result = examples::sweep_until_interrupt(
      grid, all_metrics(), [&](const mt::Point& p) { return run(task, ways[p.count("way")], p.count("seed")); },
      experiment.sweep_options("runs", examples::sweep_workers(task.device)));
  if (!result.complete()) return experiment.finish();
  const Found found(result, experiment.seeds());
  show(found);
  add_rows(experiment, found);
  judge(experiment, task, found);
  draw(experiment);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}
