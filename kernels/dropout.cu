// dropout.  y = x/(1 - p) where the element's word of Philox4x32-10 reaches floor(p·2^32), else 0; the same for dx from
// dy. The words are those of core/dropout_key.hpp, so no mask is kept.
// Bytes per element: 8. Integer operations per element: about 25, a quarter of a block of four words. Bound by memory:
// the operations take less time than the bytes.
//
// A thread takes a block of words, which belongs to columns c, c + 16, c + 32 and c + 48 of a row: 16 threads take 64
// columns, and each of their four loads is 16 neighbours. In place is safe: a thread reads only what it writes.
#include "philox.cuh"
#include "rows.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::Lane;

/// What decides and what scales. `counter` and `key` are those of block 0 of row 0 in `step`.
struct DropoutWords {
  uint4 counter;
  uint2 key;
  std::uint64_t step;
  unsigned threshold;
  float scale;

  /// Those of the same place so many steps later; see DropoutBlock.
  __device__ void move_on(std::uint64_t steps) {
    key.y ^= static_cast<unsigned>(step >> 32);
    step += steps;
    key.y ^= static_cast<unsigned>(step >> 32);
    counter.z = static_cast<unsigned>(step);
  }
};

constexpr unsigned dropout_lanes = 16, dropout_rows = 16;  // of a block of threads

__global__ void __launch_bounds__(dropout_lanes* dropout_rows)
    dropout_kernel(DropoutWords w, const cuda::StepState* replay, const float* x, float* y, std::size_t rows,
                   std::size_t columns) {
  if (replay != nullptr) w.move_on(replay->steps_ahead());
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * dropout_rows;
  for (std::size_t row = static_cast<std::size_t>(blockIdx.x) * dropout_rows + threadIdx.y; row < rows; row += step) {
    for (std::size_t group = blockIdx.y; 64 * group < columns; group += gridDim.y) {
      const std::size_t column = 64 * group + threadIdx.x, at = row * columns + column;
      if (column >= columns) break;
      float v[4];
#pragma unroll
      for (unsigned k = 0; k < 4; ++k) v[k] = column + 16 * k < columns ? x[at + 16 * k] : 0.0f;
      const uint4 words =
          cuda::philox4x32(make_uint4(static_cast<unsigned>(16 * group) + threadIdx.x,
                                      w.counter.y + static_cast<unsigned>(row), w.counter.z, w.counter.w),
                           w.key);
      const bool keep[4] = {words.x >= w.threshold, words.y >= w.threshold, words.z >= w.threshold,
                            words.w >= w.threshold};
#pragma unroll
      for (unsigned k = 0; k < 4; ++k) {
        if (column + 16 * k < columns) y[at + 16 * k] = keep[k] ? (Lane{v[k]} * Lane{w.scale}).v : 0.0f;
      }
    }
  }
}

}  // namespace

void dropout_forward(const Cuda& device, const DropoutKey& key, double p, cuda::Input x, cuda::Output y) {
  if (y.empty()) return;
  const auto stream = device.context()->stream();
  if (p == 0) {
    if (x.data() == y.data()) return;
    device.context()->check(
        cudaMemcpyAsync(y.data(), x.data(), y.size() * sizeof(float), cudaMemcpyDeviceToDevice, stream),
        "dropout: copying with p = 0");
    return;
  }
  const DropoutBlock first(key, 0, 0);
  const DropoutWords words{make_uint4(first.counter[0], first.counter[1], first.counter[2], first.counter[3]),
                           make_uint2(first.key[0], first.key[1]), key.step, dropout_threshold(p),
                           static_cast<float>(1 / (1 - p))};
  const std::size_t rows = y.rows(), columns = y.columns();
  const dim3 grid(cuda::striding_blocks(device, rows, dropout_rows).x, cuda::blocks_for(columns, 64, 1024));
  cuda::launch(dropout_kernel, grid, dim3(dropout_lanes, dropout_rows), 0, stream, words, device.context()->replay(),
               x.data(), y.data(), rows, columns);
}

void dropout_backward(const Cuda& device, const DropoutKey& key, double p, cuda::Input dy, cuda::Output dx) {
  dropout_forward(device, key, p, dy, dx);
}

}  // namespace minitrain::inline MINITRAIN_ABI
