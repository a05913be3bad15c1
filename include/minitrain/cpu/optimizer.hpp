#pragma once
// sgd_update, adam_update, rmsprop_update, adagrad_update, average_update on the CPU: one pass over the slabs.

#include <minitrain/core/optimizer_factors.hpp>
#include <minitrain/cpu/dispatch.hpp>
#include <minitrain/cpu/math.hpp>

#define MINITRAIN_KERNELS <minitrain/cpu/optimizer.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

constexpr std::size_t optimizer_grain = 1024;  // elements: whole cache lines for each thread

template <Momentum Kind, class T>
void run_sgd(const Cpu& device, const SgdFactors<T>& f, const UpdateStep<T, Cpu>& s) {
  T* const p = s.parameters.data();
  const T* const g = s.gradient_sums.data();
  T* const b = Kind == Momentum::none ? nullptr : s.moments[0].data();
  const std::size_t count = s.parameters.size();
  device.parallel(count, optimizer_grain, 8.0 * static_cast<double>(count), [&](std::size_t begin, std::size_t end) {
    MINITRAIN_DISPATCH(device.isa(), T, sgd<T, Kind>(f, begin, end, p, g, b));
  });
}

template <bool L2, class T>
void run_adam(const Cpu& device, const AdamFactors<T>& f, const UpdateStep<T, Cpu>& s) {
  T* const p = s.parameters.data();
  const T* const g = s.gradient_sums.data();
  T* const m = s.moments[0].data();
  T* const v = s.moments[1].data();
  const std::size_t count = s.parameters.size();
  device.parallel(count, optimizer_grain, 24.0 * static_cast<double>(count), [&](std::size_t begin, std::size_t end) {
    MINITRAIN_DISPATCH(device.isa(), T, adam<T, L2>(f, begin, end, p, g, m, v));
  });
}

template <class Form, class Factors, class T>
void run_form(const Cpu& device, Form form, const Factors& f, const UpdateStep<T, Cpu>& s) {
  T* const p = s.parameters.data();
  const T* const g = s.gradient_sums.data();
  const MomentPointers<T> moments = moment_pointers(s, Form::moments);
  const std::size_t count = s.parameters.size();
  device.parallel(count, optimizer_grain, 24.0 * static_cast<double>(count), [&](std::size_t begin, std::size_t end) {
    MINITRAIN_DISPATCH(device.isa(), T, update_elements<T>(form, f, begin, end, p, g, moments));
  });
}

}  // namespace cpu

/// See SgdRule.
template <class T>
void sgd_update(const Cpu& device, const SgdRule& rule, const UpdateStep<T, Cpu>& step) {
  const SgdFactors<T> f{T(step.learning_rate), T(step.gradient_scale), T(rule.momentum), T(rule.weight_decay)};
  if (rule.momentum == 0) return cpu::run_sgd<Momentum::none>(device, f, step);
  if (rule.nesterov) return cpu::run_sgd<Momentum::nesterov>(device, f, step);
  cpu::run_sgd<Momentum::classic>(device, f, step);
}

/// See AdamRule. In float, sqrt(v) is within 1 ulp of the exact root (1.4 ulp on a processor without FMA), everything
/// else is rounded as written, and p stays within 1e-6 of PyTorch's float32 after 100 steps. Where v overflows to
/// infinity the step is 0, as the formula says; NaN stays NaN.
template <class T>
void adam_update(const Cpu& device, const AdamRule& rule, const UpdateStep<T, Cpu>& step) {
  const auto f = adam_factors<T>(rule, step.learning_rate, step.gradient_scale, step.step);
  if (rule.has_l2()) return cpu::run_adam<true>(device, f, step);
  cpu::run_adam<false>(device, f, step);
}

/// See RmspropRule. The root is that of adam_update.
template <class T>
void rmsprop_update(const Cpu& device, const RmspropRule& rule, const UpdateStep<T, Cpu>& step) {
  const auto f = rmsprop_factors<T>(rule, step.learning_rate, step.gradient_scale);
  const bool moves = rule.momentum != 0;
  if (moves && rule.centered) return cpu::run_form(device, RmspropForm<true, true>{}, f, step);
  if (moves) return cpu::run_form(device, RmspropForm<true, false>{}, f, step);
  if (rule.centered) return cpu::run_form(device, RmspropForm<false, true>{}, f, step);
  cpu::run_form(device, RmspropForm<false, false>{}, f, step);
}

/// See AdagradRule. The root is that of adam_update.
template <class T>
void adagrad_update(const Cpu& device, const AdagradRule& rule, const UpdateStep<T, Cpu>& step) {
  const auto f = adagrad_factors<T>(rule, step.learning_rate, step.gradient_scale, step.step);
  cpu::run_form(device, AdagradForm{}, f, step);
}

/// See AverageRule.
template <class T>
void average_update(const Cpu& device, const AverageRule& rule, const UpdateStep<T, Cpu>& step) {
  const AverageFactors<T> f{T(rule.weight)};
  if (rule.copies_back) return cpu::run_form(device, AverageForm<true>{}, f, step);
  cpu::run_form(device, AverageForm<false>{}, f, step);
}

}  // namespace minitrain::inline MINITRAIN_ABI
