// Softmax, row by row, once per instruction set; see cpu/for_each_isa.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// y = exp(x - max x) / Σ exp(x - max x) for one row of n >= 1 columns.
template <class T>
MINITRAIN_INLINE void softmax_row(const T* x, std::size_t n, T* y) {
  using V = Vec<T>;
  const V first = V::set(x[0]);
  V largest = first;
  for (std::size_t j = 0; j < n; j += V::lanes) {
    largest = max(largest, select_left<V>(load_left<V>(x + j, n - j), first, n - j));
  }
  const V shift = V::set(largest.largest());

  V sum = V::zero();
  for (std::size_t j = 0; j < n; j += V::lanes) {
    const V e = exp(V(load_left<V>(x + j, n - j) - shift));
    store_left<V>(e, y + j, n - j);
    sum = sum + select_left<V>(e, V::zero(), n - j);
  }

  const V scale = V::set(T(1) / sum.sum());
  for (std::size_t j = 0; j < n; j += V::lanes) store_left<V>(load_left<V>(y + j, n - j) * scale, y + j, n - j);
}

template <class T>
MINITRAIN_TARGET void softmax_rows(const T* x, std::size_t rows, std::size_t n, T* y) {
  if (n == 0) return;
  for (std::size_t i = 0; i < rows; ++i) softmax_row(x + i * n, n, y + i * n);
}

/// dx = y·(dy - Σ dy·y) for every row.
template <class T>
MINITRAIN_TARGET void softmax_gradient_rows(const T* y, const T* dy, std::size_t rows, std::size_t n, T* dx) {
  using V = Vec<T>;
  for (std::size_t i = 0; i < rows; ++i, y += n, dy += n, dx += n) {
    V sum = V::zero();
    for (std::size_t j = 0; j < n; j += V::lanes) {
      sum = fma(load_left<V>(dy + j, n - j), load_left<V>(y + j, n - j), sum);
    }
    const V mean = V::set(sum.sum());
    for (std::size_t j = 0; j < n; j += V::lanes) {
      const V difference = load_left<V>(dy + j, n - j) - mean;
      store_left<V>(load_left<V>(y + j, n - j) * difference, dx + j, n - j);
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
