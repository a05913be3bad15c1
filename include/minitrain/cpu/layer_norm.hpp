#pragma once
// layer_norm_forward, layer_norm_backward on the CPU.

#include <minitrain/cpu/dispatch.hpp>
#include <minitrain/cpu/math.hpp>

#include <algorithm>

namespace minitrain::inline MINITRAIN_ABI::cpu {

/// Rows of a layer norm: x [rows, columns], gain and shift [columns], mean and 1/sqrt(variance + epsilon) [rows, 2].
template <class T>
struct LayerNormRows {
  std::size_t rows, columns;
  const T* x;
  const T* gain;
};

}  // namespace minitrain::inline MINITRAIN_ABI::cpu

#define MINITRAIN_KERNELS <minitrain/cpu/layer_norm.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <class T>
void layer_norm_on(Isa isa, T epsilon, const LayerNormRows<T>& r, const T* shift, T* y, T* mean_rstd) {
  MINITRAIN_DISPATCH(isa, T, layer_norm_rows<T>(epsilon, r, shift, y, mean_rstd));
}

template <class T>
void layer_norm_gradient_on(Isa isa, const LayerNormRows<T>& r, const T* mean_rstd, const T* dy, T* dx) {
  MINITRAIN_DISPATCH(isa, T, layer_norm_gradient_rows<T>(r, mean_rstd, dy, dx));
}

template <class T>
void layer_norm_sums_on(Isa isa, const LayerNormRows<T>& r, const T* mean_rstd, const T* dy, std::size_t begin,
                        std::size_t end, T* dgain, T* dshift) {
  MINITRAIN_DISPATCH(isa, T, layer_norm_sums<T>(r, mean_rstd, dy, begin, end, dgain, dshift));
}

}  // namespace cpu

/// y = x̂·gain + shift with x̂(i, j) = (x(i, j) - mean_i)·rstd_i, rstd_i = 1/sqrt(variance_i + epsilon), where mean and
/// variance (biased: the sum of squares over n) are those of row i. x and y [B, n], gain and shift [n]; mean_rstd [B,
/// 2] receives mean_i and rstd_i for the backward pass. Ba, Kiros, Hinton, "Layer Normalization", 2016. `y` may be `x`,
/// but layer_norm_backward needs x.
template <class T>
void layer_norm_forward(const Cpu& device, double epsilon, View<const T> x, View<const T> gain, View<const T> shift,
                        View<T> y, View<T> mean_rstd) {
  const std::size_t columns = y.columns();
  device.parallel(y.rows(), 1, 8.0 * static_cast<double>(y.size()), [&](std::size_t begin, std::size_t end) {
    const std::size_t at = begin * columns;
    const cpu::LayerNormRows<T> rows{end - begin, columns, x.data() + at, gain.data()};
    cpu::layer_norm_on(device.isa(), T(epsilon), rows, shift.data(), y.data() + at, mean_rstd.data() + 2 * begin);
  });
}

/// With g = dy·gain and means over each row: dx = rstd·(g - mean(g) - x̂·mean(g·x̂)); over the samples, in their order:
/// dgain = Σ dy·x̂, dshift = Σ dy. `add`: the sums start from what dgain and dshift hold, otherwise from zero. Nothing
/// for dx when it is empty; it may be `dy`.
template <class T>
void layer_norm_backward(const Cpu& device, View<const T> x, View<const T> gain, View<const T> mean_rstd,
                         View<const T> dy, View<T> dx, View<T> dgain, View<T> dshift, bool add) {
  const std::size_t columns = gain.size(), batch = x.rows();
  const double work = 8.0 * static_cast<double>(x.size());
  device.parallel(columns, 64, work, [&](std::size_t begin, std::size_t end) {
    if (!add) {
      std::fill(dgain.data() + begin, dgain.data() + end, T(0));
      std::fill(dshift.data() + begin, dshift.data() + end, T(0));
    }
    const cpu::LayerNormRows<T> rows{batch, columns, x.data(), gain.data()};
    cpu::layer_norm_sums_on(device.isa(), rows, mean_rstd.data(), dy.data(), begin, end, dgain.data(), dshift.data());
  });
  if (dx.empty()) return;
  device.parallel(batch, 1, work, [&](std::size_t begin, std::size_t end) {
    const std::size_t at = begin * columns;
    const cpu::LayerNormRows<T> rows{end - begin, columns, x.data() + at, gain.data()};
    cpu::layer_norm_gradient_on(device.isa(), rows, mean_rstd.data() + 2 * begin, dy.data() + at, dx.data() + at);
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI
