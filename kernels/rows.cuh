// What kernels that walk along rows and slabs share.
//
// A half-warp takes a row: its thread l has the elements l, l + 16, l + 32, ..., as lane l of the CPU's Vec does, and
// the 16 results are combined in the CPU's tree. So sums have the CPU's order, and both halves of a warp read whole
// sectors of 32 bytes. Loads past the end of a row give 0, which the CPU adds too: it may turn -0 into 0.
//
// Totals over samples are added by one thread, in the order of the samples; its warp loads for it.
#pragma once
#include "context.cuh"
#include "lane.cuh"

#include <algorithm>
#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI::cuda {

/// Blocks of `per_block` for n, for kernels that stride over the grid: no more than the GPU runs at once, a few times
/// over.
inline dim3 striding_blocks(const Cuda& device, std::size_t n, std::size_t per_block) {
  return dim3(blocks_for(n, per_block, 32u * static_cast<unsigned>(device.context()->multiprocessors())));
}

__device__ inline std::size_t thread_of_grid() {
  return static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::size_t threads_of_grid() { return static_cast<std::size_t>(gridDim.x) * blockDim.x; }

// --- elements -------------------------------------------------------------------------------------------------------

/// How a slab is cut: groups of four elements, which move in one instruction each, and single elements after them.
struct Quads {
  std::size_t quads, count;
};
/// No groups where one of the pointers is not aligned to 16 bytes.
template <class... P>
Quads quads_of(std::size_t count, const P*... pointers) {
  const bool aligned = ((reinterpret_cast<std::uintptr_t>(pointers) % alignof(float4) == 0) && ...);
  return {aligned ? count / 4 : 0, count};
}

constexpr unsigned quad_threads = 256;
/// Blocks of quad_threads, whose threads stride over the groups and then over the rest.
inline dim3 quad_blocks(const Cuda& device, const Quads& q) {
  return striding_blocks(device, std::max(q.quads, q.count - 4 * q.quads), quad_threads);
}

// --- rows -----------------------------------------------------------------------------------------------------------

constexpr unsigned row_threads = 128;  // of a block: eight rows
inline dim3 row_blocks(const Cuda& device, std::size_t rows) { return striding_blocks(device, rows, row_threads / 16); }

/// f(row, n) for the rows of a half-warp; n is `columns`. Sums are exchanges of whole warps, so a half-warp without a
/// row goes along with n = 0.
template <class F>
__device__ void for_each_row(std::size_t rows, std::size_t columns, F f) {
  const std::size_t step = threads_of_grid() / 16;
  for (std::size_t row = thread_of_grid() / 16; row - row % 2 < rows; row += step) f(row, row < rows ? columns : 0);
}

/// The thread's place in its half-warp.
__device__ inline unsigned row_lane() { return threadIdx.x % 16; }

__device__ inline Lane load_or_zero(const float* row, std::size_t j, std::size_t n) { return {j < n ? row[j] : 0.0f}; }

/// Vec::sum() of the half-warp, in each of its threads.
__device__ inline Lane row_sum(Lane v) {
#pragma unroll
  for (int away = 8; away > 0; away /= 2) v = v + Lane{__shfl_xor_sync(all_lanes, v.v, away)};
  return v;
}

/// Vec::largest(). The lower lane comes first, for NaN and for zeros of two signs.
__device__ inline Lane row_largest(Lane v) {
#pragma unroll
  for (int away = 8; away > 0; away /= 2) {
    const Lane other{__shfl_xor_sync(all_lanes, v.v, away)};
    v = (row_lane() & static_cast<unsigned>(away)) != 0 ? max(other, v) : max(v, other);
  }
  return v;
}

/// Whether `yes` in any thread of the half-warp.
__device__ inline bool row_any(bool yes) {
  const unsigned votes = __ballot_sync(all_lanes, yes ? 1 : 0);
  return (votes >> (threadIdx.x & 16u) & 0xffffu) != 0;
}

// --- totals ---------------------------------------------------------------------------------------------------------

__device__ inline float plus(float a, float b) { return __fadd_rn(a, b); }
__device__ inline double plus(double a, double b) { return __dadd_rn(a, b); }

template <class T>
struct EightTerms {
  T term[8];
};

/// total + term(read(0)) + term(read(1)) + ... from left to right, in each thread of a whole warp, whose number in its
/// block is below 3. A link of the chain is one addition: the terms it takes lie in shared memory, 64 at a time, while
/// what the next ones are made of is on its way.
template <class T, class Read, class Term>
__device__ T add_in_order(T total, std::size_t count, Read read, Term term) {
  constexpr unsigned most = 64;
  MINITRAIN_SHARED_ALIGNED(16, T, terms, [3][2][most]);
  const unsigned lane = threadIdx.x % 32;
  T(*const mine)[most] = terms[threadIdx.x / 32];
  decltype(read(count)) next[2] = {};
  const auto load = [&](std::size_t first) {
#pragma unroll
    for (unsigned i = 0; i < 2; ++i) {
      if (first + 32 * i + lane < count) next[i] = read(first + 32 * i + lane);
    }
  };
  load(0);
  unsigned now = 0;
  for (std::size_t first = 0; first < count; first += most) {
    mine[now][lane] = term(next[0]);
    mine[now][32 + lane] = term(next[1]);
    __syncwarp();
    load(first + most);
    if (count - first >= most) {
      using Eight = EightTerms<T>;
      const auto take = [&](Eight& eight, int l) {
#pragma unroll
        for (int i = 0; i < 8; ++i) eight.term[i] = mine[now][8 * l + i];
      };
      pipelined<2, Eight>(static_cast<int>(most) / 8, take, [&](const Eight& eight, int) {
#pragma unroll
        for (int i = 0; i < 8; ++i) total = plus(total, eight.term[i]);
      });
    } else {
      for (unsigned i = 0; i < static_cast<unsigned>(count - first); ++i) total = plus(total, mine[now][i]);
    }
    now = 1 - now;
  }
  return total;
}

/// What the rows of a loss leave for its totals.
struct RowResults {
  const float* loss;
  const float* weight;  // null: 1 each, added at once
  const float* right;   // null: none
  std::size_t rows;
  double divisor;  // of each loss
};

/// By three warps, each with one of the totals.
__device__ inline void add_results_of(const RowResults& r, double* totals) {
  const unsigned which = threadIdx.x / 32;
  double total = totals[which];
  if (which == 0) {
    total = add_in_order(
        total, r.rows, [&](std::size_t row) { return r.loss[row]; },
        [&](float loss) {
          return r.divisor == 1.0 ? static_cast<double>(loss) : static_cast<double>(loss) / r.divisor;
        });
  } else if (which == 1 && r.weight == nullptr) {
    total = __dadd_rn(total, static_cast<double>(r.rows));
  } else if (const float* const terms = which == 1 ? r.weight : r.right; terms != nullptr) {
    total = add_in_order(
        total, r.rows, [&](std::size_t row) { return terms[row]; },
        [](float value) { return static_cast<double>(value); });
  }
  __syncwarp();  // all have read what one now writes
  if (threadIdx.x % 32 == 0) totals[which] = total;
}

/// At the end of a kernel with at least three warps that has written the results: where it has one block, that adds
/// them too, and a launch is saved.
__device__ inline void add_results_of_one_block(const RowResults& r, double* totals) {
  if (gridDim.x != 1) return;
  __syncthreads();
  if (threadIdx.x < 96) add_results_of(r, totals);
}

template <int Totals>
__global__ void __launch_bounds__(32 * Totals) add_results_kernel(const RowResults r, double* totals) {
  add_results_of(r, totals);
}

/// After a kernel of `blocks` that ends with add_results_of_one_block. A template, so that only files that call it hold
/// the kernel.
template <int Totals = 3>
void add_results(const Cuda& device, const dim3& blocks, const RowResults& results, double* totals) {
  if (blocks.x == 1) return;
  launch(add_results_kernel<Totals>, dim3(1), dim3(32 * Totals), 0, device.context()->stream(), results, totals);
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
