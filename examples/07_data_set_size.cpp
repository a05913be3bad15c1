// How do the times of a step and of an epoch, of loading, the memory and the bytes that are moved vary with the number
// of samples? A step is expected to take the same time whatever their number, an epoch a time in proportion to it.
// What is measured is in common/size_costs.hpp.
#include <minitrain/experiment/fits.hpp>

#include <functional>
#include <numeric>

#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/medians.hpp"
#include "common/on_device.hpp"
#include "common/size_costs.hpp"

namespace mt = minitrain;
using examples::Experiment, examples::format;

namespace {

// "resident step_us" is the metric step_us of what is resident.
void add_rows(Experiment& experiment, const mt::Grid& grid, const mt::SweepResult& found) {
  for (std::size_t i = 0; i < grid.size(); ++i) {
    for (const std::string& metric : examples::size_metrics) {
      const std::size_t space = metric.rfind(' ');
      examples::Key key{{"samples", std::to_string(grid[i].count("samples"))},
                        {"repeat", std::to_string(grid[i].count("repeat"))}};
      if (space != std::string::npos) key.emplace_back("data", metric.substr(0, space));
      const double value = found.value(i, metric);
      if (!std::isnan(value)) experiment.add(key, metric.substr(space + 1), value);
    }
  }
}

// The medians of a metric, a value for each number of samples.
using Column = std::function<std::vector<double>(const std::string&)>;

void judge_times(Experiment& experiment, const std::vector<double>& n, const Column& column) {
  const std::vector<double> epoch = column("resident epoch_s"), step = column("resident step_us");
  const mt::LogLine slope = mt::fit_log_log(n, epoch), own = mt::fit_log_log(n, column("resident own_epoch_s")),
                    steps = mt::fit_log_log(n, step);
  const mt::StepTime line = mt::fit_step_time(n, epoch);
  std::vector<double> proportional;
  for (const double samples : n) proportional.push_back(samples / line.r);
  experiment.fit("epoch time ~ N^slope", "slope", slope.slope);
  experiment.fit("epoch time ~ N^slope", "R2", slope.r_squared);
  experiment.fit("epoch time = t0 + N/r", "t0", 1e6 * line.t0, examples::nan, examples::nan, "us");
  experiment.fit("epoch time = t0 + N/r", "r", line.r, examples::nan, examples::nan, "samples/s");
  experiment.fit("step time ~ N^slope", "slope", steps.slope);
  experiment.verdict("epoch time in proportion to N: log-log slope 1 +- 0.05", format("slope %.3f", slope.slope),
                     std::abs(slope.slope - 1) <= 0.05, false);
  experiment.verdict("time of an epoch without that of other programs: log-log slope 1 +- 0.25",
                     format("slope %.3f", own.slope), std::abs(own.slope - 1) <= 0.25);
  const double ratio = std::ranges::max(step) / std::ranges::min(step);
  experiment.verdict("step time flat in N: largest over smallest at most 1.25", format("%.3f", ratio), ratio <= 1.25,
                     false);
  experiment.reading(format("A step takes %.4g us on %.0f samples and %.4g us on %.0f. ", step.front(), n.front(),
                            step.back(), n.back()) +
                     (slope.r_squared > 0.95 ? format("The time of an epoch grows as N^%.3f.", slope.slope)
                                             : format("That the time of an epoch grows as a power of N is not seen "
                                                      "(R2 = %.2f).",
                                                      slope.r_squared)));
  experiment.plot({.file = "epoch_time",
                   .title = "Time of an epoch",
                   .x = "samples",
                   .x_label = "samples",
                   .y = "epoch_s",
                   .y_label = "epoch (s)",
                   .y_log = true,
                   .series = {"data"},
                   .theory = {{"in proportion to N", n, proportional}}});
  experiment.plot({.file = "step_time",
                   .title = "Time of a step",
                   .x = "samples",
                   .x_label = "samples",
                   .y = "step_us",
                   .y_label = "step (us)",
                   .series = {"data"}});
  experiment.plot({.file = "loading_time",
                   .title = "Time until the data is there",
                   .x = "samples",
                   .x_label = "samples",
                   .y = "loading_s",
                   .y_label = "loading (s)",
                   .y_log = true,
                   .series = {"data"}});
}

// Science, not the library: a GPU keeps the numbers of a sample, and its place in the order of an epoch.
std::uint64_t resident_bytes(const Experiment& experiment, std::uint64_t row_bytes) {
  return row_bytes + (examples::is_host(experiment.device()) ? 0 : sizeof(std::uint64_t));
}

void judge_bytes(Experiment& experiment, const std::vector<double>& n, const Column& column, std::uint64_t row_bytes) {
  const std::vector<double> planned = column("resident planned_bytes"), measured = column("resident measured_bytes"),
                            streamed = column("streamed measured_bytes"), bound = column("streamed planned_bytes");
  double worst = 0, worst_streamed = 0;
  for (std::size_t i = 0; i < n.size(); ++i) {
    worst = std::max(worst, std::abs(measured[i] - planned[i]) / (0.1 * planned[i] + (64 << 10)));
    worst_streamed = std::max(worst_streamed, (streamed[i] - (64 << 10)) / bound[i]);
  }
  const double each = (measured.back() - measured.front()) / (n.back() - n.front());
  experiment.fit("memory of resident data", "bytes a sample", each);
  experiment.verdict("memory is what plan() says, to 10 % and 64 KiB", format("at most %.3f of that off", worst),
                     worst < 1);
  const std::uint64_t expected = resident_bytes(experiment, row_bytes);
  experiment.verdict(format("it grows by the %llu bytes of a sample%s, to 2 %%",
                            static_cast<unsigned long long>(expected), expected > row_bytes ? " and its place" : ""),
                     format("%.3f bytes", each), std::abs(each / static_cast<double>(expected) - 1) < 0.02,
                     experiment.usual_data());
  experiment.verdict(
      "streamed, it stays within what was planned and 64 KiB, whatever N",
      format("at most %.3f of the plan, %.4g bytes at N = %.0f", worst_streamed, streamed.back(), n.back()),
      worst_streamed < 1.1);
  const std::vector<double> sent = column("sent_bytes"), predicted = column("predicted_sent_bytes");
  experiment.verdict("bytes sent to the device are those predicted",
                     format("%.0f and %.0f", sent.back(), predicted.back()), sent == predicted);
  experiment.plot({.file = "memory",
                   .title = "Memory of a run with its data",
                   .x = "samples",
                   .x_label = "samples",
                   .y = "measured_bytes",
                   .y_label = "memory (bytes)",
                   .y_log = true,
                   .series = {"data"},
                   .theory = {{"plan(), resident", n, planned}, {"plan(), streamed", n, bound}}});
}

void print_table(const std::vector<double>& n, const Column& column) {
  std::printf("\n%9s %10s %10s %12s %12s %12s %10s %10s %10s\n", "samples", "us/step", "streamed", "s/epoch",
              "streamed", "memory", "streamed", "CSV, s", "rows, s");
  const auto step = column("resident step_us"), streamed = column("streamed step_us"),
             epoch = column("resident epoch_s"), streamed_epoch = column("streamed epoch_s"),
             memory = column("resident measured_bytes"), streamed_memory = column("streamed measured_bytes"),
             csv = column("CSV file loading_s"), rows = column("row file, read loading_s");
  for (std::size_t i = 0; i < n.size(); ++i) {
    std::printf("%9.0f %10.2f %10.2f %12.6f %12.6f %12.0f %10.0f %10.4f %10.4f\n", n[i], step[i], streamed[i], epoch[i],
                streamed_epoch[i], memory[i], streamed_memory[i], csv[i], rows[i]);
  }
}

const char* default_sizes(const Experiment& experiment) {
  if (experiment.kind() == examples::DataKind::optdigits) return "400,1200,3823";
  if (!experiment.data().empty()) return "1000,10000,60000";
  return experiment.quick() ? "1000,10000,100000" : "1000,10000,100000,1000000";
}

}  // namespace

