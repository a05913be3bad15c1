// gemm.  C = f(S + A·B): c(i, j) = f(s(i, j) + a(i, 0)·b(0, j) + a(i, 1)·b(1, j) + ...), the products added in the
// order of k, each with one rounding: the chain that the CPU's cpu/gemm.hpp computes, so the same bits, whatever the
// tile. FLOPs 2·M·N·K, bytes 4·(M·K + K·N + M·N) at least; bound by the FP32 units where all sizes are large, by
// latency where they are small.
//
// A block owns a tile of C and keeps it in registers, TM by TN to a thread, while K runs through shared memory in
// slices of BK; the next slice is on its way to registers while the last one is multiplied. No split of K: partial sums
// would have another order. Which tile is only a matter of time, so it is chosen for how many blocks it gives the GPU.
#pragma once
#include "gemm_arguments.cuh"
#include "lane.cuh"

#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI::cuda {

template <int BM, int BN, int BK, int TM, int TN>
struct GemmTile {
  static constexpr int rows = BM, columns = BN, depth = BK, thread_rows = TM, thread_columns = TN;
  static constexpr int threads = (BM / TM) * (BN / TN);
  static_assert(BM * BK % threads == 0 && BK * BN % threads == 0 && BN <= threads);
};

/// A slice of a matrix [long side, k] on its way through registers into shared memory [k][long side].
template <int Long, int Depth, int Threads, bool KFastest>
struct GemmSlice {
  static constexpr int count = Long * Depth / Threads;
  float held[count];

  /// (position along the long side, k) of the n-th element of this thread: neighbours in memory to neighbours in a
  /// warp.
  static __device__ int position(int n) {
    const int e = static_cast<int>(threadIdx.x) + n * Threads;
    return KFastest ? e / Depth : e % Long;
  }
  static __device__ int step(int n) {
    const int e = static_cast<int>(threadIdx.x) + n * Threads;
    return KFastest ? e % Depth : e / Long;
  }

  __device__ void load(const float* from, std::size_t stride, std::size_t first, std::size_t length, std::size_t k,
                       std::size_t K) {
#pragma unroll
    for (int n = 0; n < count; ++n) {
      const std::size_t at = first + static_cast<std::size_t>(position(n)), l = k + static_cast<std::size_t>(step(n));
      held[n] = at < length && l < K ? (KFastest ? from[at * stride + l] : from[l * stride + at]) : 0.0f;
    }
  }
  template <int Row>
  __device__ void store(float (*to)[Row]) const {
#pragma unroll
    for (int n = 0; n < count; ++n) to[step(n)][position(n)] = held[n];
  }
};

/// `count` floats, one, two or a multiple of four, from shared memory aligned to as many, at most to 16 bytes.
template <int count>
__device__ inline void load_row(float* to, const float* from) {
  if constexpr (count == 1) {
    to[0] = *from;
  } else if constexpr (count == 2) {
    const float2 two = *reinterpret_cast<const float2*>(from);
    to[0] = two.x, to[1] = two.y;
  } else {
    static_assert(count % 4 == 0);
#pragma unroll
    for (int i = 0; i < count; i += 4) {
      const float4 four = *reinterpret_cast<const float4*>(from + i);
      to[i] = four.x, to[i + 1] = four.y, to[i + 2] = four.z, to[i + 3] = four.w;
    }
  }
}

/// One step of k: sums(i, j) += a(i)·b(j).
template <int TM, int TN>
__device__ inline void add_products(float (&sums)[TM][TN], const float* a_row, const float* b_row) {
  float a[TM], b[TN];
  load_row<TM>(a, a_row);
  load_row<TN>(b, b_row);
#pragma unroll
  for (int i = 0; i < TM; ++i) {
#pragma unroll
    for (int j = 0; j < TN; ++j) sums[i][j] = __fmaf_rn(a[i], b[j], sums[i][j]);
  }
}

