#pragma once
// Cuda::StepQueue: optimizer steps that the GPU goes through while the host queues the next ones.

#include <minitrain/cuda/device.hpp>

#include <array>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// Keeps on the GPU what a step needs of its own loss: nobody waits, and what the host wants to know it reads later, of
/// many steps at once. When a loss, or a gradient that is to be clipped, is not finite, the GPU leaves the parameters
/// alone from that step on.
class Cuda::StepQueue {
 public:
  /// Steps that fit; take() them before there are more.
  static constexpr std::size_t capacity = 1024;

  explicit StepQueue(const Cuda& device) : results_(device, Shape{capacity, 4}), state_(device, Shape{2}), size_(0) {}

  std::size_t size() const noexcept { return size_; }
  /// Ends a step: its totals [4], three of LossArguments and the sum of squares of its gradient sum, move into the
  /// queue and become zero, and scale() becomes clipped_gradient_scale().
  void close(const Cuda& device, const View<double, Cuda>& totals, double clip_norm);
  /// For UpdateStep::queued_scale.
  View<const double, Cuda> scale() const noexcept { return {state_.data(), Shape{2}}; }
  /// Waits for the steps in the queue, empties it, and returns their totals.
  std::vector<std::array<double, 4>> take(const Cuda& device);

 private:
  Tensor<double, Cuda> results_;  // [capacity, 4]
  Tensor<double, Cuda> state_;    // gradient scale, whether to leave the parameters alone
  std::size_t size_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
