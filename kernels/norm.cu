// sum_of_squares: result = Σ x², in double, in the order of core/gradient_norm.hpp. Bytes per element: 4. FLOPs per
// element: 2, in double. Bound by memory where the GPU has a fast double unit, else by that: one fused multiply-add per
// element on 2 units of a multiprocessor.
//
// A warp takes a chunk of 4096 elements, one partial sum per thread; a second launch of one warp adds the chunks. A
// slab of one chunk needs no second launch.
#include "sums.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

constexpr unsigned norm_threads = 128;  // of a block: four chunks

__global__ void __launch_bounds__(norm_threads)
    chunk_squares_kernel(const float* x, std::size_t count, std::size_t chunks, double* sums) {
  const std::size_t step = cuda::threads_of_grid() / 32;
  for (std::size_t chunk = cuda::thread_of_grid() / 32; chunk < chunks; chunk += step) {
    const std::size_t begin = chunk * SumOfSquaresOrder::chunk, left = count - begin;
    const double sum = cuda::add_terms<16>(
        left < SumOfSquaresOrder::chunk ? left : SumOfSquaresOrder::chunk, [=](std::size_t i) { return x[begin + i]; },
        cuda::AddSquare{});
    if (threadIdx.x % 32 == 0) sums[chunk] = sum;
  }
}

__global__ void __launch_bounds__(32) chunk_total_kernel(const double* sums, std::size_t chunks, double* result) {
  const double sum = cuda::add_terms<8>(
      chunks, [=](std::size_t i) { return sums[i]; }, cuda::AddTerm{});
  if (threadIdx.x == 0) *result = sum;
}

}  // namespace

void sum_of_squares(const Cuda& device, const View<const float, Cuda>& x, const View<double, Cuda>& result) {
  const std::size_t chunks = SumOfSquaresOrder::chunks(x.size());
  if (chunks == 0) return fill_zero(device, result);
  double* const sums = chunks == 1 ? result.data() : device.context()->scratch<double>(3, chunks);
  cuda::launch(chunk_squares_kernel, cuda::striding_blocks(device, chunks, norm_threads / 32), dim3(norm_threads), 0,
               device.context()->stream(), x.data(), x.size(), chunks, sums);
  if (chunks == 1) return;
  cuda::launch(chunk_total_kernel, dim3(1), dim3(32), 0, device.context()->stream(), sums, chunks, result.data());
}

}  // namespace minitrain::inline MINITRAIN_ABI
