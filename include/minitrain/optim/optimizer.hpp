#pragma once
// OptimizerSpec: what a type has to offer to be an optimizer.

#include <minitrain/core/update_step.hpp>

#include <concepts>
#include <string_view>

namespace minitrain::inline MINITRAIN_ABI {

/// An optimizer is a small value that says how one step changes the parameters; the trainer keeps all state in slabs.
/// SGD, Adam and AdamW are such types, and a type of your own needs no registration and no base class:
///
///   struct SignDescent {
///     double learning_rate = 1e-4;                                          // given back in step.learning_rate
///     void check() const {}                                                 // throws OptionError
///     static const char* name() { return "SignDescent"; }
///     static std::size_t moments() { return 0; }                            // slabs of state, as large as the model
///     static const char* moment_name(std::size_t) { return ""; }            // their names in checkpoints
///     template <class T>
///     void update(const Cpu&, const UpdateStep<T>& step) const {            // one pass over the slabs; for a GPU, an
///                                                                           // overload that launches kernels
///       for (std::size_t i = 0; i < step.parameters.size(); ++i) {
///         const T g = step.gradient_sums[i];                                // a sum: times gradient_scale is the mean
///         step.parameters[i] -= T(step.learning_rate) * T((g > 0) - (g < 0));
///       }
///     }
///   };
///
/// `static constexpr bool takes_queued_scale = true` says that update() heeds UpdateStep::queued_scale, so that a GPU
/// may go through steps without the host; without it the host waits for the loss of each, and Math::fp16, where only
/// the GPU knows the scale, is refused. `replayable = true`, too, says that update() is one call of sgd_update or
/// adam_update on the whole step, perhaps with another learning_rate (a schedule of your own, by step.step), and
/// nothing else: then a GPU may record a step once and replay it with other factors. `takes_groups = true` says that it
/// heeds what step.tensors say of learning rates and weight decay, as for_each_group() does, so that groups() takes it.
///
/// A state that is not one scalar for each parameter has a `MomentLayout moment_layout(std::size_t i,
/// std::span<const ParameterTensor>) const`. What keeps averaged parameters names their slab by `averaged_moment()`.
///
/// update() is called once per optimizer step. An optimizer whose
/// update of an element depends on that element only keeps every promise of the trainer about micro-batches and
/// threads.
template <class O>
concept OptimizerSpec = std::copyable<O> &&
    requires(const O& optimizer, const Cpu& device, const UpdateStep<float, Cpu>& step) {
  optimizer.check();
  { optimizer.name() } -> std::convertible_to<std::string_view>;
  { optimizer.moments() } -> std::convertible_to<std::size_t>;
  { optimizer.moment_name(std::size_t{}) } -> std::convertible_to<std::string_view>;
  { optimizer.learning_rate } -> std::convertible_to<double>;
  optimizer.update(device, step);
};

}  // namespace minitrain::inline MINITRAIN_ABI