template <class Tile, Product product>
__global__ void __launch_bounds__(Tile::threads) gemm_kernel(GemmArguments g) {
  constexpr bool TransA = transposes_a<product>, TransB = transposes_b<product>;
  constexpr int BM = Tile::rows, BN = Tile::columns, BK = Tile::depth;
  constexpr int TM = Tile::thread_rows, TN = Tile::thread_columns;
  MINITRAIN_SHARED_ALIGNED(16, float, a_tile, [BK][BM + 4]);
  MINITRAIN_SHARED_ALIGNED(16, float, b_tile, [BK][BN + 4]);
  const std::size_t first_row = static_cast<std::size_t>(blockIdx.y) * BM;
  const std::size_t first_column = static_cast<std::size_t>(blockIdx.x) * BN;
  const int thread_row = static_cast<int>(threadIdx.x) / (BN / TN) * TM;
  const int thread_column = static_cast<int>(threadIdx.x) % (BN / TN) * TN;

  float sums[TM][TN];
#pragma unroll
  for (int i = 0; i < TM; ++i) {
#pragma unroll
    for (int j = 0; j < TN; ++j) {
      const std::size_t row = first_row + static_cast<std::size_t>(thread_row + i);
      const std::size_t column = first_column + static_cast<std::size_t>(thread_column + j);
      sums[i][j] = 0.0f;
      if (g.start == Start::bias && column < g.N) sums[i][j] = g.bias[column];
      if (g.start == Start::add && row < g.M && column < g.N) sums[i][j] = g.c[row * g.N + column];
    }
  }

  const std::size_t sums_column = first_column + threadIdx.x;
  const bool has_column = TransA && g.column_sums != nullptr && blockIdx.y == 0 && threadIdx.x < BN;
  Lane column_sum = Lane::zero();
  if (has_column && g.start == Start::add && sums_column < g.N) column_sum.v = g.column_sums[sums_column];

  GemmSlice<BM, BK, Tile::threads, !TransA> a_slice;
  GemmSlice<BN, BK, Tile::threads, TransB> b_slice;
  a_slice.load(g.a, g.lda, first_row, g.M, 0, g.K);
  b_slice.load(g.b, g.ldb, first_column, g.N, 0, g.K);
  for (std::size_t k = 0; k < g.K; k += BK) {
    a_slice.store(a_tile);
    b_slice.store(b_tile);
    __syncthreads();
    if (k + BK < g.K) {
      a_slice.load(g.a, g.lda, first_row, g.M, k + BK, g.K);
      b_slice.load(g.b, g.ldb, first_column, g.N, k + BK, g.K);
    }
    // Of the last slice only the steps that there are: 0·0 added to -0 would make +0.
    const int depth = g.K - k < BK ? static_cast<int>(g.K - k) : BK;
    if (depth == BK) {
#pragma unroll
      for (int l = 0; l < BK; ++l) add_products<TM, TN>(sums, &a_tile[l][thread_row], &b_tile[l][thread_column]);
    } else {
#pragma unroll 1
      for (int l = 0; l < depth; ++l) add_products<TM, TN>(sums, &a_tile[l][thread_row], &b_tile[l][thread_column]);
    }
    if (has_column) {
      for (int l = 0; l < depth; ++l) column_sum = column_sum + Lane{b_tile[l][threadIdx.x]};
    }
    __syncthreads();
  }
  if (has_column && sums_column < g.N) g.column_sums[sums_column] = column_sum.v;

#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const std::size_t row = first_row + static_cast<std::size_t>(thread_row + i);
    if (row >= g.M) break;
#pragma unroll
    for (int j = 0; j < TN; ++j) {
      const std::size_t column = first_column + static_cast<std::size_t>(thread_column + j);
      if (column >= g.N) break;
      Lane z{sums[i][j]};
      if (g.epilogue == Epilogue::relu) z = max(Lane::zero(), z);  // in this order NaN stays NaN
      if (g.epilogue == Epilogue::gate) z.v = g.gate[row * g.N + column] > 0.0f ? z.v : 0.0f;
      g.c[row * g.N + column] = z.v;
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
