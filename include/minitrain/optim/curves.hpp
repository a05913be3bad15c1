#pragma once
// The curves that schedules follow, in double. The library's own, of fused multiply-adds alone, so that no machine's
// mathematics shows in a learning rate (docs/numerics.md).

#include <minitrain/config.hpp>

#include <cmath>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// from + (to - from)·share for share in [0, 1], exact at both ends.
inline double between(double from, double to, double share) noexcept {
  return share >= 1 ? to : std::fma(to - from, share, from);
}

/// sin(x) for |x| <= π/4, by its series, which ends below 1e-17.
inline double sine_of_small(double x) noexcept {
  constexpr double terms[] = {-1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880,
                              -1.0 / 5040,          1.0 / 120,        -1.0 / 6,        1.0};
  const double square = x * x;
  double sum = terms[0];
  for (int i = 1; i < 8; ++i) sum = std::fma(sum, square, terms[i]);
  return x * sum;
}

/// (1 + cos(π·share))/2 for share in [0, 1]: from 1 to 0, exactly so at the ends.
inline double half_cosine(double share) noexcept {
  constexpr double half_pi = 1.57079632679489661923;
  if (share > 0.5) {
    const double sine = sine_of_small(half_pi * (1 - share));
    return sine * sine;
  }
  const double sine = sine_of_small(half_pi * share);
  return std::fma(-sine, sine, 1.0);
}

/// 2^-x for x >= 0.
inline double half_to_the(double x) noexcept {
  constexpr double log_2 = 0.69314718055994530942;
  if (!(x < 1100)) return 0;
  const double whole = std::floor(x + 0.5), y = (whole - x) * log_2;  // |y| <= log(2)/2
  double sum = 1;
  for (int i = 17; i > 0; --i) sum = std::fma(sum * (1.0 / i), y, 1.0);  // 1 + y/1·(1 + y/2·(1 + ...))
  return std::ldexp(sum, -static_cast<int>(whole));
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail
