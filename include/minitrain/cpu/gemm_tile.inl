// Register tiles of the matrix product: MR rows by NV vectors of C stay in registers while k runs.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// Rows of the largest tile with NV vectors. AVX-512 has 12 x 1, 12 x 2, 6 x 4; AVX2 6 x 1, 1 x 4; the baseline 2 x 1.
template <class T, int NV>
inline constexpr std::size_t tile_rows = Vec<T>::registers == 32  ? (NV == 4 ? 6 : 12)
                                         : Vec<T>::registers == 8 ? (NV == 4 ? 1 : 6)
                                                                  : 2;
/// Vectors, and rows of the largest tile, in packed panels.
template <class T>
inline constexpr int packed_vectors = Vec<T>::registers == 32 ? 2 : 1;
template <class T>
inline constexpr std::size_t packed_rows = tile_rows<T, packed_vectors<T>>;

/// Rows of the next tile when `left` are left. There are tiles of 1, 2, 3, 4, 6, 8 and 12 rows; those of few rows
/// leave the processor waiting for its own sums, so the last ones share what there is.
template <std::size_t most>
MINITRAIN_INLINE std::size_t next_rows(std::size_t left) {
  constexpr unsigned char best[] = {0, 1, 2, 3, 4, 3, 6, 4, 8, 6, 6, 8, 12, 8, 8, 12, 12, 12};
  const std::size_t rows = best[left < 17 ? left : 17];
  return rows <= most ? rows : rows == 8 && most == 6 ? 4 : most;
}

/// The parts of a tile. `v` are its MR·NV vectors, row after row; of the last vector of a row only the first `last`
/// elements count when Masked.
template <class T, int NV, bool Masked>
struct GemmTile {
  static constexpr int lanes = Vec<T>::lanes;

  template <int... J>
  MINITRAIN_INLINE static void load_row(Vec<T>* v, const T* row, int last, std::integer_sequence<int, J...>) {
    ((v[J] = Masked && J == NV - 1 ? Vec<T>::load(row + J * lanes, last) : Vec<T>::load(row + J * lanes)), ...);
  }
  template <int... I>
  MINITRAIN_INLINE static void load(Vec<T>* v, const T* row, std::size_t stride, int last,
                                    std::integer_sequence<int, I...>) {
    ((load_row(v + I * NV, row, last, std::make_integer_sequence<int, NV>{}), row += stride), ...);
  }
  template <int... I>
  MINITRAIN_INLINE static void clear(Vec<T>* v, std::integer_sequence<int, I...>) {
    ((v[I] = Vec<T>::zero()), ...);
  }
  template <int... J>
  MINITRAIN_INLINE static void add_row(Vec<T>* v, Vec<T> a, const Vec<T>* b, std::integer_sequence<int, J...>) {
    ((v[J] = fma(a, b[J], v[J])), ...);
  }
  /// v(i, :) += a(i)·b. Three rows of A share a pointer: they are 0, 1 and 2 strides from it.
  template <int... I>
  MINITRAIN_INLINE static void add(Vec<T>* v, const T* const* a, std::size_t a_row, const Vec<T>* b,
                                   std::integer_sequence<int, I...>) {
    (add_row(v + I * NV, Vec<T>::set(a[I / 3][I % 3 * a_row]), b, std::make_integer_sequence<int, NV>{}), ...);
  }
  template <int... I>
  MINITRAIN_INLINE static void relu(Vec<T>* v, std::integer_sequence<int, I...>) {
    ((v[I] = max(Vec<T>::zero(), v[I])), ...);  // in this order NaN stays NaN
  }
  template <int... G>
  MINITRAIN_INLINE static void advance(const T** a, std::size_t a_column, std::integer_sequence<int, G...>) {
    ((a[G] += a_column), ...);
  }
  template <int... J>
  MINITRAIN_INLINE static void store_row(const Vec<T>* v, T* row, int last, std::integer_sequence<int, J...>) {
    ((Masked && J == NV - 1 ? v[J].store(row + J * lanes, last) : v[J].store(row + J * lanes)), ...);
  }
  template <int... I>
  MINITRAIN_INLINE static void store(const Vec<T>* v, T* row, std::size_t stride, int last,
                                     std::integer_sequence<int, I...>) {
    ((store_row(v + I * NV, row, last, std::make_integer_sequence<int, NV>{}), row += stride), ...);
  }
  /// v = v where gate > 0, else 0.
  template <int... J>
  MINITRAIN_INLINE static void gate(Vec<T>* v, const T* gate, int last, std::integer_sequence<int, J...> vectors) {
    Vec<T> g[NV];
    load_row(g, gate, last, vectors);
    ((v[J] = select(greater(g[J], Vec<T>::zero()), v[J], Vec<T>::zero())), ...);
  }
};

/// Between the steps of a packed tile: a row of C for the next tile, while it has `more`, and some of the part of B
/// that the next panel is packed from.
template <class T>
MINITRAIN_INLINE void prefetch_ahead(GemmPanel<T>& p, bool more) {
  constexpr std::size_t line = 64 / sizeof(T);
  if (more) {
    __builtin_prefetch(p.next_c, 1, 3);
    __builtin_prefetch(p.next_c + line, 1, 3);
    p.next_c += p.c_row;
  }
  auto& b = p.next_b;
  for (std::size_t n = b.step; n != 0 && b.rows != 0; --n) {
    __builtin_prefetch(b.row + b.offset, 0, 2);
    __builtin_prefetch(b.row + b.offset + line, 0, 2);
    b.offset += 2 * line;
    if (b.offset >= b.length) {
      b.offset = 0;
      b.row += b.stride;
      --b.rows;
    }
  }
}

