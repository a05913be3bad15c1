#pragma once
// What a loss works on, and the device operations that losses are made of.

#include <minitrain/core/view.hpp>

#include <cstdint>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI {

/// Losses against targets, by name.
enum class TargetLoss { squared, huber, binary };

/// One micro-batch of B samples. A loss *adds* to the totals, in sample order, so that no split of a batch shows:
///   totals[0] += Σ loss of a sample·its weight
///   totals[1] += Σ weight of a sample, 1 where samples have none
///   totals[2] += number of samples answered right, for losses that can tell
/// and writes dy, the gradient of totals[0] by y, unless dy is empty. The mean loss is totals[0] / totals[1], the mean
/// gradient dy / totals[1]. Numbers that are not finite come out as a totals[0] that is not finite.
///
/// Operations on it, each defined by the device that the views live on:
///   mean_squared_error(device, a)                y, targets [B, out]
///   huber_loss(device, delta, a)                 y, targets [B, out]
///   binary_cross_entropy_with_logits(device, a)  y, targets [B, out]
///   softmax_cross_entropy(device, label_smoothing, a)   y [B, classes], labels [B] in [0, classes), class_weights
///                                                [classes] or empty
template <class T, class Device = Cpu>
struct LossArguments {
  /// Floating-point scalars are summed in double.
  using Total = std::conditional_t<std::is_floating_point_v<T>, double, T>;

  View<const T, Device> y;
  View<const T, Device> targets;
  View<const std::int32_t, Device> labels;
  View<T, Device> dy;
  View<const T, Device> class_weights;
  View<Total, Device> totals;  // [3]
};

}  // namespace minitrain::inline MINITRAIN_ABI
