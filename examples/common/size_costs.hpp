#pragma once
// size_costs(): what a number of samples costs: times of loading, steps and epochs, memory, bytes that are moved.

#include <minitrain/data/csv.hpp>
#include <minitrain/data/read_all.hpp>
#include <minitrain/data/row_file.hpp>
#include <minitrain/data/synthetic.hpp>
#include <minitrain/experiment/statistics.hpp>
#include <minitrain/train/estimate.hpp>
#include <minitrain/trainer.hpp>

#include "answers.hpp"
#include "run_meter.hpp"
#include "samples.hpp"
#include "temporary_file.hpp"
#include "write_csv.hpp"

#include <chrono>
#include <limits>
#include <string>
#include <vector>

namespace examples {

/// "resident step_us" is the metric step_us of what is resident.
inline const std::vector<std::string> size_metrics{
    "resident step_us",     "resident epoch_s",         "resident fastest_epoch_s",
    "resident own_epoch_s", "resident planned_bytes",   "resident measured_bytes",
    "streamed step_us",     "streamed epoch_s",         "streamed fastest_epoch_s",
    "streamed own_epoch_s", "streamed planned_bytes",   "streamed measured_bytes",
    "CSV file loading_s",   "row file, read loading_s", "row file, opened loading_s",
    "sent_bytes",           "predicted_sent_bytes",     "file_bytes"};

/// The first N samples, in memory of their own; synthetic ones where there are no others.
inline minitrain::Dataset sized_data(const minitrain::Dataset& all, std::size_t samples) {
  if (all.empty()) return minitrain::synthetic_regression({.samples = samples, .features = 10, .seed = 1});
  return copy_of_first(all, samples);
}

/// 64 hidden units for numbers, 128 for classes.
inline minitrain::Mlp sized_model(const minitrain::Dataset& data) {
  return {.widths = {data.feature_columns(), data.is_classification() ? 128u : 64u, outputs_for(data)}};
}

namespace detail {

template <class F>
double seconds_of(const F& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// What training took. Seconds are those of an epoch: median, least, and median of own_seconds().
struct SizedRun {
  double seconds = 0, fastest = 0, own = 0;
  std::size_t steps = 0;  // of an epoch
  std::uint64_t bytes = 0, planned_bytes = 0;
  minitrain::Traffic traffic{}, predicted{};
};

// Two epochs to count bytes, then `epochs` to take the time.
template <class Device>
SizedRun train_sized(const Device& device, const minitrain::Dataset& data, std::size_t batch, std::size_t epochs) {
  const minitrain::Mlp model = sized_model(data);
  const minitrain::Adam adam{.learning_rate = 1e-3};
  return with_loss(data, [&](const auto& loss) {
    minitrain::TrainerOptions options{.epochs = 2, .batch_size = batch, .seed = 1};
    const minitrain::Estimate estimate =
        minitrain::estimate(size_of(data), model, loss, adam, options, device, minitrain::Probe{});
    const auto measured = [&](const Device& where) {
      RunMeter meter(where, options.epochs);
      minitrain::Trainer trainer{where, model, loss, adam, options};
      meter.fit(trainer, data);
      return meter;
    };
    const RunMeter counted = measured(of_its_own(device));
    options.epochs = epochs;
    const RunMeter timed = measured(device);
    const minitrain::Spread seconds = minitrain::spread(timed.seconds);
    return SizedRun{.seconds = seconds.median,
                    .fastest = seconds.low,
                    .own = minitrain::spread(timed.own).median,
                    .steps = timed.steps,
                    .bytes = counted.bytes,
                    .planned_bytes = estimate.memory.total(),
                    .traffic = counted.traffic,
                    .predicted = estimate.run};
  });
}

}  // namespace detail

/// What size_metrics names, at one number of samples. An epoch is timed so often that `all_samples` are seen.
template <class Device>
std::vector<double> size_costs(const Device& device, const minitrain::Dataset& all, std::size_t samples,
                               std::size_t batch, std::size_t all_samples) {
  const auto epochs = [&](std::size_t most) {
    return 1 + std::clamp(most / samples, std::size_t{3}, std::size_t{2000});
  };
  const std::uint64_t before = std::is_same_v<Device, minitrain::Cpu> ? allocated(device) : 0;
  minitrain::Dataset data = sized_data(all, samples);
  const std::uint64_t of_data = std::is_same_v<Device, minitrain::Cpu> ? allocated(device) - before : 0;
  const detail::SizedRun resident = detail::train_sized(device, data, batch, epochs(all_samples));

  const TemporaryFile rows, csv;
  minitrain::write_row_file(rows.path(), data);
  double csv_s = std::numeric_limits<double>::quiet_NaN();
  if (!data.is_classification()) {
    write_csv(csv.path(), data);
    csv_s = detail::seconds_of([&] { minitrain::load_csv(csv.path(), {.target = "y"}); });
  }
  data = minitrain::Dataset();
  const double read_s = detail::seconds_of([&] { minitrain::read_all(minitrain::open_row_file(rows.path())); });
  const double open_s = detail::seconds_of([&] { minitrain::open_row_file(rows.path()); });
  const minitrain::Dataset mapped = minitrain::open_row_file(rows.path());
  const detail::SizedRun streamed = detail::train_sized(device, mapped, batch, epochs(all_samples / 10));

  std::vector<double> values;
  for (const auto& [run, more] : {std::pair(&resident, of_data), std::pair(&streamed, std::uint64_t{0})}) {
    values.insert(values.end(),
                  {1e6 * run->seconds / static_cast<double>(run->steps), run->seconds, run->fastest, run->own,
                   static_cast<double>(run->planned_bytes), static_cast<double>(run->bytes + more)});
  }
  values.insert(values.end(), {csv_s, read_s, open_s});
  for (const std::uint64_t bytes :
       {resident.traffic.to_device_bytes, resident.predicted.to_device_bytes, mapped.bytes()}) {
    values.push_back(static_cast<double>(bytes));
  }
  return values;
}

}  // namespace examples
