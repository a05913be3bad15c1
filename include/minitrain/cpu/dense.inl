// What dense layers need beside the matrix product: layers with one output, and sums over rows.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

template <class T, int... I>
MINITRAIN_INLINE void add_products(Vec<T>* sums, const T* x, std::size_t stride, Vec<T> w, int count,
                                   std::integer_sequence<int, I...>) {
  if (count == Vec<T>::lanes) {
    ((sums[I] = fma(Vec<T>::load(x + I * stride), w, sums[I])), ...);
  } else {
    ((sums[I] = fma(Vec<T>::load(x + I * stride, count), w, sums[I])), ...);
  }
}

/// For R rows: lane l of sums[i] = Σ x(i, k)·w(k) over k = l, l + lanes, ...
template <class T, int R>
MINITRAIN_INLINE void dot_rows(Vec<T>* sums, const T* x, const T* w, std::size_t K) {
  constexpr std::size_t lanes = Vec<T>::lanes;
  constexpr std::make_integer_sequence<int, R> rows{};
  Vec<T> v[R];
  GemmTile<T, R, false>::clear(v, rows);
  std::size_t k = 0;
  for (; k + lanes <= K; k += lanes) add_products<T>(v, x + k, K, Vec<T>::load(w + k), lanes, rows);
  if (k < K) {
    const int count = static_cast<int>(K - k);
    add_products<T>(v, x + k, K, Vec<T>::load(w + k, count), count, rows);
  }
  for (int i = 0; i < R; ++i) sums[i] = v[i];
}

template <class T, int... I>
MINITRAIN_INLINE void add_halves(Vec<T>* v, std::integer_sequence<int, I...>) {
  constexpr int half = sizeof...(I);
  Vec<T> low[half], high[half];
  (zip(v[I], v[I + half], low[I], high[I]), ...);
  ((v[I] = low[I] + high[I]), ...);
}
/// v[0] = v[0].sum(), v[1].sum(), ...: the same sums in the same order, of all vectors at a time. Each round adds the
/// upper half of a vector to its lower half, and puts two such halves into one.
template <class T, int count>
MINITRAIN_INLINE void sum_each(Vec<T>* v) {
  if constexpr (count > 1) {
    add_halves<T>(v, std::make_integer_sequence<int, count / 2>{});
    sum_each<T, count / 2>(v);
  }
}

/// y[M] = max(floor, x[M, K]·w[K] + bias): a layer with one output.
template <class T>
MINITRAIN_TARGET void dots(const T* x, const T* w, std::size_t M, std::size_t K, T bias, T floor, T* y) {
  std::size_t i = 0;
  if constexpr (Vec<T>::registers >= 8) {
    constexpr int lanes = Vec<T>::lanes, step = Vec<T>::registers == 32 ? lanes : 4;
    for (; i + lanes <= M; i += lanes) {
      Vec<T> sums[lanes];
      for (int r = 0; r < lanes; r += step) {
        dot_rows<T, step>(sums + r, x + (i + static_cast<std::size_t>(r)) * K, w, K);
      }
      sum_each<T, lanes>(sums);
      max(Vec<T>::set(floor), sums[0] + Vec<T>::set(bias)).store(y + i);
    }
  }
  for (; i < M; ++i) {
    Vec<T> sums;
    dot_rows<T, 1>(&sums, x + i * K, w, K);
    const T z = sums.sum() + bias;
    y[i] = z < floor ? floor : z;
  }
}

/// Vectors of a row that the kernels below take at a time.
template <class T>
inline constexpr int wide_row = Vec<T>::registers >= 8 ? 4 : 1;

/// c(i, :) = a(i)·b for M rows, or 0 where gate(i, j) is not positive.
template <class T, int NV, bool Masked>
MINITRAIN_INLINE void outer_panel(const T* a, const T* b, const T* gate, T* c, std::size_t M, std::size_t stride,
                                  int last) {
  using Tile = GemmTile<T, NV, Masked>;
  constexpr std::make_integer_sequence<int, NV> vectors{};
  Vec<T> row[NV];
  Tile::load_row(row, b, last, vectors);
  for (std::size_t i = 0; i < M; ++i, c += stride) {
    Vec<T> v[NV];
    Tile::clear(v, vectors);
    Tile::add_row(v, Vec<T>::set(a[i]), row, vectors);
    if (gate != nullptr) Tile::gate(v, gate + i * stride, last, vectors);
    Tile::store_row(v, c, last, vectors);
  }
}

