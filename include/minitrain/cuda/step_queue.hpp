#pragma once
// Cuda::StepQueue: optimizer steps that the GPU goes through while the host queues the next ones.

#include <minitrain/cuda/device.hpp>

#include <array>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// Keeps on the GPU what a step needs of its own loss: nobody waits, and what the host wants to know it reads later, of
/// many steps at once. When a loss is not finite, the GPU leaves the parameters alone from that step on.
class Cuda::StepQueue {
 public:
  /// Steps that fit; take() them before there are more.
  static constexpr std::size_t capacity = 1024;

  explicit StepQueue(const Cuda& device) : results_(device, Shape{capacity, 3}), state_(device, Shape{2}), size_(0) {}

  std::size_t size() const noexcept { return size_; }
  /// Ends a step: its totals [3] (see LossArguments) move into the queue and become zero, and scale() becomes 1 over
  /// its weight.
  void close(const Cuda& device, const View<double, Cuda>& totals);
  /// For UpdateStep::queued_scale.
  View<const double, Cuda> scale() const noexcept { return {state_.data(), Shape{2}}; }
  /// Waits for the steps in the queue, empties it, and returns their totals.
  std::vector<std::array<double, 3>> take(const Cuda& device);

 private:
  Tensor<double, Cuda> results_;  // [capacity, 3]
  Tensor<double, Cuda> state_;    // gradient scale, whether to leave the parameters alone
  std::size_t size_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
