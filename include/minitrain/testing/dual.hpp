#pragma once
// Dual: a number that carries its derivative, so that running an operation differentiates it exactly.

#include <minitrain/config.hpp>

#include <cmath>

namespace minitrain::inline MINITRAIN_ABI::testing {

/// value + derivative·ε with ε² = 0: give one input the derivative 1, and every result's derivative is the partial
/// derivative by that input, without rounding steps or differences. Comparisons look at the value alone. CPU operations
/// take Tensor<Dual<double>> as they take Tensor<double>; the functions below are found by argument-dependent lookup.
template <class T>
struct Dual {
  T value{};
  T derivative{};

  constexpr Dual() = default;
  constexpr Dual(T v, T d = T(0)) : value(v), derivative(d) {}

  friend constexpr Dual operator+(const Dual& a) { return a; }
  friend constexpr Dual operator-(const Dual& a) { return {-a.value, -a.derivative}; }
  friend constexpr Dual operator+(const Dual& a, const Dual& b) {
    return {a.value + b.value, a.derivative + b.derivative};
  }
  friend constexpr Dual operator-(const Dual& a, const Dual& b) {
    return {a.value - b.value, a.derivative - b.derivative};
  }
  friend constexpr Dual operator*(const Dual& a, const Dual& b) {
    return {a.value * b.value, a.derivative * b.value + a.value * b.derivative};
  }
  friend constexpr Dual operator/(const Dual& a, const Dual& b) {
    const T quotient = a.value / b.value;
    return {quotient, (a.derivative - quotient * b.derivative) / b.value};
  }
  constexpr Dual& operator+=(const Dual& b) { return *this = *this + b; }
  constexpr Dual& operator-=(const Dual& b) { return *this = *this - b; }
  constexpr Dual& operator*=(const Dual& b) { return *this = *this * b; }
  constexpr Dual& operator/=(const Dual& b) { return *this = *this / b; }

  friend constexpr bool operator==(const Dual& a, const Dual& b) { return a.value == b.value; }
  friend constexpr bool operator!=(const Dual& a, const Dual& b) { return a.value != b.value; }
  friend constexpr bool operator<(const Dual& a, const Dual& b) { return a.value < b.value; }
  friend constexpr bool operator>(const Dual& a, const Dual& b) { return a.value > b.value; }
  friend constexpr bool operator<=(const Dual& a, const Dual& b) { return a.value <= b.value; }
  friend constexpr bool operator>=(const Dual& a, const Dual& b) { return a.value >= b.value; }

  /// f(x) for a function of known value and slope at x.value.
  static constexpr Dual of(const Dual& x, T value, T slope) { return {value, slope * x.derivative}; }

  friend Dual exp(const Dual& x) {
    const T y = std::exp(x.value);
    return of(x, y, y);
  }
  friend Dual expm1(const Dual& x) { return of(x, std::expm1(x.value), std::exp(x.value)); }
  friend Dual log(const Dual& x) { return of(x, std::log(x.value), T(1) / x.value); }
  friend Dual log1p(const Dual& x) { return of(x, std::log1p(x.value), T(1) / (T(1) + x.value)); }
  friend Dual sqrt(const Dual& x) {
    const T y = std::sqrt(x.value);
    return of(x, y, T(0.5) / y);
  }
  friend Dual tanh(const Dual& x) {
    const T y = std::tanh(x.value);
    return of(x, y, T(1) - y * y);
  }
  friend Dual erf(const Dual& x) { return of(x, std::erf(x.value), bell(x.value)); }
  friend Dual erfc(const Dual& x) { return of(x, std::erfc(x.value), -bell(x.value)); }
  /// Derivative 0 at 0, as the library's ReLU has it.
  friend Dual abs(const Dual& x) {
    return of(x, std::abs(x.value), x.value > T(0) ? T(1) : x.value < T(0) ? T(-1) : T(0));
  }

 private:
  /// 2/sqrt(pi)·exp(-x²), the derivative of erf.
  static T bell(T x) { return T(1.1283791670955125739) * std::exp(-x * x); }
};

}  // namespace minitrain::inline MINITRAIN_ABI::testing
