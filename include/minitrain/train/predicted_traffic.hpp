#pragma once
// PredictedTraffic: the bytes that a fit() moves, said before it does.

#include <minitrain/core/traffic.hpp>
#include <minitrain/data/size.hpp>
#include <minitrain/train/memory_plan.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// How a fit() goes, as far as that decides what is moved.
struct RunShape {
  DataSize data{};
  std::size_t batch_size = 1, micro_batch = 1;
  bool resident = true;     // the device keeps the data set
  std::uint64_t slots = 0;  // in which it is read otherwise; 0: it is copied by micro-batches
  bool queued = false;      // the device goes through steps while the host queues the next
  bool replayed = false;    // and repeats what it recorded of the first of a kind

  /// What is not in memory, and is kept all the same, was read there first, all of it.
  bool read_at_once() const noexcept { return resident && !data.in_memory; }
  std::uint64_t steps() const noexcept { return pieces(data.samples, batch_size); }
  std::uint64_t micro_batches() const noexcept {
    return data.samples / batch_size * pieces(batch_size, micro_batch) + pieces(data.samples % batch_size, micro_batch);
  }
  /// Steps that are alike go by one recording: full batches, and a short one at the end.
  std::uint64_t kinds_of_steps() const noexcept {
    return (data.samples >= batch_size ? 1 : 0) + (data.samples % batch_size != 0 ? 1 : 0);
  }

  static std::uint64_t pieces(std::uint64_t samples, std::uint64_t size) noexcept {
    return samples == 0 ? 0 : (samples + size - 1) / size;
  }
};

/// Bytes are exact for the library's own layers, losses and optimizers, evaluations and callbacks aside. So are
/// copies, but where steps are replayed: then they are the fewest that there may be.
template <class Device>
class PredictedTraffic {
 public:
  explicit PredictedTraffic(const RunShape& shape) noexcept : shape_(shape) {}

  /// Before the first step: the data set, where the device keeps it, and the list of its rows, where there is one. What
  /// was read to be kept there comes from disk now, and in the order of its rows.
  Traffic once() const noexcept {
    Traffic t;
    if constexpr (!on_host) {
      if (!shape_.resident) return t;
      const bool read = shape_.read_at_once();
      if (read) t.disk_read_bytes = shape_.data.file_bytes();
      t.sent(read ? shape_.data.samples_bytes() : shape_.data.memory_bytes(), shape_.data.arrays());
      if (shape_.data.subset && !read) t.sent(shape_.data.samples * sizeof(std::uint64_t));
    }
    return t;
  }

  /// Of epoch 0, 1, ... of this fit(): samples that come batch by batch, the plan of steps that are replayed; back, the
  /// totals of every step, and whether all parameters are finite. From disk, the files once, if nothing is cached.
  Traffic epoch([[maybe_unused]] std::size_t number) const noexcept {
    Traffic t{.disk_read_bytes = shape_.data.file_bytes()};
    if constexpr (!on_host) {
      if (shape_.read_at_once()) t.disk_read_bytes = 0;
      const std::uint64_t steps = shape_.steps();
      if (!shape_.resident) {
        const std::uint64_t pieces = shape_.slots != 0 ? shape_.slots : shape_.micro_batches();
        t.sent(shape_.data.samples * shape_.data.row_bytes(), pieces * shape_.data.arrays());
      }
      std::uint64_t results = steps;
      if constexpr (QueuesSteps<Device>) {
        using Queue = typename Device::StepQueue;
        const std::uint64_t launched = !shape_.replayed ? steps : number == 0 ? shape_.kinds_of_steps() : 0;
        const std::uint64_t replayed = steps - std::min(steps, launched);
        if (replayed > 0) t.sent(replayed * Queue::planned_step_bytes, RunShape::pieces(replayed, Queue::most_planned));
        if (shape_.queued) results = RunShape::pieces(steps, Queue::capacity);
      }
      t.received(steps * totals_bytes, results);
      t.received(sizeof(int));
    }
    return t;
  }

  /// Of a whole fit().
  Traffic run(std::size_t epochs) const noexcept {
    Traffic t = once();
    if (epochs > 0) t += epoch(0);
    const Traffic later = epoch(1);
    const auto n = static_cast<std::uint64_t>(epochs > 0 ? epochs - 1 : 0);
    t += {n * later.to_device_bytes, n * later.to_device_copies, n * later.from_device_bytes,
          n * later.from_device_copies, n * later.disk_read_bytes};
    return t;
  }

 private:
  static constexpr bool on_host = std::is_same_v<Device, Cpu>;
  static constexpr std::uint64_t totals_bytes = 4 * sizeof(double);

  RunShape shape_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
