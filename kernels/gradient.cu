// clip_values: sums = nearest in [-limit·weight, limit·weight], element by element. Bytes per element: 8. FLOPs per
// element: 3. Bound by memory.
// add_gradient_squares: sum += Σ_i |dy_i|²·(|x_i|² + bias), in double, in the order of core/gradient_clip.hpp. Bytes
// per sample: 4·(in + out). FLOPs per sample: 2·(in + out), in double. Bound by memory where the GPU has a fast double
// unit, else by that.
//
// Squares: a warp takes a sample, and its threads are the 32 lanes of the order; a second launch of one warp adds the
// samples.
#include "sums.cuh"

#include <minitrain/core/gradient_clip.hpp>
#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

constexpr unsigned squares_threads = 128;  // of a block: four samples

__global__ void __launch_bounds__(cuda::quad_threads)
    clip_values_kernel(const double* totals, const double* loss_scale, double limit, float* x, std::size_t count) {
  const double weight = loss_scale != nullptr ? __dmul_rn(totals[1], *loss_scale) : totals[1];
  const float high = static_cast<float>(__dmul_rn(limit, weight)), low = -high;
  const std::size_t step = cuda::threads_of_grid();
  for (std::size_t i = cuda::thread_of_grid(); i < count; i += step) {
    const float v = x[i], capped = v > high ? high : v;
    if (__fsub_rn(v, v) == 0.0f) x[i] = __fadd_rn(low > capped ? low : capped, 0.0f);
  }
}

__global__ void __launch_bounds__(squares_threads)
    gradient_squares_kernel(std::size_t rows, const float* x, std::size_t in, const float* dy, std::size_t out,
                            double bias, double* terms) {
  const std::size_t step = cuda::threads_of_grid() / 32;
  for (std::size_t row = cuda::thread_of_grid() / 32; row < rows; row += step) {
    const double inputs = cuda::add_terms<8>(
        in, [=](std::size_t i) { return x[row * in + i]; }, cuda::AddSquare{});
    const double gradients = cuda::add_terms<8>(
        out, [=](std::size_t i) { return dy[row * out + i]; }, cuda::AddSquare{});
    if (threadIdx.x % 32 == 0) terms[row] = __dmul_rn(gradients, __dadd_rn(inputs, bias));
  }
}

__global__ void __launch_bounds__(32) add_squares_kernel(const double* terms, std::size_t rows, double* sum) {
  const double total = cuda::add_terms<8>(
      rows, [=](std::size_t i) { return terms[i]; }, cuda::AddTerm{});
  if (threadIdx.x == 0) *sum = __dadd_rn(*sum, total);
}

}  // namespace

void clip_values(const Cuda& device, const View<float, Cuda>& sums, const View<const double, Cuda>& totals,
                 double limit, const double* loss_scale) {
  if (sums.empty()) return;
  cuda::launch(clip_values_kernel, cuda::striding_blocks(device, sums.size(), cuda::quad_threads),
               dim3(cuda::quad_threads), 0, device.context()->stream(), totals.data(), loss_scale, limit, sums.data(),
               sums.size());
}

void add_gradient_squares(const Cuda& device, cuda::Input x, cuda::Input dy, bool bias, const View<double, Cuda>& sum) {
  const std::size_t rows = x.rows();
  if (rows == 0) return;
  double* const terms = device.context()->scratch<double>(3, rows);
  cuda::launch(gradient_squares_kernel, cuda::striding_blocks(device, rows, squares_threads / 32),
               dim3(squares_threads), 0, device.context()->stream(), rows, x.data(), x.columns(), dy.data(),
               dy.columns(), bias ? 1.0 : 0.0, terms);
  cuda::launch(add_squares_kernel, dim3(1), dim3(32), 0, device.context()->stream(), terms, rows, sum.data());
}

}  // namespace minitrain::inline MINITRAIN_ABI