template <class T>
MINITRAIN_TARGET void outer(const T* a, const T* b, const T* gate, T* c, std::size_t M, std::size_t N) {
  constexpr std::size_t lanes = Vec<T>::lanes;
  constexpr int many = wide_row<T>;
  std::size_t j = 0;
  for (; j + many * lanes <= N; j += many * lanes) {
    outer_panel<T, many, false>(a, b + j, gate != nullptr ? gate + j : nullptr, c + j, M, N, 0);
  }
  for (std::size_t columns; j < N; j += columns) {
    columns = N - j < lanes ? N - j : lanes;
    outer_panel<T, 1, true>(a, b + j, gate != nullptr ? gate + j : nullptr, c + j, M, N, static_cast<int>(columns));
  }
}

/// sums[j] += x(0, j) + x(1, j) + ..., one row after the other, or = when not `add`.
template <class T, int NV, bool Masked>
MINITRAIN_INLINE void add_rows_panel(const T* x, std::size_t M, std::size_t stride, int last, bool add, T* sums) {
  using Tile = GemmTile<T, NV, Masked>;
  constexpr std::make_integer_sequence<int, NV> vectors{};
  const Vec<T> one = Vec<T>::set(T(1));
  Vec<T> v[NV];
  if (add) {
    Tile::load_row(v, sums, last, vectors);
  } else {
    Tile::clear(v, vectors);
  }
  for (std::size_t i = 0; i < M; ++i, x += stride) {
    Vec<T> row[NV];
    Tile::load_row(row, x, last, vectors);
    Tile::add_row(v, one, row, vectors);
  }
  Tile::store_row(v, sums, last, vectors);
}

template <class T>
MINITRAIN_TARGET void add_rows(const T* x, std::size_t M, std::size_t N, std::size_t stride, bool add, T* sums) {
  constexpr std::size_t lanes = Vec<T>::lanes;
  constexpr int many = wide_row<T>;
  std::size_t j = 0;
  for (; j + many * lanes <= N; j += many * lanes) add_rows_panel<T, many, false>(x + j, M, stride, 0, add, sums + j);
  for (std::size_t columns; j < N; j += columns) {
    columns = N - j < lanes ? N - j : lanes;
    add_rows_panel<T, 1, true>(x + j, M, stride, static_cast<int>(columns), add, sums + j);
  }
}

/// dw[N] += Σ dy(i)·x(i, :) and *db += Σ dy(i) (null: not), row after row: the gradients of a layer with one output.
template <class T, int NV, bool Masked>
MINITRAIN_INLINE void add_weighted_rows(const T* x, const T* dy, std::size_t M, std::size_t stride, int last, bool add,
                                        T* dw, T* db) {
  using Tile = GemmTile<T, NV, Masked>;
  constexpr std::make_integer_sequence<int, NV> vectors{};
  Vec<T> v[NV], sum = add && db != nullptr ? Vec<T>::set(*db) : Vec<T>::zero();
  if (add) {
    Tile::load_row(v, dw, last, vectors);
  } else {
    Tile::clear(v, vectors);
  }
  for (std::size_t i = 0; i < M; ++i, x += stride) {
    Vec<T> row[NV];
    const Vec<T> weight = Vec<T>::set(dy[i]);
    Tile::load_row(row, x, last, vectors);
    Tile::add_row(v, weight, row, vectors);
    sum = sum + weight;
  }
  Tile::store_row(v, dw, last, vectors);
  if (db != nullptr) sum.store(db, 1);
}

template <class T>
MINITRAIN_TARGET void one_output_gradients(const T* x, const T* dy, std::size_t M, std::size_t N, std::size_t stride,
                                           bool add, T* dw, T* db) {
  constexpr std::size_t lanes = Vec<T>::lanes;
  constexpr int many = wide_row<T>;
  std::size_t j = 0;
  for (; j + many * lanes <= N; j += many * lanes, db = nullptr) {
    add_weighted_rows<T, many, false>(x + j, dy, M, stride, 0, add, dw + j, db);
  }
  for (std::size_t columns; j < N; j += columns, db = nullptr) {
    columns = N - j < lanes ? N - j : lanes;
    add_weighted_rows<T, 1, true>(x + j, dy, M, stride, static_cast<int>(columns), add, dw + j, db);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
