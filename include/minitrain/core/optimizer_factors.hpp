#pragma once
// An optimizer's rule and one step of it as the numbers that each element needs.

#include <minitrain/core/update_step.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI {

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
  f.epsilon = T(rule.epsilon);
  if constexpr (std::is_floating_point_v<T>) f.epsilon = std::max(f.epsilon, std::numeric_limits<T>::min());
  f.rate = T(learning_rate / (1 - detail::power(rule.beta1, step)));
  f.keep = T(rule.decoupled ? std::fma(-learning_rate, rule.weight_decay, 1.0) : 1.0);
  f.scale = T(scale);
  f.weight_decay = T(l2 ? rule.weight_decay : 0.0);
  return f;
}

}  // namespace minitrain::inline MINITRAIN_ABI
