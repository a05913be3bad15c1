#pragma once
// LossSpec: what a type has to offer to be a loss.

#include <minitrain/core/loss_arguments.hpp>

#include <concepts>
#include <string_view>

namespace minitrain::inline MINITRAIN_ABI {

/// A loss is a small value that measures a model's outputs against targets or labels. Those of nn/losses.hpp are such
/// types, and a type of your own needs no registration and no base class:
///
///   struct MeanAbsoluteError {
///     static constexpr bool uses_labels = false;         // true: class labels instead of targets
///     static const char* name() { return "MeanAbsoluteError"; }
///     void check(std::size_t) const {}                   // throws when it does not fit a model with so many outputs
///     template <class T>
///     void operator()(const Cpu&, const LossArguments<T>& a) const {   // for a GPU, an overload that launches kernels
///       const T columns = T(a.y.columns());
///       for (std::size_t row = 0; row < a.y.rows(); ++row) {
///         double sum = 0;
///         for (std::size_t j = 0; j < a.y.columns(); ++j) {
///           const T error = a.y(row, j) - a.targets(row, j);
///           sum += std::abs(error) / columns;
///           if (!a.dy.empty()) a.dy(row, j) = T((error > 0) - (error < 0)) / columns;   // of the sum over samples
///         }
///         a.totals[0] += sum;
///         a.totals[1] += 1;
///       }
///     }
///   };
///
/// Optional members, looked for by name:
///   static constexpr bool counts_correct            whether totals[2] counts right answers (if absent: uses_labels)
///   static constexpr double least_target, largest_target    other targets are refused before training
///   static constexpr bool takes_logits_of_softmax   a Softmax at the end of the model is left out in training
///   static constexpr bool replayable = true         on a GPU, it launches the same every time; see nn/layer.hpp.
///   Without
///                                                   it the host waits for every step: its batch may have no weight
///   std::vector<double> class_weights               handed back in a.class_weights, on the device
template <class L>
concept LossSpec = std::copyable<L> && requires(const L& loss, const Cpu& device, const LossArguments<float, Cpu>& a) {
  loss.check(std::size_t{});
  { loss.name() } -> std::convertible_to<std::string_view>;
  { L::uses_labels } -> std::convertible_to<bool>;
  loss(device, a);
};

}  // namespace minitrain::inline MINITRAIN_ABI
