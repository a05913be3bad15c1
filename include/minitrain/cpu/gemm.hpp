#pragma once
// gemm: C = f(S + A·B), the product that dense layers are made of.

#include <minitrain/cpu/dispatch.hpp>

#include <algorithm>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

/// What the sums over k start from: zero, a row vector added to every row, or what C holds.
enum class GemmStart { zero, bias, add };

/// c(i, j) = f(s(i, j) + a(i, 0)·b(0, j) + a(i, 1)·b(1, j) + ...), the products added in the order of k, each with one
/// rounding (two with Isa::baseline), whatever the sizes, the blocks and the threads. f is the identity, or
///   relu   max(0, z)
///   gate   g(i, j) > 0 ? z : 0: the derivative of relu, of which g was the output
/// C does not overlap A or B.
template <class T>
struct GemmProblem {
  std::size_t M = 0, N = 0, K = 0;
  const T* a = nullptr;  // a(i, k) = a[i·a_row + k·a_column], one of the two strides 1
  std::size_t a_row = 0, a_column = 1;
  const T* b = nullptr;  // b(k, j) = b[k·b_row + j·b_column], one of the two strides 1
  std::size_t b_row = 0, b_column = 1;
  T* c = nullptr;  // c(i, j) = c[i·c_row + j]
  std::size_t c_row = 0;
  GemmStart start = GemmStart::zero;
  const T* bias = nullptr;  // [N], for GemmStart::bias
  bool relu = false;
  const T* gate = nullptr;  // laid out as C; null: none
};

namespace cpu {

/// Rows of packed A that stay in the second-level cache, and after how many steps of k a tile looks ahead.
inline constexpr std::size_t gemm_rows = 516, gemm_chunk = 16;

/// Steps of k in a block: so many that the rows of B in a panel stay in the first-level cache; more when A is read
/// along its rows and B as it is, since then each block costs more than it saves.
template <class T>
std::size_t gemm_depth(const GemmProblem<T>& p, bool b_packed) {
  return b_packed ? 256 : p.a_row == 1 ? 128 : 1024;
}

/// Some rows of a matrix to fetch into the second-level cache, `step` pairs of cache lines at a time.
template <class T>
struct GemmAhead {
  const T* row;
  std::size_t rows, length, stride, offset, step;
};

/// All rows of a few columns and some of k: what the kernels below work on.
template <class T>
struct GemmPanel {
  std::size_t M, K;
  const T* a;
  std::size_t a_row, a_column;
  bool a_packed;  // tile after tile, each with k outermost
  const T* b;
  std::size_t b_row, b_column;
  T* c;
  std::size_t c_row;
  const T* start;  // null: zero
  std::size_t start_row, start_column;
  bool relu;
  const T* gate;
  T* next_c;            // rows of the next tile
  GemmAhead<T> next_b;  // of the next panel
  int last;             // elements in the last vector of columns
};

}  // namespace cpu
}  // namespace minitrain::inline MINITRAIN_ABI

#define MINITRAIN_KERNELS <minitrain/cpu/gemm.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <class T>
void gemm_on(Isa isa, const GemmProblem<T>& p, T* packed_a, T* packed_b) {
  MINITRAIN_DISPATCH(isa, T, gemm_blocks<T>(p, packed_a, packed_b));
}

/// Columns [begin, end) of a problem.
template <class T>
GemmProblem<T> gemm_columns_of(GemmProblem<T> p, std::size_t begin, std::size_t end) {
  p.N = end - begin;
  p.b += begin * p.b_column;
  p.c += begin;
  if (p.bias != nullptr) p.bias += begin;
  if (p.gate != nullptr) p.gate += begin;
  return p;
}

/// Rows [begin, end) of a problem.
template <class T>
GemmProblem<T> gemm_rows_of(GemmProblem<T> p, std::size_t begin, std::size_t end) {
  p.M = end - begin;
  p.a += begin * p.a_row;
  p.c += begin * p.c_row;
  if (p.gate != nullptr) p.gate += begin * p.c_row;
  return p;
}

/// Elements of working memory that each thread packs A and B into; 0: none. A transposed B is always packed, and both
/// are when there is enough work on each element to pay for it.
template <class T>
struct GemmWorkspace {
  std::size_t a = 0, b = 0;
  explicit GemmWorkspace(const GemmProblem<T>& p) {
    const bool far_rows = std::max(p.b_row, p.b_column) * sizeof(T) >= 4096;
    const bool large = p.N > 256 && p.M > (far_rows ? 6u : 48u);
    const std::size_t depth = std::min(p.K, gemm_depth(p, true));
    if (large) a = depth * std::min(p.M, gemm_rows);
    if (large || p.b_column != 1) b = depth * 64;
  }
};

}  // namespace cpu

/// Computes the problem. Threads share out columns or rows of C.
template <class T>
void gemm(const Cpu& device, const GemmProblem<T>& p) {
  if (p.M == 0 || p.N == 0) return;
  const cpu::GemmWorkspace<T> need(p);
  const std::size_t threads = device.threads();
  T* const a = need.a != 0 ? device.template scratch<T>(0, threads * need.a) : nullptr;
  T* const b = need.b != 0 ? device.template scratch<T>(1, threads * need.b) : nullptr;
  if (threads == 1) return cpu::gemm_on(device.isa(), p, a, b);
  const bool by_columns = p.N > p.M;
  const std::size_t grain = by_columns ? 32 : 12, extent = by_columns ? p.N : p.M;
  const std::size_t grains = (extent + grain - 1) / grain;
  const double work = 2.0 * static_cast<double>(p.M) * static_cast<double>(p.N) * static_cast<double>(p.K);
  device.parallel(extent, grain, work, [&](std::size_t begin, std::size_t end) {
    const std::size_t thread = (begin / grain * threads + grains - 1) / grains;  // another for each part
    const GemmProblem<T> part = by_columns ? cpu::gemm_columns_of(p, begin, end) : cpu::gemm_rows_of(p, begin, end);
    cpu::gemm_on(device.isa(), part, a + thread * need.a, b + thread * need.b);
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI
