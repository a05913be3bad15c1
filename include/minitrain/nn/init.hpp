#pragma once
// Initial values of parameters, from Philox: a function of (seed, tensor, element), the same on every machine.

#include <minitrain/core/random.hpp>
#include <minitrain/core/view.hpp>

#include <cmath>

namespace minitrain::inline MINITRAIN_ABI {

/// How a parameter begins. With fan_in inputs and fan_out outputs of the layer:
///   zeros, ones
///   fan_in_uniform   U(-a, a), a = 1/sqrt(fan_in)               PyTorch's default for Linear, weight and bias
///   he_normal        N(0, 2/fan_in)                             He et al., ICCV 2015: for ReLU
///   he_uniform       U(-a, a), a = sqrt(6/fan_in)
///   xavier_normal    N(0, 2/(fan_in + fan_out))                 Glorot & Bengio, AISTATS 2010: for tanh
///   xavier_uniform   U(-a, a), a = sqrt(6/(fan_in + fan_out))
enum class Init { zeros, ones, fan_in_uniform, he_normal, he_uniform, xavier_normal, xavier_uniform };

namespace detail {

/// The x with Phi(x) = p, for 0 < p < 1/2, to about 1e-9 (relative): P. J. Acklam's rational approximation. The square
/// root is correctly rounded everywhere, the logarithm is a fixed series and every product that feeds a sum an explicit
/// fma, so neither the machine's library nor compiler flags show.
inline double normal_quantile_lower(double p) {
  const auto ratio = [](double x, const double(&a)[6], const double* b, int terms) {
    double above = a[0], below = b[0];
    for (int i = 1; i < 6; ++i) above = std::fma(above, x, a[i]);
    for (int i = 1; i < terms; ++i) below = std::fma(below, x, b[i]);
    return above / std::fma(below, x, 1.0);
  };
  constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                          1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
                          -1.328068155288572e+01};
  constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                          -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00};
  if (p >= 0.02425) {
    const double q = p - 0.5;
    return q * ratio(q * q, a, b, 5);
  }
  // -2·log(p): p = m·2^e, log m = 2·atanh((m - 1)/(m + 1)) by its series.
  int e = 0;
  const double m = std::frexp(p, &e) * 1.4142135623730951;
  const double z = (m - 1) / (m + 1), z2 = z * z;
  double series = 0;
  for (int k = 15; k >= 1; k -= 2) series = std::fma(series, z2, 1.0 / k);
  const double log_p = std::fma(2 * z, series, (e - 0.5) * 0.69314718055994531);
  return ratio(std::sqrt(-2 * log_p), c, d, 4);
}

}  // namespace detail

/// Number `i` of N(0, 1), by inverting the distribution function at one uniform number.
inline double normal(const Random& random, std::uint64_t i) {
  const double u = random.uniform(i) + 0x1p-54;  // never 0
  return u < 0.5 ? detail::normal_quantile_lower(u) : -detail::normal_quantile_lower(1 - u);
}

/// Fills `values` (in host memory). `stream` tells one tensor from another.
template <class T>
void initialise(View<T> values, Init init, std::size_t fan_in, std::size_t fan_out, std::uint64_t seed,
                std::uint32_t stream) {
  const Random random(seed, RandomPurpose::initialise, stream);
  const double in = static_cast<double>(fan_in > 0 ? fan_in : 1), both = in + static_cast<double>(fan_out);
  double scale = 0;
  bool gaussian = false;
  switch (init) {
    case Init::zeros:
    case Init::ones:
      for (T& value : values) value = T(init == Init::ones ? 1 : 0);
      return;
    case Init::fan_in_uniform:
      scale = 1 / std::sqrt(in);
      break;
    case Init::he_normal:
      scale = std::sqrt(2 / in), gaussian = true;
      break;
    case Init::he_uniform:
      scale = std::sqrt(6 / in);
      break;
    case Init::xavier_normal:
      scale = std::sqrt(2 / both), gaussian = true;
      break;
    case Init::xavier_uniform:
      scale = std::sqrt(6 / both);
      break;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    values.data()[i] = T(scale * (gaussian ? normal(random, i) : 2 * random.uniform(i) - 1));
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
