// Packing: the parts of A and B that the tiles read next, copied into the order in which they read them.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// One of log2(lanes) rounds that transpose `lanes` vectors.
template <class T, int... I>
MINITRAIN_INLINE void transpose_round(Vec<T>* v, std::integer_sequence<int, I...>) {
  constexpr int half = sizeof...(I);
  Vec<T> w[2 * half];
  (zip(v[I], v[I + half], w[2 * I], w[2 * I + 1]), ...);
  ((v[2 * I] = w[2 * I], v[2 * I + 1] = w[2 * I + 1]), ...);
}

template <class T, int... I>
MINITRAIN_INLINE void load_columns(Vec<T>* v, const T* from, std::size_t stride, std::size_t vectors, int count,
                                   std::integer_sequence<int, I...>) {
  ((v[I] = I < static_cast<int>(vectors) ? Vec<T>::load(from + I * stride, count) : Vec<T>::zero()), ...);
}

/// to[i·to_row + j] = from[j·stride + i] for `rows` i and `columns` j, both at most Vec<T>::lanes.
template <class T>
MINITRAIN_TARGET void transpose(T* to, std::size_t to_row, const T* from, std::size_t stride, std::size_t rows,
                                std::size_t columns) {
  if constexpr (Vec<T>::registers < 8) {
    for (std::size_t i = 0; i < rows; ++i, to += to_row) {
      for (std::size_t j = 0; j < columns; ++j) to[j] = from[j * stride + i];
    }
  } else {
    constexpr int lanes = Vec<T>::lanes;
    Vec<T> v[lanes];
    load_columns<T>(v, from, stride, columns, static_cast<int>(rows), std::make_integer_sequence<int, lanes>{});
    for (int round = 1; round < lanes; round *= 2) {
      transpose_round<T>(v, std::make_integer_sequence<int, lanes / 2>{});
    }
    for (std::size_t i = 0; i < rows; ++i, to += to_row) v[i].store(to, static_cast<int>(columns));
  }
}

/// Up to `width` columns of B, or rows of A, as [K, width]; b(k, j) = b[k·b_row + j·b_column].
template <class T>
MINITRAIN_TARGET void pack(T* to, std::size_t width, const T* b, std::size_t b_row, std::size_t b_column, std::size_t K,
                           std::size_t columns) {
  constexpr std::size_t lanes = Vec<T>::lanes;
  if (b_column != 1) {
    for (std::size_t j = 0; j < columns; j += lanes) {
      const std::size_t some = columns - j < lanes ? columns - j : lanes;
      for (std::size_t k = 0; k < K; k += lanes) {
        transpose<T>(to + k * width + j, width, b + j * b_column + k, b_column, K - k < lanes ? K - k : lanes, some);
      }
    }
    return;
  }
  for (std::size_t k = 0; k < K; ++k, to += width, b += b_row) {
    for (std::size_t j = 0; j < columns; j += lanes) {
      const int some = static_cast<int>(columns - j < lanes ? columns - j : lanes);
      Vec<T>::load(b + j, some).store(to + j, some);
    }
  }
}

/// Tiles of A, as gemm_panel() takes them: each [K, rows of the tile].
template <class T>
MINITRAIN_TARGET void pack_a(T* to, const T* a, std::size_t a_row, std::size_t a_column, std::size_t M, std::size_t K) {
  // Of a transposed A a few of its long rows at a time; else all of K.
  const std::size_t step = a_row == 1 ? 8 : K;
  for (std::size_t k = 0; k < K; k += step) {
    const std::size_t end = k + step < K ? k + step : K;
    const T* from = a + k * a_column;
    T* tile = to;
    for (std::size_t left = M, rows; left != 0; left -= rows, from += rows * a_row, tile += rows * K) {
      rows = next_rows<packed_rows<T>>(left);
      if (a_row == 1) {
        pack<T>(tile + k * rows, rows, from, a_column, 1, end - k, rows);
      } else {
        pack<T>(tile, rows, from, 1, a_row, K, rows);
      }
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
