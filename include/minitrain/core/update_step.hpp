#pragma once
// What an optimizer step works on, and the rules of the device operations that run one.

#include <minitrain/core/parameter_tensor.hpp>
#include <minitrain/core/view.hpp>

#include <span>

namespace minitrain::inline MINITRAIN_ABI {

/// One optimizer step over the slabs of a model. All views have the same number of elements, but for moments of another
/// MomentLayout. The mean gradient is g = gradient_sums·gradient_scale; `moments` has as many slabs as the optimizer
/// asked for, all zero before step 1.
template <class T, class Device = Cpu>
struct UpdateStep {
  View<T, Device> parameters;
  View<const T, Device> gradient_sums;
  std::span<const View<T, Device>> moments;
  double gradient_scale = 1;  // 1 / samples, times the clipping factor if there is one
  double learning_rate = 0;   // of this step
  std::size_t step = 1;       // 1 at the first step
  /// Of a step whose loss the host has not waited for: [2] on the device, gradient_scale and 1 if everything is to stay
  /// as it is, else 0. Empty: gradient_scale above.
  View<const double, Device> queued_scale{};
  /// The tensors in the slabs, in order; what lies between them is padding. Empty: one vector of all parameters. What
  /// treats all elements alike need not look at them, but for groups (optim/each_group.hpp).
  std::span<const ParameterTensor> tensors{};
};

/// g += weight_decay·p, then b = momentum·b + g and p -= learning_rate·d, where d is g without momentum, b with it, and
/// g + momentum·b with Nesterov's.
///   sgd_update(device, SgdRule, UpdateStep)      moments: b if momentum > 0
struct SgdRule {
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
};

/// m += (1 - beta1)·(g - m),  v = beta2·v + (1 - beta2)·g²,
/// p -= learning_rate / (1 - beta1^step) · m / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)
/// after g += weight_decay·p or, decoupled, p *= 1 - learning_rate·weight_decay.
///   adam_update(device, AdamRule, UpdateStep)    moments: m, v
struct AdamRule {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;

  /// Whether weight decay is part of the gradient, which is scaled before then.
  constexpr bool has_l2() const noexcept { return weight_decay != 0 && !decoupled; }
};

/// g += weight_decay·p, then v = alpha·v + (1 - alpha)·g²; centered, m += (1 - alpha)·(g - m) and v - m² in place of v
/// in what follows; d = g / (sqrt(v) + epsilon), with momentum b = momentum·b + d and b in place of d; p -=
/// learning_rate·d.
///   rmsprop_update(device, RmspropRule, UpdateStep)      moments: v, then b if momentum > 0, then m if centered
struct RmspropRule {
  double alpha = 0.99;
  double epsilon = 1e-8;
  double momentum = 0;
  bool centered = false;
  double weight_decay = 0;
};

/// g += weight_decay·p, then s += g², where s begins with initial_accumulator, and
/// p -= learning_rate / (1 + (step - 1)·learning_rate_decay) · g / (sqrt(s) + epsilon).
///   adagrad_update(device, AdagradRule, UpdateStep)      moments: s
struct AdagradRule {
  double learning_rate_decay = 0;
  double initial_accumulator = 0;
  double epsilon = 1e-10;
  double weight_decay = 0;
};

/// a += weight·(p - a), and then p = a if copies_back. Weight 1 is a copy, to the bit.
///   average_update(device, AverageRule, UpdateStep)      moments: a; the gradient is not looked at
struct AverageRule {
  double weight = 1;
  bool copies_back = false;
};

}  // namespace minitrain::inline MINITRAIN_ABI