int main(int argc, char** argv) try {
  Experiment experiment(
      argc, argv,
      {.name = "07_data_set_size",
       .question = "How do times, memory and bytes vary with the number of samples?",
       .summary = "Times of steps, epochs and loading, memory and bytes, against the number of samples.",
       .threads = 1,
       .takes = examples::Takes::any});
  const bool real = !experiment.data().empty();
  std::vector<std::size_t> sizes =
      experiment.arguments().numbers("--samples", default_sizes(experiment), "to train on; at most all there are", 100);
  const std::size_t batch = experiment.arguments().number("--batch", 32, "samples of one step");
  if (experiment.help_shown()) return examples::ok;
  const mt::Dataset all = real ? examples::load_data(experiment.data()).parts.train : mt::Dataset();
  if (real) sizes = examples::at_most(sizes, all.size());
  const mt::Dataset few = examples::sized_data(all, 100);
  const std::vector<std::size_t> widths = examples::sized_model(few).widths;
  experiment.setting("model", format("%zu-%zu-%zu, ReLU, Adam", widths[0], widths[1], widths[2]));
  experiment.setting("samples", examples::listed(sizes));
  experiment.setting("batch", std::to_string(batch));
  experiment.setting("threads", std::to_string(experiment.threads()));

  std::vector<double> repeats(experiment.seeds());
  std::iota(repeats.begin(), repeats.end(), 0.0);
  const mt::Grid grid({{"repeat", repeats}, {"samples", {sizes.begin(), sizes.end()}}});
  // So many samples in all epochs at one N.
  const std::size_t all_samples = (few.is_classification() ? 300'000 : 6'000'000) / (experiment.quick() ? 10 : 1);
  const mt::SweepResult found = mt::run_sweep(
      grid, examples::size_metrics,
      [&](const mt::Point& p) {
        return examples::on_device(experiment.device(), experiment.threads(), [&](const auto& device) {
          return examples::size_costs(device, all, p.count("samples"), batch, all_samples);
        });
      },
      experiment.sweep_options("sizes", 1));
  if (!found.complete()) return experiment.finish();
  const std::vector<double> n(sizes.begin(), sizes.end());
  const Column column = [&](const std::string& metric) { return examples::medians(grid, found, metric, "samples", n); };
  add_rows(experiment, grid, found);
  print_table(n, column);
  if (sizes.size() > 1) {
    judge_times(experiment, n, column);
    judge_bytes(experiment, n, column, size_of(few).row_bytes());
  }
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}
