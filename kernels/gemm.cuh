// gemm.  C = f(S + A·B): c(i, j) = f(s(i, j) + a(i, 0)·b(0, j) + a(i, 1)·b(1, j) + ...), the products added in the
// order of k, each with one rounding: the chain that the CPU's cpu/gemm.hpp computes, so the same bits, whatever the
// tile. FLOPs 2·M·N·K, bytes 4·(M·K + K·N + M·N) at least; bound by the FP32 units where all sizes are large, by
// latency where they are small (gemm_chain.cuh).
//
// A block owns a tile of C and keeps it in registers, TM by TN to a thread, while K runs through shared memory in
// slices of BK, two of them in turn: while one is multiplied, the next is on its way through registers into the other,
// and one barrier a slice is enough. No split of K: partial sums would have another order. Which tile is only a matter
// of time (gemm.cu).
#pragma once
#include "gemm_arguments.cuh"
#include "lane.cuh"

#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI::cuda {

/// A warp has 8 threads along the columns and 4 along the rows, and a thread's elements come in groups of up to four
/// neighbours, the groups spread over the tile: so a warp's loads from shared memory, and its accesses to C, are of
/// neighbours, 16 bytes each.
template <int BM, int BN, int BK, int TM, int TN>
struct GemmTile {
  static constexpr int rows = BM, columns = BN, depth = BK, thread_rows = TM, thread_columns = TN;
  static constexpr int threads = (BM / TM) * (BN / TN);
  static constexpr int row_group = TM < 4 ? TM : 4, column_group = TN < 4 ? TN : 4;
  static constexpr int row_step = BM / TM * row_group, column_step = BN / TN * column_group;  // from group to group
  static constexpr int warps_across = BN / TN / 8;
  static constexpr int blocks = threads < 256 ? 1 : 2;  // of a multiprocessor, at least: that many have registers
  static constexpr bool sums_columns = TM * TN < 64;    // else it has no registers for them
  static_assert(BN / TN % 8 == 0 && BM / TM % 4 == 0 && BK % 8 == 0);
  static_assert(BM * BK / 4 % threads == 0 && BK * BN / 4 % threads == 0);

  static __device__ int first_row() {
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    return (warp / warps_across * 4 + lane / 8) * row_group;
  }
  static __device__ int first_column() {
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    return (warp % warps_across * 8 + lane % 8) * column_group;
  }
};

/// What a thread brings of a slice of a matrix [long side, k] through registers into shared memory, which has it
/// [k][long side], or along k: groups of four neighbours in memory, which are along k or along the long side.
template <int Long, int Depth, int Threads, bool KFastest, bool AlongK = false>
class GemmSlice {
 public:
  /// From position `first` of the long side, of `length`, and from k = 0.
  __device__ GemmSlice(const float* from, std::size_t stride, std::size_t first, std::size_t length, std::size_t K)
      : K_(K), step_(KFastest ? Depth : Depth * stride) {
    const bool aligned = stride % 4 == 0 && reinterpret_cast<std::size_t>(from) % 16 == 0;
#pragma unroll
    for (int n = 0; n < count; ++n) {
      const std::size_t at = first + static_cast<std::size_t>(position(n));
      const auto k = static_cast<std::size_t>(step(n));
      from_[n] = from + (KFastest ? at * stride + k : k * stride + at);
      const std::size_t left = at < length ? length - at : 0;
      const std::size_t most = KFastest ? 1 : 4;
      there_[n] = static_cast<int>(left < most ? left : most);
      whole_[n] = aligned && left >= most;
    }
  }

  /// Takes the next slice, which begins at k; zeros past the ends of the matrix.
  __device__ void load(std::size_t k) {
#pragma unroll
    for (int n = 0; n < count; ++n) {
      const std::size_t l = k + static_cast<std::size_t>(step(n)), left = l < K_ ? K_ - l : 0;
      const float* const p = from_[n];
      from_[n] += step_;
      float4 x = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (whole_[n] && left >= (KFastest ? 4 : 1)) {
        x = *reinterpret_cast<const float4*>(p);
      } else if (there_[n] > 0 && left > 0) {
        const std::size_t here = KFastest ? left : static_cast<std::size_t>(there_[n]);
        x.x = p[0];
        if (here > 1) x.y = p[1];
        if (here > 2) x.z = p[2];
        if (here > 3) x.w = p[3];
      }
      held_[n] = x;
    }
  }
  template <int Row>
  __device__ void store(float (*to)[Row]) const {
#pragma unroll
    for (int n = 0; n < count; ++n) {
      const float4 x = held_[n];
      const int row = AlongK ? position(n) : step(n), at = AlongK ? step(n) : position(n);
      if constexpr (KFastest == AlongK) {
        *reinterpret_cast<float4*>(&to[row][at]) = x;
      } else {
        to[row][at] = x.x, to[row + 1][at] = x.y, to[row + 2][at] = x.z, to[row + 3][at] = x.w;
      }
    }
  }

