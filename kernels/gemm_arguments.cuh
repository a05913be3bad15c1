// What a matrix product is asked for with, and who can compute it.
#pragma once
#include "context.cuh"

#include <algorithm>
#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI::cuda {

enum class Start { zero, bias, add };      // S: zero, a row vector, or what C holds
enum class Epilogue { none, relu, gate };  // f: z, max(0, z), or gate > 0 ? z : 0

/// C[M, N] = f(S + A·B), all in fp32, and, where asked for, column_sums(j) = s(j) + b(0, j) + b(1, j) + ...
struct GemmArguments {
  std::size_t M, N, K;
  const float* a;  // a(i, k) at a[i·lda + k], transposed at a[k·lda + i]
  std::size_t lda;
  const float* b;  // b(k, j) at b[k·ldb + j], transposed at b[j·ldb + k]
  std::size_t ldb;
  float* c;  // c(i, j) at c[i·N + j]
  const float* bias = nullptr;
  const float* gate = nullptr;  // laid out as C
  Start start = Start::zero;
  Epilogue epilogue = Epilogue::none;
  float* column_sums = nullptr;  // only with A transposed; they start as C does, from zero or from what they hold
};

/// The three products of a dense layer, by what is transposed.
enum class Product {
  forward,  // y = x·W
  input,    // dx = dy·Wᵀ
  weights   // dW += xᵀ·dy
};
template <Product product>
inline constexpr bool transposes_a = product == Product::weights;
template <Product product>
inline constexpr bool transposes_b = product == Product::input;

/// gemm.cu, gemm_mma.cu: our own kernels, in fp32 with the CPU's bits, or on tensor cores. Nothing to do is no launch.
void gemm_fp32(const Cuda&, Product, const GemmArguments&);
void gemm_mma(const Cuda&, Math, Product, const GemmArguments&);

/// gemm_choice.cu: by whichever of them, or of cuBLASLt's where the device is not exact, is fastest.
void gemm(const Cuda&, Product, const GemmArguments&);

/// Whether a product has anything to write.
inline bool is_empty(const GemmArguments& g) { return g.N == 0 || (g.M == 0 && g.column_sums == nullptr); }

/// Launches `kernel` with a block for each tile of C, and at least one for each column of tiles. Rows of tiles past the
/// limit of a grid's second side take turns.
template <class Tile, Product product>
void launch_tiles(const Cuda& device, void (*kernel)(GemmArguments), const GemmArguments& g) {
  constexpr std::size_t most_rows = std::size_t{65535} * Tile::rows;
  constexpr unsigned most_blocks = 0x7fffffff;
  for (std::size_t first = 0; first == 0 || first < g.M; first += most_rows) {
    GemmArguments part = g;
    part.M = std::min(most_rows, g.M - first);
    part.a += transposes_a<product> ? first : first * g.lda;
    part.c += first * g.N;
    if (part.gate != nullptr) part.gate += first * g.N;
    if (first > 0) part.column_sums = nullptr;
    launch(kernel, dim3(blocks_for(g.N, Tile::columns, most_blocks), blocks_for(part.M, Tile::rows)),
           dim3(Tile::threads), 0, stream_of(device), part);
  }
}

/// How many tiles of that size cover C.
inline std::size_t tiles_of(const GemmArguments& g, std::size_t rows, std::size_t columns) {
  return (g.M + rows - 1) / rows * ((g.N + columns - 1) / columns);
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
