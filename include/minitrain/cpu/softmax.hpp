#pragma once
// softmax_forward, softmax_backward on the CPU.

#include <minitrain/cpu/dispatch.hpp>
#include <minitrain/cpu/math.hpp>

#define MINITRAIN_KERNELS <minitrain/cpu/softmax.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <class T>
void softmax_on(Isa isa, const T* x, std::size_t rows, std::size_t columns, T* y) {
  MINITRAIN_DISPATCH(isa, T, softmax_rows<T>(x, rows, columns, y));
}

template <class T>
void softmax_gradient_on(Isa isa, const T* y, const T* dy, std::size_t rows, std::size_t columns, T* dx) {
  MINITRAIN_DISPATCH(isa, T, softmax_gradient_rows<T>(y, dy, rows, columns, dx));
}

}  // namespace cpu

/// y(i, j) = exp(x(i, j) - m_i) / Σ_k exp(x(i, k) - m_i), m_i the largest of row i; x and y [B, n]. `y` may be `x`. A
/// row with NaN or +infinity in it, or with nothing but -infinity, becomes NaN.
template <class T>
void softmax_forward(const Cpu& device, View<const T> x, View<T> y) {
  const std::size_t columns = y.columns();
  device.parallel(y.rows(), 1, 24.0 * static_cast<double>(y.size()), [&](std::size_t begin, std::size_t end) {
    cpu::softmax_on(device.isa(), x.data() + begin * columns, end - begin, columns, y.data() + begin * columns);
  });
}

/// dx(i, j) = y(i, j)·(dy(i, j) - Σ_k dy(i, k)·y(i, k)), where y [B, n] is what softmax_forward gave. `dx` may be `dy`.
template <class T>
void softmax_backward(const Cpu& device, View<const T> y, View<const T> dy, View<T> dx) {
  const std::size_t columns = dx.columns();
  device.parallel(dx.rows(), 1, 8.0 * static_cast<double>(dx.size()), [&](std::size_t begin, std::size_t end) {
    const std::size_t at = begin * columns;
    cpu::softmax_gradient_on(device.isa(), y.data() + at, dy.data() + at, end - begin, columns, dx.data() + at);
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI
