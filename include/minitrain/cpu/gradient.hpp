#pragma once
// clip_values, add_gradient_squares on the CPU.

#include <minitrain/core/gradient_clip.hpp>
#include <minitrain/cpu/math.hpp>
#include <minitrain/cpu/norm.hpp>

#define MINITRAIN_KERNELS <minitrain/cpu/gradient.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <class T>
void clip_values_on(Isa isa, T limit, std::size_t count, T* x) {
  MINITRAIN_DISPATCH(isa, T, clip_values<T>(limit, count, x));
}
template <class T>
void gradient_squares_on(Isa isa, std::size_t rows, const T* x, std::size_t in, const T* dy, std::size_t out,
                         double bias, double* terms) {
  MINITRAIN_DISPATCH(isa, T, gradient_squares<T>(rows, x, in, dy, out, bias, terms));
}

}  // namespace cpu

/// See core/gradient_clip.hpp.
template <class T>
void clip_values(const Cpu& device, const View<T>& sums, const View<const double>& totals, double limit) {
  const T bound = T(limit * totals[1]);
  device.parallel(sums.size(), 1024, 4.0 * static_cast<double>(sums.size()), [&](std::size_t begin, std::size_t end) {
    cpu::clip_values_on<T>(device.isa(), bound, end - begin, sums.data() + begin);
  });
}

/// See core/gradient_clip.hpp.
template <class T>
void add_gradient_squares(const Cpu& device, const View<const T>& x, const View<const T>& dy, bool bias,
                          const View<double>& sum) {
  const std::size_t rows = x.rows(), in = x.columns(), out = dy.columns();
  if (rows == 0) return;
  double* const terms = device.scratch<double>(0, rows);
  device.parallel(rows, 8, 2.0 * static_cast<double>(rows * (in + out)), [&](std::size_t begin, std::size_t end) {
    cpu::gradient_squares_on<T>(device.isa(), end - begin, x.data() + begin * in, in, dy.data() + begin * out, out,
                                bias ? 1.0 : 0.0, terms + begin);
  });
  sum[0] += cpu::sum_in_lanes<false>(device, static_cast<const double*>(terms), rows);
}

}  // namespace minitrain::inline MINITRAIN_ABI
