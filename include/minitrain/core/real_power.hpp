#pragma once
// real_power: x^y without the C library, for factors of optimizer steps.

#include <minitrain/config.hpp>

#include <cmath>
#include <limits>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// x^y for finite x > 0, with a relative error of about 2e-16·(3 + |y·log(x)|); 1 to the bit where y is 0 or x is 1.
/// Products meet sums in std::fma alone, so the bits are the same on every machine.
inline double real_power(double x, double y) noexcept {
  constexpr double ln2 = 0.69314718055994530942;
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // in [1/2, 1)
  if (m < 0.70710678118654752440) m *= 2, --exponent;
  // log(m) = 2·(s + s³/3 + s⁵/5 + ...), s = (m - 1) / (m + 1), |s| < 0.172
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 1.0 / 25;
  for (int k = 23; k >= 1; k -= 2) sum = std::fma(sum, square, 1.0 / k);
  const double log = y * std::fma(2 * s, sum, exponent * ln2);
  if (!(std::abs(log) < 700)) return log < 0 ? 0 : std::numeric_limits<double>::infinity();
  // exp(log) = 2^n·exp(r), |r| < 0.347
  const double n = std::nearbyint(log / ln2), r = std::fma(-n, ln2, log);
  double e = 1;
  for (int k = 15; k >= 1; --k) e = std::fma(e, r / k, 1.0);
  return std::ldexp(e, static_cast<int>(n));
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail
