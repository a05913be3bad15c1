// gather.  out[i, :] = table[row(first + i), :], where an element is itself or, of a table of bytes, scale·byte +
// offset, rounded once. Bytes per element: 4 read and 4 written (floats, labels), 1 and 4 (bytes); and 8 per row for
// its number. Bound by memory: rows are scattered, so a warp reads along a row. A row of up to 32 elements takes part
// of a warp.
#include "context.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

__device__ inline float value_of(float x, float, float) { return x; }
__device__ inline std::int32_t value_of(std::int32_t x, float, float) { return x; }
__device__ inline float value_of(std::uint8_t x, float scale, float offset) {
  return __fmaf_rn(scale, static_cast<float>(x), offset);
}

/// Element after element of the result, neighbours in a warp: along a row, then along the next.
template <class S, class T>
__global__ void __launch_bounds__(256)
    gather_kernel(const S* table, const cuda::Rows rows, const cuda::StepState* replay, T* out, std::size_t count,
                  std::size_t columns, float scale, float offset) {
  const std::uint64_t first = rows.first + (replay != nullptr ? replay->samples_ahead() : 0);
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    const std::uint64_t position = first + i / columns;
    const std::uint64_t row = rows.order != nullptr ? rows.order[position] : position;
    out[i] = value_of(table[row * columns + i % columns], scale, offset);
  }
}

template <class S, class T>
void gather_rows(const Cuda& device, const RowSource<S, Cuda>& source, const cuda::Rows& rows,
                 const View<T, Cuda>& out) {
  const std::size_t columns = source.table.columns();
  if (out.size() != rows.count * columns || out.rows() != rows.count) {
    throw ShapeError(ErrorCode::shape_mismatch,
                     {"gather: ", rows.count, " rows of ", to_string(source.table.shape()), " into ",
                      to_string(out.shape()), ": give one row of the result to each"});
  }
  if (out.empty()) return;
  cuda::launch(gather_kernel<S, T>, dim3(cuda::blocks_for(out.size(), 256, 65536)), dim3(256), 0,
               cuda::stream_of(device), source.table.data(), rows, device.context()->replay(), out.data(), out.size(),
               columns, source.scale, source.offset);
}

}  // namespace

void gather(const Cuda& device, const RowSource<float, Cuda>& source, const cuda::Rows& rows,
            const View<float, Cuda>& out) {
  gather_rows(device, source, rows, out);
}
void gather(const Cuda& device, const RowSource<std::uint8_t, Cuda>& source, const cuda::Rows& rows,
            const View<float, Cuda>& out) {
  gather_rows(device, source, rows, out);
}
void gather(const Cuda& device, const RowSource<std::int32_t, Cuda>& source, const cuda::Rows& rows,
            const View<std::int32_t, Cuda>& out) {
  gather_rows(device, source, rows, out);
}

}  // namespace minitrain::inline MINITRAIN_ABI
