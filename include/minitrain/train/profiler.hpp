#pragma once
// Profiler: fills in a Profile while a trainer runs.

#include <minitrain/io/disk_reads.hpp>
#include <minitrain/train/history.hpp>
#include <minitrain/train/predicted_traffic.hpp>
#include <minitrain/train/profile.hpp>
#include <minitrain/train/run_progress.hpp>

#include <memory>

namespace minitrain::inline MINITRAIN_ABI {

/// All traffic of a device, and of the process with its disk.
template <class Device>
Traffic traffic_now(const Device& device) {
  Traffic now;
  if constexpr (requires { traffic(device); }) now = traffic(device);
  now.disk_read_bytes = disk_read_bytes();
  return now;
}

/// The clock of the phases, and the profile that it is for. A trainer that does not measure has none.
class Profiler : public PhaseClock {
 public:
  /// load(), which gives a loader, measured; a new profile begins.
  template <class Device, class Load>
  auto loading(const Device& device, const TrainerOptions& options, std::size_t micro_batch, const Load& load) {
    const Start start(device);
    auto loader = load();
    const Traffic once = expect(device, loader, loader.options().batch_size, micro_batch);
    profile_ = {.device = describe_device(device),
                .batch_size = loader.options().batch_size,
                .micro_batch = micro_batch,
                .resident = loader.is_resident(),
                .data_set = start.until_now(device, once)};
    profile_.epochs.reserve(std::min<std::size_t>(options.epochs, 1024));
    return loader;
  }

  /// Predicts the epochs to come, in batches of that size. Returns what moves before the first step.
  template <class Device, class Loader>
  Traffic expect(const Device&, const Loader& loader, std::size_t batch_size, std::size_t micro_batch) {
    const RunShape shape{.data = size_of(loader.data()),
                         .batch_size = batch_size,
                         .micro_batch = micro_batch,
                         .resident = loader.is_resident(),
                         .slots = loader.slots_per_epoch()};
    const PredictedTraffic<Device> predicted(shape);
    predicted_ = predicted.epoch(0);  // steps are not queued, so that all epochs are alike
    row_bytes_ = shape.data.row_bytes();
    return predicted.once();
  }

  /// train(), which gives an EpochRecord, measured.
  template <class Device, class Loader, class Train>
  EpochRecord epoch(const Device& device, const Loader& loader, const RunProgress& progress, const Train& train) {
    const std::size_t steps = progress.steps, samples = progress.done.samples;  // of an epoch that goes on
    const Start start(device);
    const double waited = loader.stats().wait_seconds;
    begin();
    const EpochRecord record = train();
    mark(device, Phase::other);
    EpochProfile epoch{.epoch = record.epoch,
                       .steps = record.steps - steps,
                       .samples = record.training.samples - samples,
                       .transfer = start.until_now(device, predicted_),
                       .phases = seconds(),
                       .wait_seconds = loader.stats().wait_seconds - waited,
                       .sample_bytes = (record.training.samples - samples) * row_bytes_};
    // Where nobody reads ahead, training waits for all of the gathering.
    if (!loader.reads_ahead()) epoch.wait_seconds = epoch.phases[Phase::gather];
    profile_.epochs.push_back(epoch);
    return record;
  }

  const Profile& profile() const noexcept { return profile_; }

 private:
  /// Where a stretch begins.
  struct Start {
    template <class Device>
    explicit Start(const Device& device) : traffic(traffic_now(device)), time(std::chrono::steady_clock::now()) {}
    template <class Device>
    Transfer until_now(const Device& device, const Traffic& predicted) const {
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - time;
      return {.predicted = predicted, .measured = traffic_now(device).since(traffic), .seconds = seconds.count()};
    }

    Traffic traffic;
    std::chrono::steady_clock::time_point time;
  };

  Profile profile_;
  Traffic predicted_;
  std::uint64_t row_bytes_ = 0;
};

/// loading() and epoch() of a profiler, where there is one.
template <class Device, class Load>
auto profiled_loading(Profiler* profiler, const Device& device, const TrainerOptions& options, std::size_t micro_batch,
                      const Load& load) {
  return profiler != nullptr ? profiler->loading(device, options, micro_batch, load) : load();
}
template <class Device, class Loader, class Train>
EpochRecord profiled_epoch(Profiler* profiler, const Device& device, const Loader& loader, const RunProgress& progress,
                           const Train& train) {
  return profiler != nullptr ? profiler->epoch(device, loader, progress, train) : train();
}
inline std::unique_ptr<Profiler> make_profiler(bool wanted) { return wanted ? std::make_unique<Profiler>() : nullptr; }
/// Throws OptionError where there is none.
inline const Profile& profile_of(const std::unique_ptr<Profiler>& profiler) {
  if (profiler == nullptr) throw OptionError("profile: nothing was measured: set TrainerOptions::profile to true");
  return profiler->profile();
}

}  // namespace minitrain::inline MINITRAIN_ABI
