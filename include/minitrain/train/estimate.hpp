#pragma once
// estimate(): the bytes, memory and seconds of a run, before it.

#include <minitrain/train/plan.hpp>
#include <minitrain/train/probe.hpp>

#include <cstdio>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Seconds of an epoch whose steps take `computing` on so many threads, while `readers` threads read what takes one of
/// them `reading`: the longest of computing, of reading, and of all the work shared out among the cores; without
/// readers one after the other.
inline double overlapped(double computing, std::size_t threads, double reading, std::size_t readers,
                         std::size_t cores) {
  if (readers == 0) return computing + reading;
  const double work = computing * static_cast<double>(threads) + reading;
  return std::max({computing, reading / static_cast<double>(readers), work / static_cast<double>(cores)});
}

}  // namespace detail

/// What fit() on such data will take, evaluation and callbacks aside. Bytes are exact where PredictedTraffic says so,
/// and memory is; seconds are those of a probe, carried over by the number of samples.
struct Estimate {
  MemoryPlan memory{};
  Probe probe{};
  Traffic once{}, epoch{}, run{};  // moved before the first step; in a later epoch than the first; by all of a fit()
  std::size_t epochs = 0;
  std::uint64_t samples = 0;     // of an epoch
  std::uint64_t steps = 0;       // of an epoch
  double seconds_once = 0;       // the data set on its way to the device, read first where it is not in memory
  double seconds_per_step = 0;   // of batch_size samples
  std::size_t readers = 0;       // threads that read samples ahead, at most; 0: none, or nothing is read
  double reading_seconds = 0;    // of one thread to read the samples of an epoch, and transform them
  double seconds_per_epoch = 0;  // the longest of computing, and of reading and copying what comes batch by batch
  double seconds = 0;            // of the run
};

/// The estimate that a probe gives: for other data and epochs it need not be made again.
template <class T = float, Model M, LossSpec Loss, OptimizerSpec Optimizer, class Device>
Estimate estimate(const DataSize& data, const M& model, const Loss& loss, const Optimizer& optimizer,
                  const TrainerOptions& options, const Device& device, const Probe& probe) {
  Estimate e{.memory = plan<T>(model, loss, optimizer, options, device, data),
             .probe = probe,
             .epochs = options.epochs,
             .samples = data.samples};
  RunShape shape{.data = data,
                 .batch_size = options.batch_size,
                 .micro_batch = e.memory.micro_batch,
                 .resident = e.memory.resident,
                 .slots = e.memory.slots};
  if constexpr (QueuesSteps<Device>) {
    const UpdateRuleOf<Optimizer, T, Device> rule(optimizer);
    shape.queued = rule.takes_queued_scale() && !options.profile;
    if constexpr (requires { Loss::replayable; }) {
      shape.replayed = shape.queued && shape.resident && Loss::replayable && rule.replayable() &&
                       Network<T, Device>::size_of(model).replayable;
    }
  }
  const PredictedTraffic<Device> traffic(shape);
  e.once = traffic.once();
  e.epoch = traffic.epoch(1);
  e.run = traffic.run(options.epochs);
  e.steps = shape.steps();
  const double sample = probe.step_seconds / static_cast<double>(std::max<std::size_t>(probe.batch_size, 1));
  e.seconds_per_step = sample * static_cast<double>(options.batch_size);
  e.seconds_per_epoch = sample * static_cast<double>(data.samples);
  const bool streams = e.memory.slots != 0;
  e.reading_seconds = data.in_memory ? 0 : probe.sample_seconds * static_cast<double>(data.samples);
  if (streams && options.loading.first_workers() > 0) e.readers = options.loading.most_workers();
  if (streams && e.reading_seconds > 0) {
    std::size_t threads = 0;  // a device of its own leaves the cores to readers
    if constexpr (std::is_same_v<Device, Cpu>) threads = device.threads();
    e.seconds_per_epoch =
        detail::overlapped(e.seconds_per_epoch, threads, e.reading_seconds, e.readers, LoadingOptions::cores());
  } else {
    e.seconds_once = e.reading_seconds;  // read at once, and kept
  }
  if (probe.copy_bandwidth > 0) {
    e.seconds_once += static_cast<double>(e.once.to_device_bytes) / probe.copy_bandwidth;
    const double copying = static_cast<double>(e.epoch.to_device_bytes) / probe.copy_bandwidth;
    e.seconds_per_epoch = std::max(e.seconds_per_epoch, copying);
  }
  e.seconds = e.seconds_once + static_cast<double>(options.epochs) * e.seconds_per_epoch;
  return e;
}
/// With a probe of its own, which takes about a tenth of a second, and half as long again where samples are read. What
/// is given is left as it is, and the memory that the probe takes is given back.
template <class T = float, Model M, LossSpec Loss, OptimizerSpec Optimizer, class Device>
Estimate estimate(const DataSize& data, const M& model, const Loss& loss, const Optimizer& optimizer,
                  const TrainerOptions& options, const Device& device) {
  const Probe measured = probe<T>(data, model, loss, optimizer, options, device);
  return estimate<T>(data, model, loss, optimizer, options, device, measured);
}
template <class T = float, Model M, LossSpec Loss, OptimizerSpec Optimizer, class Device>
Estimate estimate(const Dataset& data, const M& model, const Loss& loss, const Optimizer& optimizer,
                  const TrainerOptions& options, const Device& device) {
  const Probe measured = probe<T>(data, model, loss, optimizer, options, device);
  return estimate<T>(size_of(data), model, loss, optimizer, options, device, measured);
}

/// Memory, then bytes and seconds.
inline std::string to_string(const Estimate& e) {
  std::string text = to_string(e.memory);
  char line[160];
  const auto add = [&](const char* format, auto... values) {
    std::snprintf(line, sizeof line, format, values...);
    text += line;
  };
  const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  add("%-28s %16s %16s %16s\n", "", "once", "an epoch", "the run");
  const auto row = [&](const char* what, std::uint64_t Traffic::*bytes) {
    add("%-28s %16llu %16llu %16llu bytes\n", what, number(e.once.*bytes), number(e.epoch.*bytes),
        number(e.run.*bytes));
  };
  row("to the device", &Traffic::to_device_bytes);
  row("from the device", &Traffic::from_device_bytes);
  row("from disk", &Traffic::disk_read_bytes);
  add("%-28s %16.4g %16.4g %16.4g\n", "seconds", e.seconds_once, e.seconds_per_epoch, e.seconds);
  add("%llu steps an epoch, %.4g us each, by %zu steps of %zu samples\n", number(e.steps), 1e6 * e.seconds_per_step,
      e.probe.steps, e.probe.batch_size);
  if (e.reading_seconds > 0) {
    add("reading the samples takes one thread %.4g s an epoch; %zu %s\n", e.reading_seconds, e.readers,
        e.readers == 1 ? "reads ahead" : "read ahead");
  }
  return text;
}

}  // namespace minitrain::inline MINITRAIN_ABI
