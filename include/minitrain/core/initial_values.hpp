#pragma once
// InitialValues: the numbers that a tensor begins with, a function of (seed, tensor, element), the same on every
// device.

#include <minitrain/core/elements/constants.hpp>
#include <minitrain/core/random.hpp>

#include <cmath>
#include <cstddef>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

/// Element i is `scale`, or `scale` times number i of the stream, uniform on [-1, 1) or of N(0, 1).
///   fill_initial(device, InitialValues, y)
struct InitialValues {
  enum class Kind { constant, uniform, normal };
  Kind kind = Kind::constant;
  double scale = 0;
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;  // tells one tensor from another
};

/// Numerators and denominators of P. J. Acklam's approximation, in (p - 1/2)² in the middle and in sqrt(-2·log p) in
/// the tail, and atanh(z)/z in z²; highest powers first.
struct NormalQuantile {
  static constexpr double middle_above[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                                            1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  static constexpr double middle_below[] = {-5.447609879822406e+01, 1.615858368580409e+02,  -1.556989798598866e+02,
                                            6.680131188771972e+01,  -1.328068155288572e+01, 1.0};
  static constexpr double tail_above[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                                          -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  static constexpr double tail_below[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                                          3.754408661907416e+00, 1.0};
  static constexpr double atanh[] = {1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1.0};
};

namespace scalar {

/// One double of the host, for core/elements.
struct Double {
  using value_type = double;
  static constexpr bool is_generic = false;
  double v;

  static Double zero() { return {0}; }
  static Double set(double x) { return {x}; }
  friend Double operator+(Double a, Double b) { return {a.v + b.v}; }
  friend Double operator-(Double a, Double b) { return {a.v - b.v}; }
  friend Double operator*(Double a, Double b) { return {a.v * b.v}; }
  friend Double operator/(Double a, Double b) { return {a.v / b.v}; }
  friend Double operator-(Double a) { return {-a.v}; }
  friend Double fma(Double a, Double b, Double c) { return {std::fma(a.v, b.v, c.v)}; }
  friend Double sqrt(Double a) { return {std::sqrt(a.v)}; }
  friend bool greater(Double a, Double b) { return a.v > b.v; }
  friend void frexp(Double v, Double& m, Double& e) {
    int exponent = 0;
    m.v = std::frexp(v.v, &exponent);
    e.v = exponent;
  }
};

}  // namespace scalar
}  // namespace minitrain::inline MINITRAIN_ABI

#define MINITRAIN_ISA scalar
#define MINITRAIN_INLINE inline
#include <minitrain/core/elements/functions.inl>

#include <minitrain/core/elements/initial.inl>
#undef MINITRAIN_ISA
#undef MINITRAIN_INLINE

namespace minitrain::inline MINITRAIN_ABI {

/// Number `i` of N(0, 1), by inverting the distribution function at one uniform number.
inline double normal(const Random& random, std::uint64_t i) {
  return scalar::normal_number(scalar::Double{random.uniform(i)}).v;
}

/// y[i] = the value of element first + i, for i below `count`; y in host memory.
template <class T>
void initial_elements(const InitialValues& values, std::uint64_t first, std::size_t count, T* y) {
  using Kind = InitialValues::Kind;
  const Random random(values.seed, RandomPurpose::initialise, values.stream);
  for (std::size_t i = 0; i < count; ++i) {
    double x = 1;
    if (values.kind == Kind::uniform) x = 2 * random.uniform(first + i) - 1;
    if (values.kind == Kind::normal) x = normal(random, first + i);
    y[i] = T(values.scale * x);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
