#pragma once
// PhaseClock: where the time of a step goes.

#include <minitrain/config.hpp>

#include <array>
#include <chrono>
#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI {

/// Parts of a step, in their order: collecting the samples (and, to a device that does not keep the data set, sending
/// them); the results on their way back; forward pass; loss and its gradient; backward pass; clipping and optimizer;
/// all else, callbacks among it.
enum class Phase { gather, forward, loss, backward, copy, update, other };

/// Seconds by phase.
struct PhaseSeconds {
  static constexpr std::size_t count = 7;
  static constexpr const char* names[count] = {"gather", "forward", "loss", "backward", "copy", "update", "other"};

  std::array<double, count> seconds{};

  double& operator[](Phase phase) noexcept { return seconds[static_cast<std::size_t>(phase)]; }
  double operator[](Phase phase) const noexcept { return seconds[static_cast<std::size_t>(phase)]; }
  double total() const noexcept {
    double sum = 0;
    for (const double part : seconds) sum += part;
    return sum;
  }
};

/// Adds the time since the last mark to the phase that ends there. A device that works while the host goes on is waited
/// for at every mark: phases are told apart, and no longer overlap.
class PhaseClock {
 public:
  void begin() noexcept {
    seconds_ = {};
    last_ = Clock::now();
  }
  template <class Device>
  void mark([[maybe_unused]] const Device& device, Phase ended) {
    if constexpr (requires { device.synchronize(); }) device.synchronize();
    const Clock::time_point now = Clock::now();
    seconds_[ended] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }
  /// Since begin().
  const PhaseSeconds& seconds() const noexcept { return seconds_; }

 private:
  using Clock = std::chrono::steady_clock;

  PhaseSeconds seconds_;
  Clock::time_point last_ = Clock::now();
};

/// A mark, where somebody measures.
template <class Device>
void mark(PhaseClock* clock, const Device& device, Phase ended) {
  if (clock != nullptr) clock->mark(device, ended);
}

/// loader.next(...), measured.
template <class Loader, class Device>
const auto& next_batch(PhaseClock* clock, Loader& loader, const Device& device, std::size_t epoch, std::size_t position,
                       std::size_t count) {
  mark(clock, device, Phase::other);
  const auto& batch = loader.next(device, epoch, position, count);
  mark(clock, device, Phase::gather);
  return batch;
}

}  // namespace minitrain::inline MINITRAIN_ABI