 private:
  static constexpr int count = Long * Depth / 4 / Threads;

  /// Where the n-th group of this thread begins: neighbours in memory to neighbours in a warp. But what is along k and
  /// shall not be in shared memory goes in sectors of 32 bytes, two threads each, and the next position follows: that
  /// way a warp stores to 32 banks.
  static __device__ int position(int n) {
    const int e = static_cast<int>(threadIdx.x) + n * Threads;
    return !KFastest ? e % (Long / 4) * 4 : AlongK ? e / (Depth / 4) : e / 2 % Long;
  }
  static __device__ int step(int n) {
    const int e = static_cast<int>(threadIdx.x) + n * Threads;
    return !KFastest ? e / (Long / 4) : AlongK ? e % (Depth / 4) * 4 : (e / 2 / Long * 2 + e % 2) * 4;
  }

  std::size_t K_, step_;
  const float* from_[count];
  int there_[count];
  bool whole_[count];
  float4 held_[count];
};

/// `count` floats, one, two or four, from shared memory aligned to as many.
template <int count>
__device__ inline void load_group(float* to, const float* from) {
  if constexpr (count == 1) {
    to[0] = *from;
  } else if constexpr (count == 2) {
    const float2 two = *reinterpret_cast<const float2*>(from);
    to[0] = two.x, to[1] = two.y;
  } else {
    static_assert(count == 4);
    const float4 four = *reinterpret_cast<const float4*>(from);
    to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
  }
}

/// One step of k: sums(i, j) += a(i)·b(j).
template <class Tile>
__device__ inline void add_products(float (&sums)[Tile::thread_rows][Tile::thread_columns], const float* a_row,
                                    const float* b_row) {
  constexpr int TM = Tile::thread_rows, TN = Tile::thread_columns;
  constexpr int GM = Tile::row_group, GN = Tile::column_group;
  float a[TM], b[TN];
#pragma unroll
  for (int i = 0; i < TM; i += GM) load_group<GM>(a + i, a_row + i / GM * Tile::row_step);
#pragma unroll
  for (int j = 0; j < TN; j += GN) load_group<GN>(b + j, b_row + j / GN * Tile::column_step);
#pragma unroll
  for (int i = 0; i < TM; ++i) {
#pragma unroll
    for (int j = 0; j < TN; ++j) sums[i][j] = __fmaf_rn(a[i], b[j], sums[i][j]);
  }
}

/// f(z) for element i of C.
__device__ inline float finished(const GemmArguments& g, float z, std::size_t i) {
  Lane value{z};
  if (g.epilogue == Epilogue::relu) value = max(Lane::zero(), value);  // in this order NaN stays NaN
  if (g.epilogue == Epilogue::gate) value.v = g.gate[i] > 0.0f ? value.v : 0.0f;
  return value.v;
}

/// Group by group of a thread's elements in C: f(i, j, row, column of the first one, how many of them are
/// inside C).
template <class Tile, class F>
__device__ inline void for_each_group(const GemmArguments& g, std::size_t first_row, std::size_t first_column, F f) {
  constexpr int GM = Tile::row_group, GN = Tile::column_group;
#pragma unroll
  for (int i = 0; i < Tile::thread_rows; ++i) {
    const std::size_t row = first_row + static_cast<std::size_t>(i / GM * Tile::row_step + i % GM);
#pragma unroll
    for (int j = 0; j < Tile::thread_columns; j += GN) {
      const std::size_t column = first_column + static_cast<std::size_t>(j / GN * Tile::column_step);
      if (row >= g.M || column >= g.N) continue;
      const std::size_t left = g.N - column;
      f(i, j, row, column, left < GN ? static_cast<int>(left) : GN);
    }
  }
}

