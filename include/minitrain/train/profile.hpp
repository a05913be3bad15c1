#pragma once
// Profile: where the bytes and seconds of a fit() went, beside what was predicted.

#include <minitrain/core/traffic.hpp>
#include <minitrain/io/json.hpp>
#include <minitrain/train/phase_clock.hpp>

#include <charconv>
#include <cstdio>
#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// Moved in a stretch of time.
struct Transfer {
  Traffic predicted{}, measured{};
  double seconds = 0;

  /// Bytes a second between host memory and the device's, both ways.
  double bandwidth() const noexcept {
    return seconds > 0 ? static_cast<double>(measured.to_device_bytes + measured.from_device_bytes) / seconds : 0;
  }
};

/// One epoch of a fit(), without validation.
struct EpochProfile {
  std::size_t epoch = 0, steps = 0, samples = 0;
  Transfer transfer{};             // predicted for a whole epoch
  PhaseSeconds phases{};           // sums over the steps
  double wait_seconds = 0;         // of the phase gather, that the next samples were not there
  std::uint64_t sample_bytes = 0;  // gathered: of the samples, as they are stored

  double seconds() const noexcept { return transfer.seconds; }
  /// The share of the time in which the samples were waited for.
  double stall() const noexcept { return seconds() > 0 ? wait_seconds / seconds() : 0; }
  /// Bytes a second at which samples were gathered.
  double gather_bandwidth() const noexcept {
    const double time = phases[Phase::gather];
    return time > 0 ? static_cast<double>(sample_bytes) / time : 0;
  }
};

/// What Trainer::profile() gives back, of the last fit(). With TrainerOptions::profile, every phase ends with a look at
/// the clock, and on a GPU with waiting for it: phases do not overlap, steps are neither queued nor replayed, and a run
/// takes longer than without. Its bits stay the same.
struct Profile {
  std::string device{};        // "CPU, 2 threads, AVX-512"
  std::size_t batch_size = 0;  // of a step
  std::size_t micro_batch = 0;
  bool resident = true;  // the device keeps the data set
  Transfer data_set{};   // on its way to the device, before the first step
  std::vector<EpochProfile> epochs{};

  /// Everything.
  Transfer run() const noexcept {
    Transfer sum = data_set;
    for (const EpochProfile& epoch : epochs) {
      sum.predicted += epoch.transfer.predicted;
      sum.measured += epoch.transfer.measured;
      sum.seconds += epoch.transfer.seconds;
    }
    return sum;
  }
};