/// K steps of k.
template <class T, int MR, int NV, bool Masked>
MINITRAIN_INLINE void gemm_steps(Vec<T>* sums, const GemmPanel<T>& p, std::size_t K, const T** a_rows, const T*& b) {
  using Tile = GemmTile<T, NV, Masked>;
  const std::size_t a_row = p.a_row, a_column = p.a_column, b_row = p.b_row;
  const int last = p.last;
  for (; K != 0; --K) {
    Vec<T> b_part[NV];
    Tile::load_row(b_part, b, last, std::make_integer_sequence<int, NV>{});
    Tile::add(sums, a_rows, a_row, b_part, std::make_integer_sequence<int, MR>{});
    if constexpr (NV > 1) __builtin_prefetch(a_rows[0] + 64 / sizeof(T), 0, 3);  // of a transposed A: the next tiles
    b += b_row;
    Tile::advance(a_rows, a_column, std::make_integer_sequence<int, (MR + 2) / 3>{});
  }
}

/// One tile, from the given first elements of A, C and the start (null: zero) on.
template <class T, int MR, int NV, bool Masked>
MINITRAIN_TARGET void gemm_tile(GemmPanel<T>& p, const T* a, T* c, const T* start) {
  using Tile = GemmTile<T, NV, Masked>;
  constexpr std::make_integer_sequence<int, MR> rows{};
  constexpr std::make_integer_sequence<int, MR * NV> all{};
  const int last = p.last;
  Vec<T> sums[MR * NV];
  if (start == nullptr) {
    Tile::clear(sums, all);
  } else {
    Tile::load(sums, start, p.start_row, last, rows);
  }
  const T* b = p.b;
  const T* a_rows[(MR + 2) / 3] = {a};
  for (int g = 1; g < (MR + 2) / 3; ++g) a_rows[g] = a_rows[g - 1] + 3 * p.a_row;
  if constexpr (NV == packed_vectors<T>) {
    int chunk = 0;
    for (std::size_t left = p.K, k; left != 0; left -= k, ++chunk) {
      k = p.a_packed && left > gemm_chunk ? gemm_chunk : left;
      if (p.a_packed) prefetch_ahead(p, chunk < MR);
      gemm_steps<T, MR, NV, Masked>(sums, p, k, a_rows, b);
    }
  } else {
    gemm_steps<T, MR, NV, Masked>(sums, p, p.K, a_rows, b);
  }
  if (p.relu) Tile::relu(sums, all);
  Tile::store(sums, c, p.c_row, last, rows);
}

template <class T, int NV, bool Masked>
MINITRAIN_INLINE void gemm_tile_of(std::size_t rows, GemmPanel<T>& p, const T* a, T* c, const T* start) {
  constexpr std::size_t most = tile_rows<T, NV>;
  if constexpr (most >= 12) {
    if (rows == 12) return gemm_tile<T, 12, NV, Masked>(p, a, c, start);
    if (rows == 8) return gemm_tile<T, 8, NV, Masked>(p, a, c, start);
  }
  if constexpr (most >= 6) {
    if (rows == 6) return gemm_tile<T, 6, NV, Masked>(p, a, c, start);
    if (rows == 4) return gemm_tile<T, 4, NV, Masked>(p, a, c, start);
    if (rows == 3) return gemm_tile<T, 3, NV, Masked>(p, a, c, start);
  }
  if constexpr (most >= 2) {
    if (rows == 2) return gemm_tile<T, 2, NV, Masked>(p, a, c, start);
  }
  return gemm_tile<T, 1, NV, Masked>(p, a, c, start);
}

/// All rows of NV vectors of columns.
template <class T, int NV, bool Masked>
MINITRAIN_TARGET void gemm_panel(GemmPanel<T>& p) {
  using Tile = GemmTile<T, NV, Masked>;
  constexpr std::make_integer_sequence<int, NV> vectors{};
  const T *a = p.a, *start = p.start, *gate = p.gate;
  T* c = p.c;
  for (std::size_t left = p.M, rows; left != 0; left -= rows) {
    if (p.a_packed) {
      rows = next_rows<packed_rows<T>>(left);
      p.a_column = rows;
    } else {
      rows = next_rows<tile_rows<T, NV>>(left);
    }
    p.next_c = c + rows * p.c_row;
    gemm_tile_of<T, NV, Masked>(rows, p, a, c, start);
    a += rows * (p.a_packed ? p.K : p.a_row);
    start += rows * p.start_row;
    if (gate == nullptr) {
      c += rows * p.c_row;
    } else {
      for (std::size_t i = 0; i < rows; ++i, c += p.c_row, gate += p.c_row) {
        Vec<T> row[NV];
        Tile::load_row(row, c, p.last, vectors);
        Tile::gate(row, gate, p.last, vectors);
        Tile::store_row(row, c, p.last, vectors);
      }
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
