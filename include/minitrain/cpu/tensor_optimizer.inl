// Optimizers that look at norms of tensors, once per instruction set; see cpu/for_each_isa.hpp.

#include <minitrain/core/elements/tensor_rules.inl>

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// u = elements [begin, end) of the direction.
template <class T>
MINITRAIN_TARGET void fill_direction(const LambDirection<T>& direction, std::size_t begin, std::size_t end, T* u) {
  using V = Vec<T>;
  const LambDirection<T> d = direction;
  for (std::size_t i = begin; i < end; i += V::lanes) {
    const std::size_t left = end - i;
    const V value =
        lamb_direction(d, load_left<V>(d.p + i, left), load_left<V>(d.m + i, left), load_left<V>(d.v + i, left));
    store_left<V>(value, u + (i - begin), left);
  }
}
template <class T>
MINITRAIN_TARGET void fill_direction(const VectorDirection<T>& direction, std::size_t begin, std::size_t end, T* u) {
  using V = Vec<T>;
  const VectorDirection<T> d = direction;
  for (std::size_t i = begin; i < end; i += V::lanes) {
    const std::size_t left = end - i;
    const V value = vector_direction(d.scale, load_left<V>(d.g + i, left), load_left<V>(d.v + i, left));
    store_left<V>(value, u + (i - begin), left);
  }
}
template <class T>
MINITRAIN_TARGET void fill_direction(const FactoredDirection<T>& direction, std::size_t begin, std::size_t end, T* u) {
  using V = Vec<T>;
  const FactoredDirection<T> d = direction;
  for (std::size_t i = begin; i < end;) {  // a row, or what is in the range of it, at a time
    const std::size_t row = i / d.columns, first = i % d.columns;
    const std::size_t count = std::min(d.columns - first, end - i);
    const V row_factor = V::set(d.row_factors[row]);
    for (std::size_t j = 0; j < count; j += V::lanes) {
      const std::size_t left = count - j;
      const V value = factored_direction(d.scale, load_left<V>(d.g + i + j, left), row_factor,
                                         load_left<V>(d.column_factors + first + j, left));
      store_left<V>(value, u + (i - begin) + j, left);
    }
    i += count;
  }
}

/// `count` parameters along u.
template <class T, bool Moves>
MINITRAIN_TARGET void step_along(const AlongFactors<T>& factors, std::size_t count, const T* u, T* parameters,
                                 T* moments) {
  using V = Vec<T>;
  const AlongFactors<T> f = factors;
  V m = V::zero();
  for (std::size_t i = 0; i < count; i += V::lanes) {
    const std::size_t left = count - i;
    V p = load_left<V>(parameters + i, left);
    if constexpr (Moves) m = load_left<V>(moments + i, left);
    along_element<Moves, V>(f, p, load_left<V>(u + i, left), m);
    store_left<V>(p, parameters + i, left);
    if constexpr (Moves) store_left<V>(m, moments + i, left);
  }
}

/// sums[j - begin] = Σ over rows of g[row, j]², for columns j in [begin, end): partial sums of ColumnSquares::chunk
/// rows each, which are then added in order.
template <class T>
MINITRAIN_TARGET void column_squares(const T* g, std::size_t rows, std::size_t columns, std::size_t begin,
                                     std::size_t end, double* sums) {
  using V = Vec<double>;
  for (std::size_t j = begin; j < end; j += V::lanes) {
    const int left = static_cast<int>(std::min<std::size_t>(end - j, V::lanes));
    V total = V::zero();
    for (std::size_t first = 0; first < rows; first += ColumnSquares::chunk) {
      V sum = V::zero();
      const std::size_t last = std::min(rows, first + ColumnSquares::chunk);
      for (std::size_t row = first; row < last; ++row) {
        const V term = V::load(g + row * columns + j, left);
        sum = fma(term, term, sum);
      }
      total = total + sum;
    }
    total.store(sums + (j - begin), left);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
