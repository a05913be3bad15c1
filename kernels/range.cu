// first_outside: the first i where x[i] is not in [low, high], x.size() when all are. Bytes per element: 4. Bound by
// memory, and for the few elements of a batch by the wait for the answer.
#include "rows.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

/// left[0] = count - i of the first such i, or as it was. The largest that any thread finds is the first of all,
/// whatever their order.
template <class T>
__global__ void __launch_bounds__(256)
    first_outside_kernel(const T* x, std::size_t count, double low, double high, unsigned long long* left) {
  for (std::size_t i = cuda::thread_of_grid(); i < count; i += cuda::threads_of_grid()) {
    const auto value = static_cast<double>(x[i]);
    if (value >= low && value <= high) continue;
    atomicMax(left, static_cast<unsigned long long>(count - i));
    return;
  }
}

template <class T>
std::size_t find_outside(const Cuda& device, const View<const T, Cuda>& x, double low, double high) {
  if (x.empty()) return 0;
  const auto scope = device.arithmetic_scope();
  auto* const left = device.context()->scratch<unsigned long long>(0, 1);
  cuda::fill_zero(device, left, sizeof *left);
  cuda::launch(first_outside_kernel<T>, cuda::striding_blocks(device, x.size(), 256), dim3(256), 0,
               cuda::stream_of(device), x.data(), x.size(), low, high, left);
  unsigned long long answer = 0;
  cuda::copy_to_host(device, left, &answer, sizeof answer);
  return x.size() - static_cast<std::size_t>(answer);
}

}  // namespace

std::size_t first_outside(const Cuda& device, const View<const float, Cuda>& x, double low, double high) {
  return find_outside(device, x, low, high);
}
std::size_t first_outside(const Cuda& device, const View<const std::int32_t, Cuda>& x, double low, double high) {
  return find_outside(device, x, low, high);
}

}  // namespace minitrain::inline MINITRAIN_ABI
