#pragma once
// micro_batch_costs(): what cutting batches into micro-batches costs, in memory and in time.

#include <minitrain/experiment/fits.hpp>
#include <minitrain/trainer.hpp>

#include <map>

#include "by_hand.hpp"
#include "experiment.hpp"
#include "format.hpp"
#include "on_device.hpp"
#include "run_meter.hpp"

namespace examples {

inline const std::vector<std::string> cost_metrics{"micro_batches", "planned_bytes", "measured_bytes", "step_us",
                                                   "fastest_step_us"};

namespace detail {

/// What cost_metrics names, of seven epochs with Adam. Bytes are without the data, which is never divided.
template <class Device>
std::vector<double> micro_batch_cost(const Device& device, const minitrain::Mlp& model, const minitrain::Dataset& data,
                                     std::size_t batch, std::size_t micro_batch) {
  const minitrain::TrainerOptions options{.epochs = 7, .batch_size = batch, .micro_batch_size = micro_batch};
  const minitrain::SoftmaxCrossEntropy loss;
  const minitrain::Adam adam;
  const minitrain::MemoryPlan plan = minitrain::plan(model, loss, adam, options, device, size_of(data));
  RunMeter meter(device, options.epochs);
  minitrain::Trainer trainer{device, model, loss, adam, options};
  meter.fit(trainer, data);
  const std::uint64_t of_data = std::is_same_v<Device, minitrain::Cpu> ? 0 : plan.data_set;
  for (double& seconds : meter.seconds) seconds *= 1e6 / static_cast<double>(meter.steps);
  const minitrain::Spread step = minitrain::spread(meter.seconds);
  return {static_cast<double>(plan.accumulations()), static_cast<double>(plan.total() - plan.data_set),
          static_cast<double>(meter.bytes - of_data), step.median, step.low};
}

/// {batch, micro-batch, repeat}: the batch and one of 16 times its size, halved down to a sample or 128 pieces.
inline minitrain::Grid cost_points(std::size_t batch, std::size_t samples, std::size_t repeats) {
  std::vector<std::vector<double>> points;
  for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
    for (const std::size_t all : {batch, 16 * batch}) {
      if (all > samples) continue;
      for (std::size_t rows = all; rows > 0 && all / rows <= 128; rows /= 2) {
        points.push_back({static_cast<double>(all), static_cast<double>(rows), static_cast<double>(repeat)});
      }
    }
  }
  return {{"batch_size", "micro_batch", "repeat"}, points};
}

/// Prints a table, and judges the bytes in it.
inline void judge_memory(Experiment& experiment, const minitrain::Grid& grid, const minitrain::SweepResult& found) {
  double worst = 1;
  bool falls = true;
  std::printf("\n%10s %10s %16s %16s %12s\n", "batch", "", "planned bytes", "measured bytes", "us/step");
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::size_t batch = grid[i].count("batch_size"), repeat = grid[i].count("repeat");
    const double planned = found.value(i, "planned_bytes"), measured = found.value(i, "measured_bytes");
    worst = std::max({worst, planned / measured, measured / planned});
    const bool same_batch = i > 0 && batch == grid[i - 1].count("batch_size") && repeat == grid[i - 1].count("repeat");
    falls = falls && (!same_batch || (planned < found.value(i - 1, "planned_bytes") &&
                                      measured < found.value(i - 1, "measured_bytes")));
    if (repeat != 0) continue;
    std::printf("%10zu %10s %16.0f %16.0f %12.1f\n", batch, split_name(batch, grid[i].count("micro_batch")).c_str(),
                planned, measured, found.value(i, "step_us"));
  }
  experiment.verdict("memory falls with the micro-batch, and is what plan() says to 10 %",
                     format("%s; planned and measured differ by a factor of %.4f at most",
                            falls ? "falls" : "does not always fall", worst),
                     falls && worst < 1.1, experiment.usual_data());
  experiment.plot({.file = "memory",
                   .title = "Memory of a run, without the data set, against the micro-batch",
                   .x = "micro_batch",
                   .x_label = "micro-batch (samples)",
                   .y = "measured_bytes",
                   .y_label = "memory (bytes)",
                   .series = {"batch_size"}});
}

/// A line through the step times over the number of micro-batches: what the samples and the update cost, and what each
/// micro-batch costs beside its samples.
inline void judge_times(Experiment& experiment, const minitrain::Grid& grid, const minitrain::SweepResult& found) {
  std::map<std::size_t, std::pair<std::vector<double>, std::vector<double>>> lines;
  double slowest = 0, fastest = 1e30;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::size_t batch = grid[i].count("batch_size");
    lines[batch].first.push_back(found.value(i, "micro_batches"));
    lines[batch].second.push_back(1e-6 * found.value(i, "step_us"));
    if (batch != grid[0].count("batch_size")) continue;
    const double us = found.value(i, "fastest_step_us");
    if (grid[i].count("micro_batch") == 1) slowest = std::max(slowest, us);
    if (grid[i].count("micro_batch") == batch) fastest = std::min(fastest, us);
  }
  for (const auto& [batch, line] : lines) {
    const minitrain::StepTime fit = minitrain::fit_step_time(line.first, line.second);
    const std::string what = "step time of batches of " + std::to_string(batch);
    experiment.fit(what, "samples and update", 1e6 * fit.t0, nan, nan, "us");
    experiment.fit(what, "each micro-batch", 1e6 / fit.r, nan, nan, "us");
    experiment.fit(what, "R2", fit.r_squared);
    experiment.reading(fit.r_squared > 0.9 && fit.t0 > 0 && fit.r > 0
                           ? format("A batch of %zu takes %.4g us for its samples and its update, and %.3g us for each "
                                    "micro-batch that it is cut into: %.0f of them would double its time.",
                                    batch, 1e6 * fit.t0, 1e6 / fit.r, fit.t0 * fit.r)
                           : format("Of a batch of %zu the time does not grow in proportion to the micro-batches that "
                                    "it is cut into (R2 = %.2f): what each of them costs is not seen.",
                                    batch, fit.r_squared));
  }
  experiment.verdict("micro-batches of one sample take longer than the undivided batch",
                     format("%.0f us against %.0f us a step, by the fastest of a round", slowest, fastest),
                     slowest > fastest);
  experiment.plot({.file = "step_time",
                   .title = "Time of an optimizer step against the micro-batch",
                   .x = "micro_batch",
                   .x_label = "micro-batch (samples)",
                   .y = "step_us",
                   .y_label = "step (us)",
                   .y_log = true,
                   .series = {"batch_size"}});
}

}  // namespace detail

/// Of batches of that size, and of 16 times that size where there are as many samples. Nothing after Ctrl-C.
inline void micro_batch_costs(Experiment& experiment, const minitrain::Mlp& model, const minitrain::Dataset& data,
                              std::size_t batch) {
  const minitrain::Grid grid = detail::cost_points(batch, data.size(), experiment.seeds());
  const minitrain::SweepResult found = minitrain::run_sweep(
      grid, cost_metrics,
      [&](const minitrain::Point& p) {
        return on_device(experiment.device(), experiment.threads(), [&](const auto& device) {
          return detail::micro_batch_cost(device, model, data, p.count("batch_size"), p.count("micro_batch"));
        });
      },
      experiment.sweep_options("cost", 1));
  if (!found.complete()) return;
  experiment.add(grid, found);
  detail::judge_memory(experiment, grid, found);
  detail::judge_times(experiment, grid, found);
}

}  // namespace examples
