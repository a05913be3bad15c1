// Layer normalisation, once per instruction set; see cpu/for_each_isa.hpp.

#include <minitrain/core/elements/layer_norm.inl>

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// Σ x over a row.
template <class T>
MINITRAIN_INLINE T row_sum(const T* x, std::size_t n) {
  using V = Vec<T>;
  V sum = V::zero();
  for (std::size_t j = 0; j < n; j += V::lanes) sum = sum + load_left<V>(x + j, n - j);
  return sum.sum();
}

/// Σ (x - mean)² over a row.
template <class T>
MINITRAIN_INLINE T row_deviation(const T* x, std::size_t n, Vec<T> mean) {
  using V = Vec<T>;
  V sum = V::zero();
  for (std::size_t j = 0; j < n; j += V::lanes) {
    const V d = select_left<V>(load_left<V>(x + j, n - j) - mean, V::zero(), n - j);
    sum = fma(d, d, sum);
  }
  return sum.sum();
}

/// y and mean_rstd of every row.
template <class T>
MINITRAIN_TARGET void layer_norm_rows(T epsilon, const LayerNormRows<T>& r, const T* shift, T* y, T* mean_rstd) {
  using V = Vec<T>;
  using std::sqrt;
  const std::size_t n = r.columns;
  const T divisor = T(static_cast<double>(n));
  const T* x = r.x;
  for (std::size_t i = 0; i < r.rows; ++i, x += n, y += n, mean_rstd += 2) {
    mean_rstd[0] = row_sum(x, n) / divisor;
    const V mean = V::set(mean_rstd[0]);
    const T variance = row_deviation<T>(x, n, mean) / divisor;
    mean_rstd[1] = T(1) / T(sqrt(variance + epsilon));
    const LayerNormRow<V> row{mean, V::set(mean_rstd[1])};
    for (std::size_t j = 0; j < n; j += V::lanes) {
      const V gain = load_left<V>(r.gain + j, n - j), offset = load_left<V>(shift + j, n - j);
      store_left<V>(row.output(load_left<V>(x + j, n - j), gain, offset), y + j, n - j);
    }
  }
}

/// dx of every row: rstd·(g - mean(g) - x̂·mean(g·x̂)) with g = dy·gain.
template <class T>
MINITRAIN_TARGET void layer_norm_gradient_rows(const LayerNormRows<T>& r, const T* mean_rstd, const T* dy, T* dx) {
  using V = Vec<T>;
  const std::size_t n = r.columns;
  const T divisor = T(static_cast<double>(n));
  const T* x = r.x;
  for (std::size_t i = 0; i < r.rows; ++i, x += n, dy += n, dx += n, mean_rstd += 2) {
    const LayerNormRow<V> row{V::set(mean_rstd[0]), V::set(mean_rstd[1])};
    V sum = V::zero(), product = V::zero();
    for (std::size_t j = 0; j < n; j += V::lanes) {
      const V d = load_left<V>(dy + j, n - j), gain = load_left<V>(r.gain + j, n - j);
      sum = fma(d, gain, sum);
      product = fma(d * gain, row.normal(load_left<V>(x + j, n - j)), product);
    }
    const V minus_mean = V::set(T(0) - sum.sum() / divisor);
    const V slope = V::set(product.sum() / divisor);
    for (std::size_t j = 0; j < n; j += V::lanes) {
      const V d = load_left<V>(dy + j, n - j), gain = load_left<V>(r.gain + j, n - j);
      store_left<V>(row.gradient(load_left<V>(x + j, n - j), d, gain, minus_mean, slope), dx + j, n - j);
    }
  }
}

/// dgain += Σ dy·x̂ and dshift += Σ dy for columns [begin, end), one row after the other.
template <class T>
MINITRAIN_TARGET void layer_norm_sums(const LayerNormRows<T>& r, const T* mean_rstd, const T* dy, std::size_t begin,
                                      std::size_t end, T* dgain, T* dshift) {
  using V = Vec<T>;
  const T* x = r.x;
  for (std::size_t i = 0; i < r.rows; ++i, x += r.columns, dy += r.columns, mean_rstd += 2) {
    const LayerNormRow<V> row{V::set(mean_rstd[0]), V::set(mean_rstd[1])};
    for (std::size_t j = begin; j < end; j += V::lanes) {
      const V d = load_left<V>(dy + j, end - j), normal = row.normal(load_left<V>(x + j, end - j));
      store_left<V>(fma(d, normal, load_left<V>(dgain + j, end - j)), dgain + j, end - j);
      store_left<V>(load_left<V>(dshift + j, end - j) + d, dshift + j, end - j);
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
