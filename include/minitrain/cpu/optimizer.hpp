#pragma once
// sgd_update, adam_update on the CPU: one pass over the slabs.

#include <minitrain/core/update_step.hpp>
#include <minitrain/cpu/dispatch.hpp>
#include <minitrain/cpu/math.hpp>

#include <cmath>
#include <limits>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI::cpu {

enum class Momentum { none, classic, nesterov };

/// An SgdRule and a step as the numbers that each element needs.
template <class T>
struct SgdFactors {
  T rate, scale, momentum, weight_decay;
};

/// An AdamRule and a step as the numbers that each element needs. All are computed in double and rounded once.
template <class T>
struct AdamFactors {
  T forget;           // 1 - beta1
  T gradient_weight;  // (1 - beta1)·scale, or 1 - beta1 when the gradient is scaled before
  T beta2;
  T root_square_weight;  // sqrt(1 - beta2)·scale, or sqrt(1 - beta2)
  T root_correction;     // 1 / sqrt(1 - beta2^step)
  T epsilon;
  T rate;                 // learning rate / (1 - beta1^step)
  T keep;                 // 1 - learning rate·weight decay, if decoupled
  T scale, weight_decay;  // used for weight decay of the L2 kind
};

/// base^n for 0 <= base < 1, by squaring: multiplications alone, so that no machine's library shows. 0 where it is
/// below exp(-40), which subtracted from 1 leaves 1.
inline double power(double base, std::size_t n) noexcept {
  if ((1 - base) * static_cast<double>(n) > 40) return 0;
  double result = 1;
  for (; n != 0; n >>= 1, base *= base) {
    if (n % 2 != 0) result *= base;
  }
  return result;
}

template <class T>
AdamFactors<T> adam_factors(const AdamRule& rule, double learning_rate, double scale, std::size_t step) {
  const bool l2 = rule.weight_decay != 0 && !rule.decoupled;
  const double early = l2 ? 1.0 : scale;
  AdamFactors<T> f;
  f.forget = T(1 - rule.beta1);
  f.gradient_weight = T((1 - rule.beta1) * early);
  f.beta2 = T(rule.beta2);
  f.root_square_weight = T(std::sqrt(1 - rule.beta2) * early);
  f.root_correction = T(1 / std::sqrt(1 - power(rule.beta2, step)));
  f.epsilon = T(rule.epsilon);
  if constexpr (std::is_floating_point_v<T>) f.epsilon = std::max(f.epsilon, std::numeric_limits<T>::min());
  f.rate = T(learning_rate / (1 - power(rule.beta1, step)));
  f.keep = T(rule.decoupled ? std::fma(-learning_rate, rule.weight_decay, 1.0) : 1.0);
  f.scale = T(scale);
  f.weight_decay = T(l2 ? rule.weight_decay : 0.0);
  return f;
}

}  // namespace minitrain::inline MINITRAIN_ABI::cpu

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

}  // namespace cpu

/// See SgdRule.
template <class T>
void sgd_update(const Cpu& device, const SgdRule& rule, const UpdateStep<T, Cpu>& step) {
  const cpu::SgdFactors<T> f{T(step.learning_rate), T(step.gradient_scale), T(rule.momentum), T(rule.weight_decay)};
  if (rule.momentum == 0) return cpu::run_sgd<cpu::Momentum::none>(device, f, step);
  if (rule.nesterov) return cpu::run_sgd<cpu::Momentum::nesterov>(device, f, step);
  cpu::run_sgd<cpu::Momentum::classic>(device, f, step);
}

/// See AdamRule. In float, sqrt(v) is within 1 ulp of the exact root (1.4 ulp on a processor without FMA), everything
/// else is rounded as written, and p stays within 1e-6 of PyTorch's float32 after 100 steps. Where v overflows to
/// infinity the step is 0, as the formula says; NaN stays NaN.
template <class T>
void adam_update(const Cpu& device, const AdamRule& rule, const UpdateStep<T, Cpu>& step) {
  const auto f = cpu::adam_factors<T>(rule, step.learning_rate, step.gradient_scale, step.step);
  if (f.weight_decay != T(0)) return cpu::run_adam<true>(device, f, step);
  cpu::run_adam<false>(device, f, step);
}

}  // namespace minitrain::inline MINITRAIN_ABI
