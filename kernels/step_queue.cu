// step_queue.  Ends a step on the GPU: results[slot] = totals, totals = 0, scale = clipped_gradient_scale(totals); once
// a loss or a sum of squares is not finite, no later step changes the parameters. 88 bytes, one thread: bound by
// latency, a microsecond that replaces a round trip to the host.
#include "context.cuh"

#include <minitrain/cuda/step_queue.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

/// As clipped_gradient_scale() does on the host.
__device__ inline double clipped_scale(double weight, double squares, double clip_norm) {
  if (clip_norm == 0.0) return __ddiv_rn(1.0, weight);
  const double factor = __ddiv_rn(clip_norm, __dadd_rn(__ddiv_rn(__dsqrt_rn(squares), weight), 1e-6));
  return __ddiv_rn(factor < 1.0 ? factor : 1.0, weight);
}

/// NaN and infinity are the numbers that differ from themselves by something.
__device__ inline bool finite(double x) { return x - x == 0.0; }

__global__ void close_step_kernel(double* totals, double* result, double* state, double clip_norm) {
  const double loss = totals[0], weight = totals[1], squares = totals[3];
  result[0] = loss;
  result[1] = weight;
  result[2] = totals[2];
  result[3] = squares;
  totals[0] = totals[1] = totals[2] = totals[3] = 0.0;
  state[0] = clipped_scale(weight, squares, clip_norm);
  if (!finite(loss) || !finite(squares)) state[1] = 1.0;
}

}  // namespace

void Cuda::StepQueue::close(const Cuda& device, const View<double, Cuda>& totals, double clip_norm) {
  cuda::launch(close_step_kernel, dim3(1), dim3(1), 0, cuda::stream_of(device), totals.data(),
               results_.data() + 4 * size_, state_.data(), clip_norm);
  ++size_;
}

std::vector<std::array<double, 4>> Cuda::StepQueue::take(const Cuda& device) {
  std::vector<std::array<double, 4>> results(size_);
  cuda::copy_to_host(device, results_.data(), results.data(), results.size() * sizeof results[0]);
  cuda::fill_zero(device, state_.data(), state_.size() * sizeof(double));
  size_ = 0;
  return results;
}

}  // namespace minitrain::inline MINITRAIN_ABI
