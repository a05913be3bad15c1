// activation.  Forward y = f(x), backward dx = dy·f'(x), element by element; f' from y, or from x for gelu and silu.
// Bytes per element: 8 forward, 12 backward. FLOPs per element: 1 (relu) to about 70 (gelu, with a division).
// Bound by memory; of gelu, the FLOPs take about as long as the bytes.
//
// A thread takes four neighbours at a time, in one load and one store of 16 bytes, and strides over the grid; where a
// pointer is not aligned for that, and after the last four, single elements. In place is safe: a thread reads only what
// it writes.
#include "rows.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::Lane;
using cuda::Quads;

template <ActivationKind Kind>
__device__ inline float activated(float x, float slope) {
  const float y = cuda::activation<Kind>(Lane{x}, Lane{slope}).v;
  // The CPU's max, which relu is, makes zeros of denormal numbers; a choice between two numbers does not.
  if constexpr (Kind == ActivationKind::relu) return y == 0.0f ? __uint_as_float(__float_as_uint(y) & 0x80000000u) : y;
  return y;
}

template <ActivationKind Kind>
__device__ inline float differentiated(float z, float dy, float slope) {
  return cuda::activation_gradient<Kind>(Lane{z}, Lane{dy}, Lane{slope}).v;
}

template <ActivationKind Kind>
__global__ void __launch_bounds__(cuda::quad_threads)
    activation_kernel(const float* x, float* y, const Quads q, float slope) {
  const std::size_t first = cuda::thread_of_grid(), step = cuda::threads_of_grid();
  for (std::size_t i = first; i < q.quads; i += step) {
    const float4 a = reinterpret_cast<const float4*>(x)[i];
    reinterpret_cast<float4*>(y)[i] = make_float4(activated<Kind>(a.x, slope), activated<Kind>(a.y, slope),
                                                  activated<Kind>(a.z, slope), activated<Kind>(a.w, slope));
  }
  for (std::size_t i = 4 * q.quads + first; i < q.count; i += step) y[i] = activated<Kind>(x[i], slope);
}

template <ActivationKind Kind>
__global__ void __launch_bounds__(cuda::quad_threads)
    activation_gradient_kernel(const float* z, const float* dy, float* dx, const Quads q, float slope) {
  const std::size_t first = cuda::thread_of_grid(), step = cuda::threads_of_grid();
  for (std::size_t i = first; i < q.quads; i += step) {
    const float4 a = reinterpret_cast<const float4*>(z)[i], d = reinterpret_cast<const float4*>(dy)[i];
    reinterpret_cast<float4*>(dx)[i] =
        make_float4(differentiated<Kind>(a.x, d.x, slope), differentiated<Kind>(a.y, d.y, slope),
                    differentiated<Kind>(a.z, d.z, slope), differentiated<Kind>(a.w, d.w, slope));
  }
  for (std::size_t i = 4 * q.quads + first; i < q.count; i += step) {
    dx[i] = differentiated<Kind>(z[i], dy[i], slope);
  }
}

/// Calls f(constant) with the kind as a constant of the compiler.
template <class F>
void with_kind(ActivationKind kind, F&& f) {
  using Kind = ActivationKind;
  switch (kind) {
    case Kind::identity:
      return f(std::integral_constant<Kind, Kind::identity>{});
    case Kind::relu:
      return f(std::integral_constant<Kind, Kind::relu>{});
    case Kind::leaky_relu:
      return f(std::integral_constant<Kind, Kind::leaky_relu>{});
    case Kind::tanh:
      return f(std::integral_constant<Kind, Kind::tanh>{});
    case Kind::sigmoid:
      return f(std::integral_constant<Kind, Kind::sigmoid>{});
    case Kind::gelu:
      return f(std::integral_constant<Kind, Kind::gelu>{});
    case Kind::silu:
      return f(std::integral_constant<Kind, Kind::silu>{});
  }
}

}  // namespace

void activation_forward(const Cuda& device, const Activation& f, cuda::Input x, cuda::Output y) {
  if (y.empty()) return;
  const Quads q = cuda::quads_of(y.size(), x.data(), y.data());
  with_kind(f.kind, [&](auto kind) {
    cuda::launch(activation_kernel<decltype(kind)::value>, cuda::quad_blocks(device, q), dim3(cuda::quad_threads), 0,
                 device.context()->stream(), x.data(), y.data(), q, static_cast<float>(f.slope));
  });
}

void activation_backward(const Cuda& device, const Activation& f, cuda::Input x, cuda::Input y, cuda::Input dy,
                         cuda::Output dx) {
  if (dx.empty()) return;
  const float* const z = derivative_from_output(f.kind) ? y.data() : x.data();
  const Quads q = cuda::quads_of(dx.size(), z, dy.data(), dx.data());
  with_kind(f.kind, [&](auto kind) {
    cuda::launch(activation_gradient_kernel<decltype(kind)::value>, cuda::quad_blocks(device, q),
                 dim3(cuda::quad_threads), 0, device.context()->stream(), z, dy.data(), dx.data(), q,
                 static_cast<float>(f.slope));
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI
