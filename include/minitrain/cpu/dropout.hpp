#pragma once
// dropout_forward, dropout_backward on the CPU.

#include <minitrain/core/dropout_key.hpp>
#include <minitrain/cpu/dispatch.hpp>
#include <minitrain/cpu/math.hpp>

#include <algorithm>

#define MINITRAIN_KERNELS <minitrain/cpu/dropout.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <class T>
void dropout_on(Isa isa, const DropoutKey& key, double p, const T* x, std::size_t rows, std::size_t columns, T* y) {
  MINITRAIN_DISPATCH(isa, T, dropout_rows<T>(key, dropout_threshold(p), T(1 / (1 - p)), x, rows, columns, y));
}

}  // namespace cpu

/// y = x/(1 - p) where the element stays, else 0, with probability p in [0, 1); which it is follows from `key`. x and y
/// [B, n]; `y` may be `x`. With p = 0, y = x.
template <class T>
void dropout_forward(const Cpu& device, const DropoutKey& key, double p, View<const T> x, View<T> y) {
  if (p == 0) {
    if (x.data() != y.data()) std::copy_n(x.data(), y.size(), y.data());
    return;
  }
  const std::size_t columns = y.columns();
  device.parallel(y.rows(), 1, 50.0 * static_cast<double>(y.size()), [&](std::size_t begin, std::size_t end) {
    DropoutKey part = key;
    part.first_row += begin;
    const std::size_t at = begin * columns;
    cpu::dropout_on(device.isa(), part, p, x.data() + at, end - begin, columns, y.data() + at);
  });
}

/// dx = dy/(1 - p) where the element stayed, else 0: the same elements as in the forward pass with the same key.
template <class T>
void dropout_backward(const Cpu& device, const DropoutKey& key, double p, View<const T> dy, View<T> dx) {
  dropout_forward(device, key, p, dy, dx);
}

}  // namespace minitrain::inline MINITRAIN_ABI
