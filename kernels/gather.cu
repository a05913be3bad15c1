// gather.  out[i, :] = table[row(first + i), :], where an element is itself or, of a table of bytes, scale·byte +
// offset, rounded once. Bytes per element: 4 read and 4 written (floats, labels), 1 and 4 (bytes); and 8 per row for
// its number. Bound by memory: rows are scattered, so a warp reads along a row. A row of up to 32 elements takes part
// of a warp.
#include "context.cuh"

#include <minitrain/cuda/ops.hpp>

#include <algorithm>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

__device__ inline float value_of(float x, float, float) { return x; }
__device__ inline std::int32_t value_of(std::int32_t x, float, float) { return x; }
__device__ inline float value_of(std::uint8_t x, float scale, float offset) {
  return __fmaf_rn(scale, static_cast<float>(x), offset);
}

/// A table and where rows of it go.
template <class S, class T>
struct Gathered {
  const S* table;
  T* out;
  std::size_t count, columns;  // elements of `out`, and of a row
  float scale, offset;
};

/// Element after element of the result, neighbours in a warp: along a row, then along the next.
template <class S, class T>
__device__ inline void gather_elements(const Gathered<S, T>& g, const cuda::Rows& rows, std::uint64_t first) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < g.count; i += step) {
    const std::uint64_t position = first + i / g.columns;
    const std::uint64_t row = rows.order != nullptr ? rows.order[position] : position;
    g.out[i] = value_of(g.table[row * g.columns + i % g.columns], g.scale, g.offset);
  }
}

/// Of several tables, one after the other.
template <class... G>
__global__ void __launch_bounds__(256)
    gather_kernel(const cuda::Rows rows, const cuda::StepState* replay, G... tables) {
  const std::uint64_t first = rows.first + (replay != nullptr ? replay->samples_ahead() : 0);
  (gather_elements(tables, rows, first), ...);
}

template <class S, class T>
Gathered<S, T> gathered(const RowSource<S, Cuda>& source, const cuda::Rows& rows, const View<T, Cuda>& out) {
  const std::size_t columns = source.table.columns();
  if (out.size() != rows.count * columns || out.rows() != rows.count) {
    throw ShapeError(ErrorCode::shape_mismatch,
                     {"gather: ", rows.count, " rows of ", to_string(source.table.shape()), " into ",
                      to_string(out.shape()), ": give one row of the result to each"});
  }
  return {source.table.data(), out.data(), out.size(), columns, source.scale, source.offset};
}

template <class... G>
void launch_gather(const Cuda& device, const cuda::Rows& rows, const G&... tables) {
  const std::size_t count = std::max({tables.count...});
  if (count == 0) return;
  const auto scope = device.arithmetic_scope();
  cuda::launch(gather_kernel<G...>, dim3(cuda::blocks_for(count, 256, 65536)), dim3(256), 0, cuda::stream_of(device),
               rows, device.context()->replay(), tables...);
}

}  // namespace

void gather(const Cuda& device, const RowSource<float, Cuda>& source, const cuda::Rows& rows,
            const View<float, Cuda>& out) {
  launch_gather(device, rows, gathered(source, rows, out));
}
void gather(const Cuda& device, const RowSource<std::uint8_t, Cuda>& source, const cuda::Rows& rows,
            const View<float, Cuda>& out) {
  launch_gather(device, rows, gathered(source, rows, out));
}
void gather(const Cuda& device, const RowSource<std::int32_t, Cuda>& source, const cuda::Rows& rows,
            const View<std::int32_t, Cuda>& out) {
  launch_gather(device, rows, gathered(source, rows, out));
}

void gather(const Cuda& device, const RowSource<float, Cuda>& x, const RowSource<float, Cuda>& targets,
            const cuda::Rows& rows, const View<float, Cuda>& x_out, const View<float, Cuda>& targets_out) {
  launch_gather(device, rows, gathered(x, rows, x_out), gathered(targets, rows, targets_out));
}
void gather(const Cuda& device, const RowSource<float, Cuda>& x, const RowSource<std::int32_t, Cuda>& labels,
            const cuda::Rows& rows, const View<float, Cuda>& x_out, const View<std::int32_t, Cuda>& labels_out) {
  launch_gather(device, rows, gathered(x, rows, x_out), gathered(labels, rows, labels_out));
}
void gather(const Cuda& device, const RowSource<std::uint8_t, Cuda>& x, const RowSource<float, Cuda>& targets,
            const cuda::Rows& rows, const View<float, Cuda>& x_out, const View<float, Cuda>& targets_out) {
  launch_gather(device, rows, gathered(x, rows, x_out), gathered(targets, rows, targets_out));
}
void gather(const Cuda& device, const RowSource<std::uint8_t, Cuda>& x, const RowSource<std::int32_t, Cuda>& labels,
            const cuda::Rows& rows, const View<float, Cuda>& x_out, const View<std::int32_t, Cuda>& labels_out) {
  launch_gather(device, rows, gathered(x, rows, x_out), gathered(labels, rows, labels_out));
}

}  // namespace minitrain::inline MINITRAIN_ABI
