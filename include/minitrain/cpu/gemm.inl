// The matrix product of one thread, block by block. Included once per instruction set.

#include <minitrain/cpu/gemm_tile.inl>
// Packing needs the shapes of the tiles.
#include <minitrain/cpu/gemm_pack.inl>

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// NV vectors of columns, of which `columns` there are; moves the panel on to those right of them.
template <class T, int NV, bool Masked>
MINITRAIN_INLINE void gemm_next(GemmPanel<T>& p, std::size_t columns, T* packed_b) {
  p.last = static_cast<int>(columns) - (NV - 1) * Vec<T>::lanes;
  const T* const b = p.b;
  const std::size_t b_row = p.b_row;
  if (p.b_column == 1) {
    p.next_b = {b + columns, p.K, columns, b_row, 0, 0};
  } else {
    p.next_b = {b + columns * p.b_column, columns, p.K, p.b_column, 0, 0};
  }
  p.next_b.step = 1 + gemm_chunk / (p.M / packed_rows<T> + 1);
  if (packed_b != nullptr) {
    constexpr std::size_t width = NV * Vec<T>::lanes;
    pack<T>(packed_b, width, b, b_row, p.b_column, p.K, columns);
    p.b = packed_b;
    p.b_row = width;
  }
  gemm_panel<T, NV, Masked>(p);
  p.b = b + columns * p.b_column;
  p.b_row = b_row;
  p.c += columns;
  p.start += columns * p.start_column;
  if (p.gate != nullptr) p.gate += columns;
}

/// N columns, in panels as wide as the registers allow.
template <class T>
MINITRAIN_INLINE void gemm_columns(GemmPanel<T>& p, std::size_t N, T* packed_b) {
  constexpr std::size_t lanes = Vec<T>::lanes;
  constexpr bool free_masks = Vec<T>::registers == 32;  // with AVX-512; elsewhere only the last columns pay for masks
  if constexpr (Vec<T>::registers >= 8) {
    if (!p.a_packed && (free_masks || p.M <= tile_rows<T, 4>)) {
      for (; N >= 4 * lanes; N -= 4 * lanes) gemm_next<T, 4, free_masks>(p, 4 * lanes, packed_b);
    }
  }
  if constexpr (free_masks) {
    for (std::size_t columns; N > lanes; N -= columns) {
      columns = N < 2 * lanes ? N : 2 * lanes;
      gemm_next<T, 2, true>(p, columns, packed_b);
    }
  } else {
    for (; N >= lanes; N -= lanes) gemm_next<T, 1, false>(p, lanes, packed_b);
  }
  if (N != 0) gemm_next<T, 1, true>(p, N, packed_b);
}

/// The problem, block by block. `packed_a` and `packed_b` are memory to pack into, or null: take the matrix as it is.
template <class T>
MINITRAIN_TARGET void gemm_blocks(const GemmProblem<T>& p, T* packed_a, T* packed_b) {
  const std::size_t rows_step = packed_a != nullptr ? gemm_rows : p.M;
  const std::size_t k_step = gemm_depth(p, packed_b != nullptr);
  for (std::size_t i = 0; i < p.M; i += rows_step) {
    GemmPanel<T> panel;
    panel.M = p.M - i < rows_step ? p.M - i : rows_step;
    panel.a_packed = packed_a != nullptr;
    panel.a_row = panel.a_packed ? 1 : p.a_row;
    panel.b_row = p.b_row;
    panel.b_column = p.b_column;
    panel.c_row = p.c_row;
    std::size_t k = 0;
    do {
      panel.K = p.K - k < k_step ? p.K - k : k_step;
      panel.a = p.a + i * p.a_row + k * p.a_column;
      panel.a_column = p.a_column;
      panel.b = p.b + k * p.b_row;
      if (panel.a_packed) {
        pack_a(packed_a, panel.a, p.a_row, p.a_column, panel.M, panel.K);
        panel.a = packed_a;
      }
      panel.c = p.c + i * p.c_row;
      const bool add = k != 0 || p.start == GemmStart::add;
      panel.start = add ? panel.c : p.start == GemmStart::bias ? p.bias : nullptr;
      panel.start_row = add ? p.c_row : 0;
      panel.start_column = panel.start != nullptr ? 1 : 0;
      k += panel.K;
      const bool done = k == p.K;
      panel.relu = done && p.relu;
      panel.gate = done && p.gate != nullptr ? p.gate + i * p.c_row : nullptr;
      gemm_columns(panel, p.N, packed_b);
    } while (k < p.K);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
