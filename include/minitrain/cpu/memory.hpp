#pragma once
// Memory operations of the CPU device: fill and copy.

#include <minitrain/core/traffic.hpp>
#include <minitrain/cpu/device.hpp>

#include <algorithm>

namespace minitrain::inline MINITRAIN_ABI {

template <class T>
void fill_zero(const Cpu&, const View<T, Cpu>& y) {
  std::fill_n(y.data(), y.size(), T(0));
}

/// Between host memory and the device's: for the CPU one and the same.
template <class T>
void copy_from_host(const Cpu&, const T* host, const View<T, Cpu>& y) {
  std::copy_n(host, y.size(), y.data());
}
template <class T>
void copy_to_host(const Cpu&, const View<const T, Cpu>& x, T* host) {
  std::copy_n(x.data(), x.size(), host);
}

/// Nothing is copied between host memory and the device's: they are one.
inline Traffic traffic(const Cpu&) noexcept { return {}; }

/// Whether no element is infinite or NaN.
template <class T>
bool all_finite(const Cpu&, const View<const T, Cpu>& x) {
  T sum(0);  // 0·x is 0, or NaN where x is not finite, and stays so
  for (const T& value : x) sum += T(0) * value;
  return sum == T(0);
}

/// The first i where x[i] is not in [low, high], as NaN never is; x.size() when all are.
template <class T>
std::size_t first_outside(const Cpu&, const View<const T, Cpu>& x, double low, double high) {
  std::size_t i = 0;
  while (i < x.size() && static_cast<double>(x[i]) >= low && static_cast<double>(x[i]) <= high) ++i;
  return i;
}

}  // namespace minitrain::inline MINITRAIN_ABI
