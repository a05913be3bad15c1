// step_queue.  Ends a step on the GPU: results[slot] = totals, totals = 0, scale = 1 / totals[1]; once a loss is not
// finite, no later step changes the parameters. 72 bytes, one thread: bound by latency, a microsecond that replaces a
// round trip to the host.
#include "context.cuh"

#include <minitrain/cuda/step_queue.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

__global__ void close_step_kernel(double* totals, double* result, double* state) {
  const double loss = totals[0], weight = totals[1];
  result[0] = loss;
  result[1] = weight;
  result[2] = totals[2];
  totals[0] = totals[1] = totals[2] = 0.0;
  state[0] = 1.0 / weight;
  if (!(loss - loss == 0.0)) state[1] = 1.0;  // NaN where the loss is not finite
}

}  // namespace

void Cuda::StepQueue::close(const Cuda& device, const View<double, Cuda>& totals) {
  cuda::launch(close_step_kernel, dim3(1), dim3(1), 0, cuda::stream_of(device), totals.data(),
               results_.data() + 3 * size_, state_.data());
  ++size_;
}

std::vector<std::array<double, 3>> Cuda::StepQueue::take(const Cuda& device) {
  std::vector<std::array<double, 3>> results(size_);
  cuda::copy_to_host(device, results_.data(), results.data(), results.size() * sizeof results[0]);
  cuda::fill_zero(device, state_.data(), state_.size() * sizeof(double));
  size_ = 0;
  return results;
}

}  // namespace minitrain::inline MINITRAIN_ABI
