// gemm_mma.  C = f(S + r(A)·r(B)) on tensor cores: r rounds to tf32, bf16 or fp16, to nearest even, on the way into
// shared memory; A, B, C and the sums are fp32. FLOPs 2·M·N·K, bytes 4·(M·K + K·N + M·N) at least; bound by the tensor
// cores where all sizes are large, else by how fast operands reach shared memory, or by latency.
//
// An element of C is one chain of mma.sync instructions over k, a granule of 8 (tf32) or 16 steps each, that starts
// from S and stays in registers: what a granule adds up to is the hardware's affair, but neither the tile nor the place
// of a block shows, and a sum over samples cut at whole granules has the bits of the sum in one go.
//
// A block owns a tile of C, its warps own parts of that, 16 x 8 elements to an instruction. K runs through shared
// memory in slices that keep the operands' own layout: ldmatrix turns 16-bit elements on the way to registers, words
// are read one by one. The next slice is on its way to registers while the last one is multiplied.
#pragma once
#include "gemm_arguments.cuh"
#include "lane.cuh"
#include "ptx.cuh"

#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI::cuda {

/// Whether the device that is compiled for has the instructions of a mode.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
template <Math math>
inline constexpr bool has_tensor_cores = math == Math::fp16;
#else
template <Math math>
inline constexpr bool has_tensor_cores = true;
#endif

/// The nearest tf32 number, ties to even; NaN stays NaN, and what is past the largest is infinite.
__device__ inline float nearest_tf32(float x) {
  const unsigned bits = __float_as_uint(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return __uint_as_float(bits | 0x00400000u);
  return __uint_as_float((bits + 0xfffu + (bits >> 13 & 1u)) & 0xffffe000u);
}

__device__ inline unsigned nearest_bf16_pair(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return __bfloat16_as_ushort(pair.x) | static_cast<unsigned>(__bfloat16_as_ushort(pair.y)) << 16;
}
__device__ inline unsigned nearest_fp16_pair(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  return __half_as_ushort(pair.x) | static_cast<unsigned>(__half_as_ushort(pair.y)) << 16;
}

/// 16-bit operands. Row pitches of 16 bytes more than a multiple of 64 keep the eight rows of an ldmatrix in different
/// banks.
template <Math math>
struct MmaOperand {
  using Element = unsigned short;
  static constexpr int granule = 16, depth = 32;
  static __host__ __device__ constexpr int pitch(int width, bool) { return width + 8; }

  static __device__ void store(Element* to, const float4& x) {
    uint2 four;
    if constexpr (math == Math::bf16) {
      four.x = nearest_bf16_pair(x.x, x.y), four.y = nearest_bf16_pair(x.z, x.w);
    } else {
      four.x = nearest_fp16_pair(x.x, x.y), four.y = nearest_fp16_pair(x.z, x.w);
    }
    *reinterpret_cast<uint2*>(to) = four;
  }
  /// 16 rows and 16 steps of A from a tile [row][k], or [k][row].
  template <bool KFastest>
  static __device__ void load_a(unsigned (&a)[4], const Element* tile, int pitch, int row, int k) {
    const int lane = static_cast<int>(threadIdx.x) % 32, eight = lane % 8, odd = lane / 8 % 2 * 8, high = lane / 16 * 8;
    if constexpr (KFastest) {
      ptx::ldmatrix_x4<false>(a, tile + (row + eight + odd) * pitch + k + high);
    } else {
      ptx::ldmatrix_x4<true>(a, tile + (k + eight + high) * pitch + row + odd);
    }
  }
  /// 16 steps and 16 columns of B from a tile [column][k], or [k][column].
  template <bool KFastest>
  static __device__ void load_b(unsigned (&b)[2][2], const Element* tile, int pitch, int column, int k) {
    const int lane = static_cast<int>(threadIdx.x) % 32, eight = lane % 8, odd = lane / 8 % 2 * 8, high = lane / 16 * 8;
    unsigned four[4];
    if constexpr (KFastest) {
      ptx::ldmatrix_x4<false>(four, tile + (column + eight + high) * pitch + k + odd);
    } else {
      ptx::ldmatrix_x4<true>(four, tile + (k + eight + odd) * pitch + column + high);
    }
    b[0][0] = four[0], b[0][1] = four[1], b[1][0] = four[2], b[1][1] = four[3];
  }
  static __device__ void multiply(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    if constexpr (math == Math::bf16) {
      ptx::mma_m16n8k16_bf16(c, a, b, c);
    } else {
      ptx::mma_m16n8k16_f16(c, a, b, c);
    }
  }
};

/// Words. The pitches put the 32 words that a warp reads at a time into different banks.
template <>
struct MmaOperand<Math::tf32> {
  using Element = float;
  static constexpr int granule = 8, depth = 16;
  static __host__ __device__ constexpr int pitch(int width, bool k_fastest) { return width + (k_fastest ? 4 : 8); }

  static __device__ void store(Element* to, const float4& x) {
    *reinterpret_cast<float4*>(to) =
        make_float4(nearest_tf32(x.x), nearest_tf32(x.y), nearest_tf32(x.z), nearest_tf32(x.w));
  }
  template <bool KFastest>
  static __device__ float at(const Element* tile, int pitch, int position, int k) {
    return KFastest ? tile[position * pitch + k] : tile[k * pitch + position];
  }
  template <bool KFastest>
  static __device__ void load_a(float (&a)[4], const Element* tile, int pitch, int row, int k) {
    const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int r = 0; r < 4; ++r) a[r] = at<KFastest>(tile, pitch, row + g + r % 2 * 8, k + t + r / 2 * 4);
  }
  template <bool KFastest>
  static __device__ void load_b(float (&b)[2][2], const Element* tile, int pitch, int column, int k) {
    const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int r = 0; r < 4; ++r) b[r / 2][r % 2] = at<KFastest>(tile, pitch, column + g + r / 2 * 8, k + t + r % 2 * 4);
  }
  static __device__ void multiply(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
    ptx::mma_m16n8k8_tf32(c, a, b, c);
  }
};

template <int BM, int BN, int WM, int WN>
struct MmaTile {
  static constexpr int rows = BM, columns = BN, warp_rows = WM, warp_columns = WN;
  static constexpr int threads = (BM / WM) * (BN / WN) * 32;
  static_assert(WM % 16 == 0 && WN % 16 == 0 && BN <= threads);
};

/// `Height` rows of `Width` floats of a matrix on their way through registers into shared memory.
template <int Width, int Height, int Threads>
struct MmaSlice {
  static constexpr int count = Width * Height / 4 / Threads;
  static_assert(count * 4 * Threads == Width * Height);
  float4 held[count];

  static __device__ int row(int n) { return (static_cast<int>(threadIdx.x) + n * Threads) / (Width / 4); }
  static __device__ int column(int n) { return (static_cast<int>(threadIdx.x) + n * Threads) % (Width / 4) * 4; }

  /// Zeros past the end of the matrix. `fours`: groups of four are aligned.
  __device__ void load(const float* from, std::size_t stride, std::size_t first_row, std::size_t rows,
                       std::size_t first_column, std::size_t columns, bool fours) {
#pragma unroll
    for (int n = 0; n < count; ++n) {
      const std::size_t i = first_row + static_cast<std::size_t>(row(n));
      const std::size_t j = first_column + static_cast<std::size_t>(column(n));
      const float* const p = from + i * stride + j;
      float4 x = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (i < rows && j + 4 <= columns && fours) {
        x = *reinterpret_cast<const float4*>(p);
      } else if (i < rows) {
        if (j < columns) x.x = p[0];
        if (j + 1 < columns) x.y = p[1];
        if (j + 2 < columns) x.z = p[2];
        if (j + 3 < columns) x.w = p[3];
      }
      held[n] = x;
    }
  }
  template <class Operand>
  __device__ void store(typename Operand::Element* tile, int pitch) const {
#pragma unroll
    for (int n = 0; n < count; ++n) Operand::store(tile + row(n) * pitch + column(n), held[n]);
  }
  __device__ void store_exact(float (*tile)[Width]) const {
#pragma unroll
    for (int n = 0; n < count; ++n) *reinterpret_cast<float4*>(&tile[row(n)][column(n)]) = held[n];
  }
};

