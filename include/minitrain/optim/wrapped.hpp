#pragma once
// What optimizers that hold another optimizer share.

#include <minitrain/optim/optimizer.hpp>

namespace minitrain::inline MINITRAIN_ABI::detail {

template <class Optimizer>
constexpr bool replays() {
  if constexpr (requires { Optimizer::replayable; }) return Optimizer::replayable;
  return false;
}
template <class Optimizer>
constexpr bool queues() {
  if constexpr (requires { Optimizer::takes_queued_scale; }) return Optimizer::takes_queued_scale;
  return false;
}
template <class Optimizer>
constexpr bool heeds_groups() {
  if constexpr (requires { Optimizer::takes_groups; }) return Optimizer::takes_groups;
  return false;
}

template <class Optimizer>
MomentLayout layout_of(const Optimizer& optimizer, std::size_t i, std::span<const ParameterTensor> tensors) {
  if constexpr (requires { optimizer.moment_layout(i, tensors); }) return optimizer.moment_layout(i, tensors);
  return {};
}
template <class Optimizer>
void assign_groups_of(const Optimizer& optimizer, [[maybe_unused]] std::span<ParameterTensor> tensors) {
  if constexpr (requires { optimizer.assign_groups(tensors); }) optimizer.assign_groups(tensors);
}

/// A step of the optimizer inside, whose moments come first.
template <class T, class Device>
UpdateStep<T, Device> inner_step(UpdateStep<T, Device> step, std::size_t moments) {
  step.moments = step.moments.first(moments);
  return step;
}
/// The moments after them, for an operation on parameters and one slab.
template <class T, class Device>
UpdateStep<T, Device> outer_step(UpdateStep<T, Device> step, std::size_t moments) {
  step.moments = step.moments.subspan(moments);
  return step;
}

/// Whether slab i of an optimizer's state holds parameters: an average of them, or those of an earlier step.
template <class Optimizer>
bool copies_parameters_of(const Optimizer& optimizer, std::size_t i) {
  if constexpr (requires { optimizer.copies_parameters(i); }) {
    return optimizer.copies_parameters(i);
  } else if constexpr (requires { optimizer.optimizer.moments(); }) {
    return copies_parameters_of(optimizer.optimizer, i);
  } else {
    return false;
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail
