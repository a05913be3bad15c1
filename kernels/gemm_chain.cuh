// gemm_chain.  The product of gemm.cuh where C is small and K is long, as in the weight gradient of a small layer over
// a large batch: 2·M·N·K FLOPs, of which few can go at a time, so time is K links of a chain, each a fused multiply-add
// of four cycles that waits for the one before.
//
// A block owns 16 x 16 elements of C, two to a thread, or, where that leaves multiprocessors without, 8 x 8 elements,
// one to a thread of its first half: a link waits the less for shared memory. Slices of 128 steps lie there along k, so
// that a thread reads four steps at once; the next slice is on its way while one is multiplied. Order and bits are
// gemm.cuh's.
#pragma once
#include "gemm.cuh"

namespace minitrain::inline MINITRAIN_ABI::cuda {

template <int Side>
struct ChainTile {
  static constexpr int rows = Side, columns = Side, depth = 128, threads = 128;
  static constexpr int thread_rows = Side == 16 ? 2 : 1;  // of one column
};

/// Four steps of k.
template <int TM>
struct ChainSteps {
  float4 x[TM], y;
};

template <class Tile, Product product>
__global__ void __launch_bounds__(Tile::threads) gemm_chain_kernel(GemmArguments g) {
  constexpr bool TransA = transposes_a<product>, TransB = transposes_b<product>;
  constexpr int side = Tile::rows, depth = Tile::depth, threads = Tile::threads, TM = Tile::thread_rows;
  MINITRAIN_SHARED_ALIGNED(16, float, a_tiles, [2][side][depth + 4]);
  MINITRAIN_SHARED_ALIGNED(16, float, b_tiles, [2][side][depth + 4]);
  const std::size_t first_row = static_cast<std::size_t>(blockIdx.y) * side;
  const std::size_t first_column = static_cast<std::size_t>(blockIdx.x) * side;
  const int thread_row = static_cast<int>(threadIdx.x) / side * TM,
            thread_column = static_cast<int>(threadIdx.x) % side;
  const bool computes = thread_row < side;
  const std::size_t row = first_row + static_cast<std::size_t>(thread_row);
  const std::size_t column = first_column + static_cast<std::size_t>(thread_column);
  const auto here = [&](int i) { return computes && row + static_cast<std::size_t>(i) < g.M && column < g.N; };

  GemmSlice<side, depth, threads, !TransA, true> a_slice(g.a, g.lda, first_row, g.M, g.K);
  GemmSlice<side, depth, threads, TransB, true> b_slice(g.b, g.ldb, first_column, g.N, g.K);
  a_slice.load(0);
  b_slice.load(0);

  float sums[TM] = {};
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    if (g.start == Start::bias && here(i)) sums[i] = g.bias[column];
    if (g.start == Start::add && here(i)) sums[i] = g.c[(row + static_cast<std::size_t>(i)) * g.N + column];
  }
  // The sums of B's columns, by the threads of the first row of elements.
  const bool has_column = TransA && g.column_sums != nullptr && blockIdx.y == 0 && thread_row == 0 && column < g.N;
  Lane column_sum = Lane::zero();
  if (has_column && g.start == Start::add) column_sum.v = g.column_sums[column];

  a_slice.store(a_tiles[0]);
  b_slice.store(b_tiles[0]);
  __syncthreads();
  int now = 0;
  for (std::size_t k = 0; k < g.K; k += depth) {
    const bool more = k + depth < g.K;
    if (more) {
      a_slice.load(k + depth);
      b_slice.load(k + depth);
    }
    if (computes) {
      const float* const b = b_tiles[now][thread_column];
      const float(*const a)[depth + 4] = a_tiles[now] + thread_row;
      const auto step = [&](int i, float x, float y) { sums[i] = __fmaf_rn(x, y, sums[i]); };
      const auto add_column = [&](float y) {
        if (has_column) column_sum = column_sum + Lane{y};
      };
      using Steps = ChainSteps<TM>;
      const auto load = [&](Steps& s, int l) {
#pragma unroll
        for (int i = 0; i < TM; ++i) s.x[i] = *reinterpret_cast<const float4*>(&a[i][4 * l]);
        s.y = *reinterpret_cast<const float4*>(b + 4 * l);
      };
      const auto use = [&](const Steps& s, int) {
#pragma unroll
        for (int i = 0; i < TM; ++i) step(i, s.x[i].x, s.y.x);
#pragma unroll
        for (int i = 0; i < TM; ++i) step(i, s.x[i].y, s.y.y);
#pragma unroll
        for (int i = 0; i < TM; ++i) step(i, s.x[i].z, s.y.z);
#pragma unroll
        for (int i = 0; i < TM; ++i) step(i, s.x[i].w, s.y.w);
        add_column(s.y.x), add_column(s.y.y), add_column(s.y.z), add_column(s.y.w);
      };
      if (more || g.K - k == depth) {
        pipelined<4, Steps>(depth / 4, load, use);
      } else {  // only the steps that there are: 0·0 added to -0 would make +0
        const int left = static_cast<int>(g.K - k);
        int l = 0;
#pragma unroll 1
        for (; l + 4 <= left; l += 4) {
          Steps s;
          load(s, l / 4);
          use(s, l / 4);
        }
#pragma unroll 1
        for (; l < left; ++l) {
#pragma unroll
          for (int i = 0; i < TM; ++i) step(i, a[i][l], b[l]);
          add_column(b[l]);
        }
      }
    }
    if (!more) break;
    now = 1 - now;
    a_slice.store(a_tiles[now]);
    b_slice.store(b_tiles[now]);
    __syncthreads();
  }
  if (has_column) g.column_sums[column] = column_sum.v;
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const std::size_t at = (row + static_cast<std::size_t>(i)) * g.N + column;
    if (here(i)) g.c[at] = finished(g, sums[i], at);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
