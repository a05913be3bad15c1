#pragma once
// One run, told in full: what estimate() says before it, what was measured, and where the time went.

#include <minitrain/data/row_file.hpp>
#include <minitrain/experiment/statistics.hpp>
#include <minitrain/train/estimate.hpp>
#include <minitrain/trainer.hpp>

#include "allocated.hpp"
#include "interrupt.hpp"
#include "json.hpp"
#include "on_device.hpp"
#include "temporary_file.hpp"
#include "write_file.hpp"

#include <chrono>
#include <cstdio>
#include <string>
#include <tuple>
#include <vector>

namespace examples {

struct OneRun {
  std::string device = "cpu";
  std::size_t threads = 0;
  std::size_t samples = 0, features = 0, hidden = 0, epochs = 0, batch = 0;
  bool streamed = false;  // from a file
  std::string json = {};  // where to write all of it
};

// What a run took, which Ctrl-C ends after an epoch where it may.
struct Measured {
  minitrain::Traffic traffic{};
  std::uint64_t memory = 0;
  double seconds = 0;        // of all of it
  double epoch_seconds = 0;  // the median
};

template <class Device, class Make>
Measured run(const minitrain::Dataset& data, const Device& device, const Make& make, bool may_stop = false) {
  constexpr bool on_host = std::is_same_v<Device, minitrain::Cpu>;
  const std::uint64_t before = on_host ? allocated(device) : 0;
  minitrain::Trainer trainer = make(device);
  const minitrain::Traffic moved = minitrain::traffic_now(trainer.device());
  Measured measured;
  std::vector<double> epochs;
  const auto at_epoch = [&](const minitrain::EpochRecord& epoch) {
    epochs.push_back(epoch.seconds);
    measured.memory = allocated(trainer.device()) - before;
    if (may_stop && was_interrupted()) trainer.request_stop();
  };
  const auto start = std::chrono::steady_clock::now();
  trainer.fit(data, {.on_epoch = at_epoch});
  measured.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!epochs.empty()) measured.epoch_seconds = minitrain::spread(epochs).median;
  measured.traffic = minitrain::traffic_now(trainer.device()).since(moved);
  if (on_host && data.in_memory()) measured.memory += data.bytes();
  return measured;
}

// Prints predicted beside measured; as JSON, for programs.
inline std::string compare(const minitrain::Estimate& e, const Measured& m) {
  const auto steps = static_cast<double>(e.epochs * e.steps);
  const std::tuple<const char*, const char*, double, double> rows[] = {
      {"to the device, bytes", "to_device_bytes", static_cast<double>(e.run.to_device_bytes),
       static_cast<double>(m.traffic.to_device_bytes)},
      {"from the device, bytes", "from_device_bytes", static_cast<double>(e.run.from_device_bytes),
       static_cast<double>(m.traffic.from_device_bytes)},
      {"from disk, bytes", "disk_read_bytes", static_cast<double>(e.run.disk_read_bytes),
       static_cast<double>(m.traffic.disk_read_bytes)},
      {"memory, bytes", "memory_bytes", static_cast<double>(e.memory.total()), static_cast<double>(m.memory)},
      {"seconds", "seconds", e.seconds, m.seconds},
      {"microseconds a step", "step_us", 1e6 * e.seconds_per_step, 1e6 * (m.seconds - e.seconds_once) / steps}};
  std::string json = "{";
  std::printf("%-24s %16s %16s %10s\n", "the run", "predicted", "measured", "ratio");
  for (const auto& [name, key, predicted, measured] : rows) {
    std::printf("%-24s %16.10g %16.10g", name, predicted, measured);
    predicted > 0 ? std::printf(" %10.3f\n", measured / predicted) : std::printf("\n");
    json += (json.size() > 1 ? ", \"" : "\"") + std::string(key) + "\": " +
            examples::json::object(
                {{"predicted", examples::json::number(predicted)}, {"measured", examples::json::number(measured)}});
  }
  return json + "}";
}

/// Whether as many bytes went to the device and came back as predicted.
inline bool tell_in_full(const OneRun& asked) {
  namespace mt = minitrain;
  if (!asked.json.empty()) write_file(asked.json, "");  // better to fail now than after the runs
  constexpr std::size_t classes = 10;
  const TemporaryFile temporary;
  mt::Dataset data = mt::synthetic_classification(
      {.samples = asked.samples, .features = asked.features, .classes = classes, .seed = 1});
  if (asked.streamed) {
    mt::write_row_file(temporary.path(), data);
    data = mt::open_row_file(temporary.path());
  }
  const mt::Mlp model{.widths = {asked.features, asked.hidden, asked.hidden, classes}};
  const mt::SoftmaxCrossEntropy loss;
  const mt::Adam adam{.learning_rate = 1e-3f};
  mt::TrainerOptions options{.epochs = asked.epochs, .batch_size = asked.batch, .seed = 1};
  const mt::Estimate estimate = on_device(asked.device, asked.threads, [&](const auto& device) {
    return mt::estimate(data, model, loss, adam, options, device);
  });
  // On a device of its own, for its peak is that of all that was ever done with it.
  return on_device(asked.device, asked.threads, [&](const auto& device) {
    std::printf("%zu-%zu-%zu-%zu on %zu samples in %s, %zu epochs in batches of %zu, on %s\n\n", asked.features,
                asked.hidden, asked.hidden, classes, asked.samples, asked.streamed ? "a file" : "memory", asked.epochs,
                asked.batch, mt::describe_device(device).c_str());
    const auto make = [&](const auto& where) { return mt::Trainer{where, model, loss, adam, options}; };
    std::printf("Before the run:\n%s\n", mt::to_string(estimate).c_str());
    if (asked.streamed) data.source()->release(0, data.size(), true);  // so that it does come from disk, once
    const Measured measured = run(data, device, make, true);
    if (was_interrupted()) return true;
    const std::string compared = compare(estimate, measured);

    options.profile = true;
    mt::Trainer trainer = make(device);
    trainer.fit(data);
    std::printf("\nOnce more, profiled:\n%s", mt::to_string(trainer.profile()).c_str());
    if (!asked.json.empty()) {
      write_file(asked.json, "{\"run\": " + compared + ", \"profile\": " + mt::to_json(trainer.profile()) + "}\n");
    }
    // Bytes to and from the device are a promise; seconds and what the system reads from disk are not.
    return measured.traffic.to_device_bytes == estimate.run.to_device_bytes &&
           measured.traffic.from_device_bytes == estimate.run.from_device_bytes;
  });
}

}  // namespace examples