template <class Tile, Product product>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks) gemm_kernel(GemmArguments g) {
  constexpr bool TransA = transposes_a<product>, TransB = transposes_b<product>;
  constexpr int BM = Tile::rows, BN = Tile::columns, BK = Tile::depth, GN = Tile::column_group;
  MINITRAIN_SHARED_ALIGNED(16, float, a_tiles, [2][BK][BM + 4]);
  MINITRAIN_SHARED_ALIGNED(16, float, b_tiles, [2][BK][BN + 4]);
  const std::size_t first_row = static_cast<std::size_t>(blockIdx.y) * BM;
  const std::size_t first_column = static_cast<std::size_t>(blockIdx.x) * BN;
  const int thread_row = Tile::first_row(), thread_column = Tile::first_column();
  const std::size_t row_here = first_row + static_cast<std::size_t>(thread_row);
  const std::size_t column_here = first_column + static_cast<std::size_t>(thread_column);
  const bool fours = GN == 4 && g.N % 4 == 0 && reinterpret_cast<std::size_t>(g.c) % 16 == 0;

  GemmSlice<BM, BK, Tile::threads, !TransA> a_slice(g.a, g.lda, first_row, g.M, g.K);
  GemmSlice<BN, BK, Tile::threads, TransB> b_slice(g.b, g.ldb, first_column, g.N, g.K);
  a_slice.load(0);
  b_slice.load(0);

  float sums[Tile::thread_rows][Tile::thread_columns] = {};
  if (g.start != Start::zero) {
    for_each_group<Tile>(g, row_here, column_here, [&](int i, int j, std::size_t row, std::size_t column, int count) {
      const float* const from = g.start == Start::bias ? g.bias + column : g.c + row * g.N + column;
      if (fours && g.start == Start::add) return load_group<GN>(&sums[i][j], from);
#pragma unroll
      for (int e = 0; e < GN; ++e) {
        if (e < count) sums[i][j + e] = from[e];
      }
    });
  }

  // The sums of B's columns go beside the products of the first tiles: a chain of their own, which hides behind them.
  const std::size_t sums_column = first_column + threadIdx.x;
  const bool sums_columns = TransA && Tile::sums_columns && g.column_sums != nullptr && blockIdx.y == 0;
  const bool has_column = sums_columns && threadIdx.x < BN;
  Lane column_sum = Lane::zero();
  if (has_column && g.start == Start::add && sums_column < g.N) column_sum.v = g.column_sums[sums_column];

  a_slice.store(a_tiles[0]);
  b_slice.store(b_tiles[0]);
  __syncthreads();
  int now = 0;
  for (std::size_t k = 0; k < g.K; k += BK) {
    const bool more = k + BK < g.K;
    if (more) {
      a_slice.load(k + BK);
      b_slice.load(k + BK);
    }
    const float(*const a_tile)[BM + 4] = a_tiles[now];
    const float(*const b_tile)[BN + 4] = b_tiles[now];
    const auto step = [&](int l) { add_products<Tile>(sums, &a_tile[l][thread_row], &b_tile[l][thread_column]); };
    const auto add_column = [&](int l) {
      if (has_column) column_sum = column_sum + Lane{b_tile[l][threadIdx.x]};
    };
    // Of the last slice only the steps that there are: 0·0 added to -0 would make +0.
    const int depth = g.K - k < BK ? static_cast<int>(g.K - k) : BK;
    if (depth < BK) {
#pragma unroll 1
      for (int l = 0; l < depth; ++l) step(l), add_column(l);
    } else if (sums_columns) {
#pragma unroll 8
      for (int l = 0; l < BK; ++l) step(l), add_column(l);
    } else {
#pragma unroll 8
      for (int l = 0; l < BK; ++l) step(l);
    }
    if (!more) break;
    now = 1 - now;
    a_slice.store(a_tiles[now]);
    b_slice.store(b_tiles[now]);
    __syncthreads();
  }
  if (has_column && sums_column < g.N) g.column_sums[sums_column] = column_sum.v;

  for_each_group<Tile>(g, row_here, column_here, [&](int i, int j, std::size_t row, std::size_t column, int count) {
    const std::size_t at = row * g.N + column;
    float out[GN];
#pragma unroll
    for (int e = 0; e < GN; ++e) out[e] = e < count ? finished(g, sums[i][j + e], at + static_cast<std::size_t>(e)) : 0;
    if constexpr (GN == 4) {
      if (fours) {
        *reinterpret_cast<float4*>(g.c + at) = make_float4(out[0], out[1], out[2], out[3]);
        return;
      }
    }
#pragma unroll
    for (int e = 0; e < GN; ++e) {
      if (e < count) g.c[at + static_cast<std::size_t>(e)] = out[e];
    }
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
