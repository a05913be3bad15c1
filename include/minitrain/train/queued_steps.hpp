#pragma once
// QueuesSteps: whether a device goes through optimizer steps while the host queues the next ones.

#include <minitrain/config.hpp>

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

}  // namespace minitrain::inline MINITRAIN_ABI
