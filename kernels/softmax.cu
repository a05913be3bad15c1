// softmax.  Forward y = exp(x - max x) / Σ exp(x - max x), backward dx = y·(dy - Σ dy·y), along each row.
// Bytes per element: 8 forward, 12 backward, and what later passes over the row find in the caches. FLOPs per element:
// about 45 forward (the exponential twice, cheaper than keeping it in memory), 4 backward.
// Bound by memory for many rows; by the latency of the chain of sums for few long ones, whose order is the CPU's.
//
// A half-warp takes a row (rows.cuh): one pass for the largest, one for the sum, one for the result. In place is safe:
// results are written in the last pass, each by the thread that reads the element there.
#include "rows.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::Lane;

__global__ void __launch_bounds__(cuda::row_threads)
    softmax_kernel(const float* x, float* y, std::size_t rows, std::size_t columns) {
  const unsigned lane = cuda::row_lane();
  cuda::for_each_row(rows, columns, [&](std::size_t row, std::size_t n) {
    const float* const in = x + row * columns;
    float* const out = y + row * columns;
    const Lane first = cuda::load_or_zero(in, 0, n);
    Lane largest = first;
#pragma unroll 4
    for (std::size_t c = 0; c < n; c += 16) largest = max(largest, Lane{c + lane < n ? in[c + lane] : first.v});
    const Lane shift = cuda::row_largest(largest);

    Lane sum = Lane::zero();
#pragma unroll 4
    for (std::size_t j = lane; j < n; j += 16) sum = sum + exp(Lane{in[j]} - shift);
    const Lane scale = Lane::set(1.0f) / cuda::row_sum(sum);
    __syncwarp();  // in place: all have read the first element
#pragma unroll 4
    for (std::size_t j = lane; j < n; j += 16) out[j] = (exp(Lane{in[j]} - shift) * scale).v;
  });
}

__global__ void __launch_bounds__(cuda::row_threads)
    softmax_gradient_kernel(const float* y, const float* dy, float* dx, std::size_t rows, std::size_t columns) {
  const unsigned lane = cuda::row_lane();
  cuda::for_each_row(rows, columns, [&](std::size_t row, std::size_t n) {
    const float* const a = y + row * columns;
    const float* const b = dy + row * columns;
    float* const out = dx + row * columns;
    Lane sum = Lane::zero();
#pragma unroll 4
    for (std::size_t c = 0; c < n; c += 16) {
      sum = fma(cuda::load_or_zero(b, c + lane, n), cuda::load_or_zero(a, c + lane, n), sum);
    }
    const Lane mean = cuda::row_sum(sum);
#pragma unroll 4
    for (std::size_t j = lane; j < n; j += 16) out[j] = (Lane{a[j]} * (Lane{b[j]} - mean)).v;
  });
}

}  // namespace

void softmax_forward(const Cuda& device, cuda::Input x, cuda::Output y) {
  if (y.empty()) return;
  cuda::launch(softmax_kernel, cuda::row_blocks(device, y.rows()), dim3(cuda::row_threads), 0,
               device.context()->stream(), x.data(), y.data(), y.rows(), y.columns());
}

void softmax_backward(const Cuda& device, cuda::Input y, cuda::Input dy, cuda::Output dx) {
  if (dx.empty()) return;
  cuda::launch(softmax_gradient_kernel, cuda::row_blocks(device, dx.rows()), dim3(cuda::row_threads), 0,
               device.context()->stream(), y.data(), dy.data(), dx.data(), dx.rows(), dx.columns());
}

}  // namespace minitrain::inline MINITRAIN_ABI
