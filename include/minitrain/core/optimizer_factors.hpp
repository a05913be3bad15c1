#pragma once
// An optimizer's rule and one step of it as the numbers that each element needs.

#include <minitrain/core/update_step.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI {

enum class Momentum { none, classic, nesterov };

/// The moments of a step whose kernel is one for all rules.
template <class T>
struct MomentPointers {
  T* slab[3];
};
template <class T, class Device>
MomentPointers<T> moment_pointers(const UpdateStep<T, Device>& step, int count) {
  MomentPointers<T> pointers{};
  for (int i = 0; i < count; ++i) pointers.slab[i] = step.moments[static_cast<std::size_t>(i)].data();
  return pointers;
}

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

namespace detail {

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

/// T(x), or the smallest normal number where that would be less: what keeps 0/0 away must not be flushed to zero.
template <class T>
T at_least_normal(double x) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    return std::max(T(x), std::numeric_limits<T>::min());
  } else {
    return T(x);
  }
}

}  // namespace detail

template <class T>
AdamFactors<T> adam_factors(const AdamRule& rule, double learning_rate, double scale, std::size_t step) {
  const bool l2 = rule.has_l2();
  const double early = l2 ? 1.0 : scale;
  AdamFactors<T> f;
  f.forget = T(1 - rule.beta1);
  f.gradient_weight = T((1 - rule.beta1) * early);
  f.beta2 = T(rule.beta2);
  f.root_square_weight = T(std::sqrt(1 - rule.beta2) * early);
  f.root_correction = T(1 / std::sqrt(1 - detail::power(rule.beta2, step)));
  f.epsilon = detail::at_least_normal<T>(rule.epsilon);
  f.rate = T(learning_rate / (1 - detail::power(rule.beta1, step)));
  f.keep = T(rule.decoupled ? std::fma(-learning_rate, rule.weight_decay, 1.0) : 1.0);
  f.scale = T(scale);
  f.weight_decay = T(l2 ? rule.weight_decay : 0.0);
  return f;
}

/// How an RmspropRule goes.
template <bool Moves, bool Centered>
struct RmspropForm {
  static constexpr int moments = 1 + (Moves ? 1 : 0) + (Centered ? 1 : 0);
};

/// An RmspropRule and a step as the numbers that each element needs.
template <class T>
struct RmspropFactors {
  T alpha, forget;  // forget = 1 - alpha
  T epsilon, momentum, rate, scale, weight_decay;
};

template <class T>
RmspropFactors<T> rmsprop_factors(const RmspropRule& rule, double learning_rate, double scale) {
  return {T(rule.alpha),       T(1 - rule.alpha), detail::at_least_normal<T>(rule.epsilon),
          T(rule.momentum),    T(learning_rate),  T(scale),
          T(rule.weight_decay)};
}

struct AdagradForm {
  static constexpr int moments = 1;
};

/// An AdagradRule and a step as the numbers that each element needs.
template <class T>
struct AdagradFactors {
  T initial;  // 0 after the first step
  T epsilon, rate, scale, weight_decay;
};

template <class T>
AdagradFactors<T> adagrad_factors(const AdagradRule& rule, double learning_rate, double scale, std::size_t step) {
  const double slowed = std::fma(static_cast<double>(step - 1), rule.learning_rate_decay, 1.0);
  return {T(step == 1 ? rule.initial_accumulator : 0.0), detail::at_least_normal<T>(rule.epsilon),
          T(learning_rate / slowed), T(scale), T(rule.weight_decay)};
}

template <bool CopiesBack>
struct AverageForm {
  static constexpr int moments = 1;
};

template <class T>
struct AverageFactors {
  T weight;
};

}  // namespace minitrain::inline MINITRAIN_ABI
