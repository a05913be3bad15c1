#pragma once
// QueuesSteps: whether a device goes through optimizer steps while the host queues the next ones.

#include <minitrain/core/view.hpp>

#include <optional>

namespace minitrain::inline MINITRAIN_ABI {

/// What a device offers to go through steps without the host: Device::StepQueue, as cuda/step_queue.hpp describes it.
template <class Device>
concept QueuesSteps = requires {
  typename Device::StepQueue;
};

/// In place of a queue, for a device that has none.
struct NoStepQueue {};
template <class Device>
struct StepQueueOf {
  using type = NoStepQueue;
};
template <QueuesSteps Device>
struct StepQueueOf<Device> {
  using type = std::optional<typename Device::StepQueue>;
};

/// clip_values() of gradient sums; a queue, where there is one, knows what losses are scaled with.
template <class T, class Device, class Queue>
void clip(const Device& device, Queue& queue, const View<T, Device>& sums, const View<double, Device>& totals,
          double limit) {
  const View<const double, Device> known = totals;
  if constexpr (QueuesSteps<Device>) {
    if (queue) return queue->clip_values(device, sums, known, limit);
  }
  clip_values(device, sums, known, limit);
}

}  // namespace minitrain::inline MINITRAIN_ABI