template <Math math, class Tile, Product product>
__device__ void gemm_mma_block(const GemmArguments& g) {
  using Operand = MmaOperand<math>;
  using Element = typename Operand::Element;
  constexpr bool a_k_fastest = !transposes_a<product>, b_k_fastest = transposes_b<product>;
  constexpr bool sums_columns = product == Product::weights;
  constexpr int BM = Tile::rows, BN = Tile::columns, BK = Operand::depth, threads = Tile::threads;
  constexpr int a_width = a_k_fastest ? BK : BM, a_height = a_k_fastest ? BM : BK;
  constexpr int b_width = b_k_fastest ? BK : BN, b_height = b_k_fastest ? BN : BK;
  constexpr int a_pitch = Operand::pitch(a_width, a_k_fastest), b_pitch = Operand::pitch(b_width, b_k_fastest);
  constexpr int row_tiles = Tile::warp_rows / 16, column_tiles = Tile::warp_columns / 8;
  MINITRAIN_SHARED_ALIGNED(16, Element, a_tile, [a_height * a_pitch]);
  MINITRAIN_SHARED_ALIGNED(16, Element, b_tile, [b_height * b_pitch]);
  MINITRAIN_SHARED_ALIGNED(16, float, exact_tile, [sums_columns ? b_height : 1][b_width]);

  const std::size_t first_row = static_cast<std::size_t>(blockIdx.y) * BM;
  const std::size_t first_column = static_cast<std::size_t>(blockIdx.x) * BN;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_row = warp / (BN / Tile::warp_columns) * Tile::warp_rows;
  const int warp_column = warp % (BN / Tile::warp_columns) * Tile::warp_columns;
  // Where element e of an instruction's 16 x 8 results is in C.
  const auto row_of = [&](int i, int e) {
    return first_row + static_cast<std::size_t>(warp_row + 16 * i + lane / 4 + e / 2 * 8);
  };
  const auto column_of = [&](int j, int e) {
    return first_column + static_cast<std::size_t>(warp_column + 8 * j + lane % 4 * 2 + e % 2);
  };

  float sums[row_tiles][column_tiles][4];
#pragma unroll
  for (int i = 0; i < row_tiles; ++i) {
#pragma unroll
    for (int j = 0; j < column_tiles; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const std::size_t row = row_of(i, e), column = column_of(j, e);
        sums[i][j][e] = 0.0f;
        if (g.start == Start::bias && column < g.N) sums[i][j][e] = g.bias[column];
        if (g.start == Start::add && row < g.M && column < g.N) sums[i][j][e] = g.c[row * g.N + column];
      }
    }
  }

  // The bias gradient is no product: it adds dy as it is, in the order of gemm.cuh.
  const std::size_t sums_column = first_column + threadIdx.x;
  const bool first_tiles = sums_columns && g.column_sums != nullptr && blockIdx.y == 0;
  const bool has_column = first_tiles && threadIdx.x < BN;
  Lane column_sum = Lane::zero();
  if (has_column && g.start == Start::add && sums_column < g.N) column_sum.v = g.column_sums[sums_column];

  const bool a_fours = g.lda % 4 == 0 && reinterpret_cast<std::size_t>(g.a) % 16 == 0;
  const bool b_fours = g.ldb % 4 == 0 && reinterpret_cast<std::size_t>(g.b) % 16 == 0;
  MmaSlice<a_width, a_height, threads> a_slice;
  MmaSlice<b_width, b_height, threads> b_slice;
  const auto load = [&](std::size_t k) {
    if constexpr (a_k_fastest) {
      a_slice.load(g.a, g.lda, first_row, g.M, k, g.K, a_fours);
    } else {
      a_slice.load(g.a, g.lda, k, g.K, first_row, g.M, a_fours);
    }
    if constexpr (b_k_fastest) {
      b_slice.load(g.b, g.ldb, first_column, g.N, k, g.K, b_fours);
    } else {
      b_slice.load(g.b, g.ldb, k, g.K, first_column, g.N, b_fours);
    }
  };
  load(0);
  for (std::size_t k = 0; k < g.K; k += BK) {
    a_slice.template store<Operand>(a_tile, a_pitch);
    b_slice.template store<Operand>(b_tile, b_pitch);
    if constexpr (sums_columns) {
      if (first_tiles) b_slice.store_exact(exact_tile);
    }
    __syncthreads();
    if (k + BK < g.K) load(k + BK);
    const int depth = g.K - k < BK ? static_cast<int>(g.K - k) : BK;
    // Of the last slice only the granules that there are: 0·0 added to -0 would make +0.
#pragma unroll
    for (int step = 0; step < BK; step += Operand::granule) {
      if (step >= depth) break;
      using Register = std::conditional_t<math == Math::tf32, float, unsigned>;
      Register a[row_tiles][4], b[column_tiles / 2][2][2];
#pragma unroll
      for (int i = 0; i < row_tiles; ++i) {
        Operand::template load_a<a_k_fastest>(a[i], a_tile, a_pitch, warp_row + 16 * i, step);
      }
#pragma unroll
      for (int j = 0; j < column_tiles / 2; ++j) {
        Operand::template load_b<b_k_fastest>(b[j], b_tile, b_pitch, warp_column + 16 * j, step);
      }
#pragma unroll
      for (int i = 0; i < row_tiles; ++i) {
#pragma unroll
        for (int j = 0; j < column_tiles; ++j) Operand::multiply(sums[i][j], a[i], b[j / 2][j % 2]);
      }
    }
    if constexpr (sums_columns) {
      if (has_column) {
        for (int l = 0; l < depth; ++l) column_sum = column_sum + Lane{exact_tile[l][threadIdx.x]};
      }
    }
    __syncthreads();
  }
  if (has_column && sums_column < g.N) g.column_sums[sums_column] = column_sum.v;

#pragma unroll
  for (int i = 0; i < row_tiles; ++i) {
#pragma unroll
    for (int j = 0; j < column_tiles; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const std::size_t row = row_of(i, e), column = column_of(j, e);
        if (row >= g.M || column >= g.N) continue;
        Lane z{sums[i][j][e]};
        if (g.epilogue == Epilogue::relu) z = max(Lane::zero(), z);  // in this order NaN stays NaN
        if (g.epilogue == Epilogue::gate) z.v = g.gate[row * g.N + column] > 0.0f ? z.v : 0.0f;
        g.c[row * g.N + column] = z.v;
      }
    }
  }
}

template <Math math, class Tile, Product product>
__global__ void __launch_bounds__(Tile::threads) gemm_mma_kernel(GemmArguments g) {
  if constexpr (has_tensor_cores<math>)
    gemm_mma_block<math, Tile, product>(g);  // else Cuda's constructor has refused the mode
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
