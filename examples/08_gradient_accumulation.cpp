// A batch that does not fit into memory is made of micro-batches. What does that cost, does it change the result, and
// what do the classic mistakes do to it? The mistakes are made by hand, in common/by_hand.hpp; costs are measured in
// common/micro_batch_costs.hpp.
#include <minitrain/trainer.hpp>

#include "common/by_hand.hpp"
#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/micro_batch_costs.hpp"
#include "common/on_device.hpp"
#include "common/samples.hpp"

namespace mt = minitrain;
using examples::Experiment, examples::format, examples::Scenario, examples::split_name, examples::Way;

namespace {

const std::vector<std::string> optimizers{"SGD", "SGD with momentum", "Adam"};

// f(optimizer), by its number.
template <class F>
auto with_optimizer(std::size_t number, const F& f) {
  if (number == 0) return f(mt::SGD{.learning_rate = 0.1});
  if (number == 1) return f(mt::SGD{.learning_rate = 0.02, .momentum = 0.9});
  return f(mt::Adam{.learning_rate = 1e-3});
}

mt::Mlp model_for(const mt::Dataset& data) {
  return {.widths = {data.feature_columns(), 128, data.classes()}, .init = mt::Init::he_normal};
}

// Part 1: whether a run in micro-batches ends with the parameters of the undivided one.
const std::vector<std::string> bit_metrics{"different parameters", "largest difference", "relative difference"};

template <class Device>
std::vector<double> compare_bits(const Device& device, const mt::Dataset& data, std::size_t batch,
                                 std::size_t micro_batch, std::size_t optimizer, std::size_t seed) {
  const auto train = [&](std::size_t rows) {
    return with_optimizer(optimizer, [&](const auto& chosen) {
      mt::Trainer trainer{device,
                          model_for(data),
                          mt::SoftmaxCrossEntropy{},
                          chosen,
                          {.epochs = 2, .batch_size = batch, .micro_batch_size = rows, .seed = seed}};
      trainer.fit(data);
      return trainer.parameters();
    });
  };
  const examples::Distance d = examples::distance(train(micro_batch), train(batch));
  return {static_cast<double>(d.different), d.largest, d.relative_l2};
}

void same_bits(Experiment& experiment, const mt::Dataset& data, std::size_t batch) {
  std::vector<double> splits;
  std::size_t granule = 1;
  mt::with_device(experiment.device(), [&](const auto& device) { granule = split_granule(device); });
  for (const std::size_t rows : {batch / 2, batch / 4, batch / 16, std::size_t{1}, batch * 25 / 32, batch - 1}) {
    if (rows % granule == 0 && rows > 0) splits.push_back(static_cast<double>(rows));
  }
  std::vector<double> seeds;
  for (std::size_t seed = 0; seed < experiment.seeds(); ++seed) seeds.push_back(static_cast<double>(seed));
  const mt::Grid grid({{"optimizer", {0, 1, 2}}, {"micro_batch", splits}, {"seed", seeds}});
  const mt::SweepResult found = mt::run_sweep(
      grid, bit_metrics,
      [&](const mt::Point& p) {
        return examples::on_one_thread(experiment.device(), [&](const auto& device) {
          return compare_bits(device, data, batch, p.count("micro_batch"), p.count("optimizer"), p.count("seed"));
        });
      },
      experiment.sweep_options("bits", examples::is_host(experiment.device()) ? 0 : 1));
  if (!found.complete()) return;
  std::printf("\nParameters that differ from those of 1 x %zu after 2 epochs of %zu samples:\n", batch, data.size());
  double different = 0;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::string split = split_name(batch, grid[i].count("micro_batch"));
    for (const std::string& metric : bit_metrics) {
      experiment.add({{"optimizer", optimizers[grid[i].count("optimizer")]},
                      {"split", split},
                      {"seed", std::to_string(grid[i].count("seed"))}},
                     metric, found.value(i, metric));
    }
    different += found.value(i, bit_metrics[0]);
    if (grid[i].count("seed") == 0) {
      std::printf("  %-18s %-10s %6.0f\n", optimizers[grid[i].count("optimizer")].c_str(), split.c_str(),
                  found.value(i, bit_metrics[0]));
    }
  }
  experiment.verdict("however a batch is cut, the parameters are the same bits",
                     format("%.0f parameters differ in %zu runs", different, grid.size()), different == 0);
}

// Part 2: ways to put a gradient together, right and wrong, against the library's.
// Uneven ones as in the published bug; the others even, for there the mistake is another one.
constexpr Scenario scenarios[] = {
    {Way::sums, 256, 100, 2560, false},         {Way::partial_sums, 256, 64, 2560, false},
    {Way::mean_of_means, 256, 64, 2560, false}, {Way::mean_of_means, 128, 100, 2560, true},
    {Way::mean_of_means, 256, 100, 2560, true}, {Way::mean_of_means, 256, 250, 2560, true},
    {Way::reset_inside, 256, 64, 2560, true},   {Way::full_window, 256, 64, 1088, true}};
constexpr std::size_t marks[] = {1, 2, 5, 10, 20, 50, 100};

// How far the parameters are from the library's after each of `marks` steps, relative L2 and largest; then the loss on
// other data of both.
std::vector<double> distances(const mt::Split& data, const Scenario& s, std::size_t optimizer, std::uint64_t seed) {
  return with_optimizer(optimizer, [&](const auto& chosen) {
    const mt::Mlp model = model_for(data.train);
    const mt::Cpu device{{.threads = 1}};
    mt::Trainer trainer{device, model, mt::SoftmaxCrossEntropy{}, chosen, {.batch_size = s.batch, .seed = seed}};
    examples::ByHand hand(model, chosen, seed, s.batch);
    mt::DataLoader<> loader(data.train, {.batch_size = s.batch, .shuffle = true, .seed = seed}, device);
    std::vector<double> values;
    for (std::size_t step = 1, epoch = 0, at = 0; step <= std::ranges::max(marks); ++step) {
      const mt::Batch<>& batch = loader.next(device, epoch, at, std::min(s.batch, s.samples - at));
      at += batch.size();
      if (at == s.samples) ++epoch, at = 0;
      trainer.accumulate(batch);
      trainer.update();
      hand.step(s.way, batch, s.micro_batch, s.batch);
      if (std::ranges::find(marks, step) == std::end(marks)) continue;
      const examples::Distance d = examples::distance(hand.parameters(), trainer.parameters());
      values.insert(values.end(), {d.relative_l2, d.largest});
    }
    values.insert(values.end(), {hand.loss(data.test), trainer.evaluate(data.test).loss});
    return values;
  });
}

void mistakes(Experiment& experiment, const mt::Split& data) {
  std::vector<double> numbers, seeds;
  for (std::size_t i = 0; i < std::size(scenarios); ++i) numbers.push_back(static_cast<double>(i));
  for (std::size_t seed = 0; seed < experiment.seeds(); ++seed) seeds.push_back(static_cast<double>(seed));
  std::vector<std::string> metrics;
  for (const std::size_t mark : marks) {
    for (const char* what : {"relative difference ", "largest difference "})
      metrics.push_back(what + std::to_string(mark));
  }
  metrics.insert(metrics.end(), {"test loss", "test loss, library"});
  const mt::Grid grid({{"scenario", numbers}, {"optimizer", {0, 1, 2}}, {"seed", seeds}});
  const mt::SweepResult found = mt::run_sweep(
      grid, metrics,
      [&](const mt::Point& p) {
        return distances(data, scenarios[p.count("scenario")], p.count("optimizer"), p.count("seed"));
      },
      experiment.sweep_options("mistakes"));
  if (!found.complete()) return;
  std::printf("\n%-56s %-18s %12s %12s %12s %10s\n", "distance from the library's parameters", "", "L2, step 1",
              "L2, step 100", "max, 100", "test loss");
  double right = 0, least_wrong = 1e9, even = 0, partial = 0;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const Scenario& s = scenarios[grid[i].count("scenario")];
    const std::string optimizer = optimizers[grid[i].count("optimizer")];
    const examples::Key key{
        {"way", s.name()}, {"optimizer", optimizer}, {"seed", std::to_string(grid[i].count("seed"))}};
    for (std::size_t m = 0; m < std::size(marks); ++m) {
      examples::Key at = key;
      at.emplace_back("step", std::to_string(marks[m]));
      experiment.add(at, "relative difference by hand", found.rows[i][2 * m]);
      experiment.add(at, "largest difference by hand", found.rows[i][2 * m + 1]);
    }
    experiment.add(key, "test loss", found.value(i, "test loss"));
    experiment.add(key, "test loss, library", found.value(i, "test loss, library"));
    const double first = found.rows[i][0], last = found.value(i, "relative difference 100");
    if (s.way == Way::sums) right = std::max(right, last);
    if (s.wrong) least_wrong = std::min(least_wrong, last);
    if (!s.wrong && s.way == Way::mean_of_means && grid[i].count("optimizer") == 0) even = std::max(even, first);
    if (s.way == Way::partial_sums && grid[i].count("optimizer") == 0) partial = std::max(partial, first);
    if (grid[i].count("seed") != 0) continue;
    std::printf("%-56s %-18s %12.2g %12.2g %12.2g %4.3f/%5.3f\n", s.name().c_str(), optimizer.c_str(), first, last,
                found.value(i, "largest difference 100"), found.value(i, "test loss"),
                found.value(i, "test loss, library"));
  }
  experiment.verdict("sums and counts by hand are the library's bits", format("relative difference %.2g", right),
                     right == 0);
  experiment.verdict("partial sums, and means of equal parts, are right to rounding (SGD, first step: < 1e-6)",
                     format("%.2g and %.2g", partial, even), partial < 1e-6 && even < 1e-6);
  experiment.verdict("each mistake moves the parameters by more than 1e-3 in 100 steps, whatever the optimizer",
                     format("the least: %.2g", least_wrong), least_wrong > 1e-3);
  for (const std::string& optimizer : optimizers) {
    experiment.plot({.file = "mistakes_" + optimizer.substr(optimizer.rfind(' ') + 1),
                     .title = "Distance from the library's parameters, " + optimizer,
                     .x = "step",
                     .x_label = "optimizer steps",
                     .y = "relative difference by hand",
                     .y_label = "relative L2 difference",
                     .y_log = true,
                     .series = {"way"},
                     .where = {{"optimizer", optimizer}}});
  }
}

mt::Split data_of(const Experiment& experiment) {
  using examples::samples_from;
  constexpr std::size_t samples = 10'240, others = 2'048;
  if (experiment.data().empty()) {
    const mt::Dataset all =
        mt::synthetic_classification({.samples = samples + others, .features = 784, .classes = 10, .seed = 1});
    return {samples_from(all, 0, samples), samples_from(all, samples, others)};
  }
  const mt::Split real = examples::load_data(experiment.data()).parts;
  examples::want_samples(real.train, std::ranges::max(scenarios, {}, &Scenario::samples).samples);
  return {samples_from(real.train, 0, samples), samples_from(real.test, 0, others)};
}

}  // namespace

int main(int argc, char** argv) try {
  Experiment experiment(argc, argv,
                        {.name = "08_gradient_accumulation",
                         .question = "What do micro-batches cost, do they change the result, and what do the classic "
                                     "mistakes of gradient accumulation do to it?",
                         .summary = "Gradient accumulation: bits, memory, time, and three mistakes."});
  const std::size_t batch = experiment.arguments().number("--batch", 128, "samples of a step, for bits and costs", 32);
  if (experiment.help_shown()) return examples::ok;
  const mt::Split data = data_of(experiment);
  experiment.setting("model", mt::joined({data.train.feature_columns(), "-128-", data.train.classes(), ", ReLU"}));
  experiment.setting("batch", std::to_string(batch));
  experiment.setting("threads of timed runs", std::to_string(experiment.threads()));
  same_bits(experiment, examples::samples_from(data.train, 0, experiment.quick() ? 1'000 : 5'000), batch);
  if (!examples::was_interrupted()) mistakes(experiment, data);
  if (!examples::was_interrupted())
    examples::micro_batch_costs(experiment, model_for(data.train),
                                examples::samples_from(data.train, 0, experiment.quick() ? 2'048 : 8'192), batch);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}
