#pragma once
// RunMeter: what a training run takes: seconds of its epochs, bytes of memory, bytes that are moved.

#include <minitrain/trainer.hpp>

#include "allocated.hpp"
#include "own_time.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

namespace examples {

class RunMeter {
 public:
  std::vector<double> seconds{}, own{};  // of each epoch; own_seconds() of it
  std::size_t steps = 0;                 // of an epoch
  std::uint64_t bytes = 0;               // the most that was held after an epoch
  minitrain::Traffic traffic{};

  /// Memory is counted from here on, before there is a trainer; on a GPU from the beginning of its device.
  template <class Device>
  RunMeter(const Device& device, std::size_t epochs) {
    seconds.reserve(epochs), own.reserve(epochs);
    if constexpr (std::is_same_v<Device, minitrain::Cpu>) before_ = allocated(device);
  }

  template <class Trainer>
  void fit(Trainer& trainer, const minitrain::Dataset& data) {
    const minitrain::Traffic moved = minitrain::traffic_now(trainer.device());
    double start = own_seconds(trainer.device());
    trainer.fit(data, {.on_epoch = [&](const minitrain::EpochRecord& epoch) {
                  bytes = std::max(bytes, allocated(trainer.device()) - before_);
                  steps = epoch.steps;
                  seconds.push_back(epoch.seconds);
                  const double now = own_seconds(trainer.device());
                  own.push_back(now - std::exchange(start, now));
                }});
    traffic = minitrain::traffic_now(trainer.device()).since(moved);
  }

 private:
  std::uint64_t before_ = 0;
};

}  // namespace examples