/// Two tables: microseconds of a mean step by phase, and bytes predicted and measured.
inline std::string to_string(const Profile& profile) {
  std::string text =
      profile.device + joined({", batch of ", profile.batch_size, " in micro-batches of ", profile.micro_batch,
                               profile.resident ? "" : ", data batch by batch", "\n"});
  char field[96];
  const auto add = [&](const char* format, auto... values) {
    std::snprintf(field, sizeof field, format, values...);
    text += field;
  };
  add("%-8s %9s %10s %10s", "epoch", "steps", "seconds", "us/step");
  for (const char* name : PhaseSeconds::names) add(" %9s", name);
  add(" %7s\n", "stall");
  for (const EpochProfile& epoch : profile.epochs) {
    const double to_step = 1e6 / static_cast<double>(std::max<std::size_t>(epoch.steps, 1));
    add("%-8zu %9zu %10.4f %10.2f", epoch.epoch, epoch.steps, epoch.seconds(), epoch.seconds() * to_step);
    for (const double seconds : epoch.phases.seconds) add(" %9.2f", seconds * to_step);
    add(" %5.1f %%\n", 100 * epoch.stall());
  }
  const auto row = [&](const char* what, std::uint64_t predicted, std::uint64_t measured,
                       std::uint64_t predicted_copies, std::uint64_t copies) {
    const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    add("%-26s %18llu %18llu %12llu %12llu\n", what, number(predicted), number(measured), number(predicted_copies),
        number(copies));
  };
  add("%-26s %18s %18s %12s %12s\n", "bytes", "predicted", "measured", "in copies", "measured");
  const auto rows = [&](const char* to, const char* from, const Transfer& t) {
    const Traffic &p = t.predicted, &m = t.measured;
    row(to, p.to_device_bytes, m.to_device_bytes, p.to_device_copies, m.to_device_copies);
    row(from, p.from_device_bytes, m.from_device_bytes, p.from_device_copies, m.from_device_copies);
  };
  const Transfer run = profile.run();
  row("data set to the device", profile.data_set.predicted.to_device_bytes, profile.data_set.measured.to_device_bytes,
      profile.data_set.predicted.to_device_copies, profile.data_set.measured.to_device_copies);
  if (!profile.epochs.empty()) {
    const EpochProfile& last = profile.epochs.back();
    const auto steps = static_cast<std::uint64_t>(std::max<std::size_t>(last.steps, 1));
    const auto each = [&](std::uint64_t bytes) { return bytes / steps; };
    Transfer step = last.transfer;
    for (Traffic* t : {&step.predicted, &step.measured}) {
      *t = {each(t->to_device_bytes), each(t->to_device_copies), each(t->from_device_bytes),
            each(t->from_device_copies), each(t->disk_read_bytes)};
    }
    rows("to the device, last step", "from it, last step", step);
    rows("to the device, last epoch", "from it, last epoch", last.transfer);
  }
  rows("to the device, run", "from it, run", run);
  row("from disk, run", run.predicted.disk_read_bytes, run.measured.disk_read_bytes, 0, 0);
  add("data set at %.4g GB/s, gathered at %.4g GB/s\n", profile.data_set.bandwidth() / 1e9,
      profile.epochs.empty() ? 0.0 : profile.epochs.back().gather_bandwidth() / 1e9);
  return text;
}

/// The same numbers for programs, seconds and bytes.
inline std::string to_json(const Profile& profile) {
  std::string json = "{\"device\": ";
  detail::io::append_json(json, profile.device);
  const auto traffic = [](const Traffic& t) {
    return joined({"{\"to_device_bytes\": ", t.to_device_bytes, ", \"to_device_copies\": ", t.to_device_copies,
                   ", \"from_device_bytes\": ", t.from_device_bytes, ", \"from_device_copies\": ", t.from_device_copies,
                   ", \"disk_read_bytes\": ", t.disk_read_bytes, "}"});
  };
  const auto transfer = [&](const Transfer& t) {
    return joined({"\"seconds\": ", t.seconds, ", \"bytes_per_second\": ", t.bandwidth(),
                   ", \"predicted\": ", traffic(t.predicted), ", \"measured\": ", traffic(t.measured)});
  };
  json += joined({", \"batch_size\": ", profile.batch_size, ", \"micro_batch\": ", profile.micro_batch,
                  ", \"resident\": ", profile.resident ? "true" : "false", ", \"data_set\": {",
                  transfer(profile.data_set), "}, \"epochs\": ["});
  for (const EpochProfile& epoch : profile.epochs) {
    json +=
        joined({&epoch == profile.epochs.data() ? "" : ", ", "{\"epoch\": ", epoch.epoch, ", \"steps\": ", epoch.steps,
                ", \"samples\": ", epoch.samples, ", ", transfer(epoch.transfer), ", \"phases\": {"});
    for (std::size_t i = 0; i < PhaseSeconds::count; ++i) {
      json += joined({i == 0 ? "\"" : ", \"", PhaseSeconds::names[i], "\": ", epoch.phases.seconds[i]});
    }
    json += joined({"}, \"wait_seconds\": ", epoch.wait_seconds, ", \"stall\": ", epoch.stall(), ", \"sample_bytes\": ",
                    epoch.sample_bytes, ", \"gather_bytes_per_second\": ", epoch.gather_bandwidth(), "}"});
  }
  return json + "], \"run\": {" + transfer(profile.run()) + "}}";
}

}  // namespace minitrain::inline MINITRAIN_ABI
