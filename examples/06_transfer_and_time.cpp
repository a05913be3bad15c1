// What will a run move, take and last? estimate() says so before it; here it is held against what was measured. A
// second run, profiled, says where the time went.
#include <minitrain/data/row_file.hpp>
#include <minitrain/train/estimate.hpp>
#include <minitrain/trainer.hpp>
#include <minitrain/with_device.hpp>

#include "common/arguments.hpp"
#include "common/progress.hpp"
#include "common/table.hpp"
#include "common/temporary_file.hpp"

#include <malloc.h>

namespace mt = minitrain;

// Bytes that this process has allocated and not given back, or that the GPU's device has at most held.
static std::uint64_t allocated(const mt::Cpu&) {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}
static std::uint64_t allocated(const mt::Cuda& device) { return device.peak_allocated_bytes(); }

// What a run took.
struct Measured {
  mt::Traffic traffic{};
  std::uint64_t memory = 0;
  double seconds = 0;
};

template <class Device, class Make>
Measured run(const mt::Dataset& data, const Device& device, const Make& make) {
  const std::uint64_t before = std::is_same_v<Device, mt::Cpu> ? allocated(device) : 0;
  mt::Trainer trainer = make(device);
  const mt::Traffic moved = mt::traffic_now(trainer.device());
  Measured measured;
  const auto at_epoch = [&](const mt::EpochRecord&) {
    measured.memory = allocated(trainer.device()) - before;
    if (examples::was_interrupted()) trainer.request_stop();
  };
  const auto start = std::chrono::steady_clock::now();
  trainer.fit(data, {.on_epoch = at_epoch});
  measured.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  measured.traffic = mt::traffic_now(trainer.device()).since(moved);
  if (std::is_same_v<Device, mt::Cpu> && data.in_memory()) measured.memory += data.bytes();
  return measured;
}

// Prints predicted beside measured; as JSON, for programs.
static std::string compare(const mt::Estimate& e, const Measured& m) {
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
    json += (json.size() > 1 ? ", \"" : "\"") + std::string(key) +
            "\": " + examples::json_object({{"predicted", predicted}, {"measured", measured}});
  }
  return json + "}";
}

int main(int argc, char** argv) try {
  examples::Arguments arguments(argc, argv, "Bytes, memory and seconds of a run, predicted and measured.");
  const std::string asked = arguments.text("--device", "NAME", "cpu (the default), cuda, cuda:NUMBER or auto");
  const std::size_t samples = arguments.number("--samples", 50'000, "to train on");
  const std::size_t features = arguments.number("--features", 100, "of a sample");
  const std::size_t hidden = arguments.number("--hidden", 256, "outputs of each of two hidden layers");
  const std::size_t epochs = arguments.number("--epochs", 5, "passes over the samples");
  const std::size_t batch = arguments.number("--batch", 256, "samples of one optimizer step");
  const bool streamed = arguments.flag("--file", "read the samples from a file, while they are used");
  const std::string json = arguments.text("--json", "FILE", "where to write all of it");
  if (arguments.help_shown()) return examples::ok;
  if (!json.empty()) examples::write_file(json, "");  // better to fail now than after the runs
  examples::listen_for_interrupt();

  constexpr std::size_t classes = 10;
  const examples::TemporaryFile temporary;
  mt::Dataset data =
      mt::synthetic_classification({.samples = samples, .features = features, .classes = classes, .seed = 1});
  if (streamed) {
    mt::write_row_file(temporary.path(), data);
    data = mt::open_row_file(temporary.path());
  }
  const mt::Mlp model{.widths = {features, hidden, hidden, classes}};
  const mt::SoftmaxCrossEntropy loss;
  const mt::Adam adam{.learning_rate = 1e-3f};
  mt::TrainerOptions options{.epochs = epochs, .batch_size = batch, .seed = 1};
  const std::string name = asked.empty() ? "cpu" : asked;
  const mt::Estimate estimate =
      mt::with_device(name, [&](const auto& device) { return mt::estimate(data, model, loss, adam, options, device); });
  // On a device of its own, for its peak is that of all that was ever done with it.
  const auto work = [&](const auto& device) -> int {
    std::printf("%zu-%zu-%zu-%zu on %zu samples in %s, %zu epochs in batches of %zu, on %s\n\n", features, hidden,
                hidden, classes, samples, streamed ? "a file" : "memory", epochs, batch,
                mt::describe_device(device).c_str());
    const auto make = [&](const auto& where) { return mt::Trainer{where, model, loss, adam, options}; };
    std::printf("Before the run:\n%s\n", mt::to_string(estimate).c_str());
    if (streamed) data.source()->release(0, data.size(), true);  // so that it does come from disk, once
    const Measured measured = run(data, device, make);
    if (examples::was_interrupted()) return examples::interrupted_code();
    const std::string compared = compare(estimate, measured);

    options.profile = true;
    mt::Trainer trainer = make(device);
    trainer.fit(data);
    std::printf("\nOnce more, profiled:\n%s", mt::to_string(trainer.profile()).c_str());
    if (!json.empty()) {
      examples::write_file(json, "{\"run\": " + compared + ", \"profile\": " + mt::to_json(trainer.profile()) + "}\n");
    }
    // Bytes to and from the device are a promise; seconds and what the system reads from disk are not.
    const bool kept = measured.traffic.to_device_bytes == estimate.run.to_device_bytes &&
                      measured.traffic.from_device_bytes == estimate.run.from_device_bytes;
    std::printf("\nBytes to and from the device are %s predicted.\n", kept ? "those" : "not those");
    return kept ? examples::ok : examples::run_failed;
  };
  return mt::with_device(name, work);
} catch (const std::exception& error) {
  return examples::report(error);
}
