// fill_initial.  y[i] = scale, or scale·(number i of a Philox stream, uniform or normal); see core/initial_values.hpp.
// Bytes per element: 4. Bound by double-precision arithmetic, about 60 operations for a normal number and 2 for a
// uniform one, beside half a block of Philox: once in the life of a parameter, so the bits count and the time does not.
//
// A thread takes a block of four words, which is two elements, and strides over the grid. The arithmetic is
// core/elements/initial.inl in double, each operation with its rounding named, as on the host.
#include "philox.cuh"
#include "rows.cuh"

#include <minitrain/core/initial_values.hpp>
#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI::cuda {

/// One double of a thread's.
struct DoubleLane {
  using value_type = double;
  static constexpr bool is_generic = false;
  double v;

  static __device__ DoubleLane zero() { return {0.0}; }
  static __device__ DoubleLane set(double x) { return {x}; }
  friend __device__ DoubleLane operator+(DoubleLane a, DoubleLane b) { return {__dadd_rn(a.v, b.v)}; }
  friend __device__ DoubleLane operator-(DoubleLane a, DoubleLane b) { return {__dsub_rn(a.v, b.v)}; }
  friend __device__ DoubleLane operator*(DoubleLane a, DoubleLane b) { return {__dmul_rn(a.v, b.v)}; }
  friend __device__ DoubleLane operator/(DoubleLane a, DoubleLane b) { return {__ddiv_rn(a.v, b.v)}; }
  friend __device__ DoubleLane operator-(DoubleLane a) { return {-a.v}; }
  friend __device__ DoubleLane fma(DoubleLane a, DoubleLane b, DoubleLane c) { return {__fma_rn(a.v, b.v, c.v)}; }
  friend __device__ DoubleLane sqrt(DoubleLane a) { return {__dsqrt_rn(a.v)}; }
  friend __device__ bool greater(DoubleLane a, DoubleLane b) { return a.v > b.v; }
  friend __device__ void frexp(DoubleLane v, DoubleLane& m, DoubleLane& e) {
    const long long bits = __double_as_longlong(v.v);
    m.v = __longlong_as_double((bits & 0x800fffffffffffff) | 0x3fe0000000000000);
    e.v = static_cast<double>(static_cast<int>(bits >> 52 & 0x7ff) - 1022);
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI::cuda

#define MINITRAIN_ISA cuda
#define MINITRAIN_INLINE __device__ inline
#include <minitrain/core/elements/initial.inl>
#undef MINITRAIN_ISA
#undef MINITRAIN_INLINE

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::DoubleLane;
using Kind = InitialValues::Kind;

/// Where a stream begins; the first two words of a counter are the number of the block.
struct FillStream {
  uint2 key;
  unsigned stream, purpose;
  double scale;
};

template <Kind Values>
__device__ inline float initial_value(const FillStream& s, unsigned high, unsigned low) {
  const DoubleLane u = cuda::uniform_number<DoubleLane>(high, low);
  const DoubleLane x = Values == Kind::normal ? cuda::normal_number(u) : DoubleLane::set(2) * u - DoubleLane::set(1);
  return __double2float_rn((DoubleLane{s.scale} * x).v);
}

template <Kind Values>
__global__ void __launch_bounds__(cuda::quad_threads) fill_kernel(const FillStream s, float* y, std::size_t count) {
  for (std::size_t block = cuda::thread_of_grid(); 2 * block < count; block += cuda::threads_of_grid()) {
    if constexpr (Values == Kind::constant) {
      y[2 * block] = __double2float_rn(s.scale);
      if (2 * block + 1 < count) y[2 * block + 1] = __double2float_rn(s.scale);
    } else {
      const uint4 words = cuda::philox4x32(
          make_uint4(static_cast<unsigned>(block), static_cast<unsigned>(block >> 32), s.stream, s.purpose), s.key);
      y[2 * block] = initial_value<Values>(s, words.x, words.y);
      if (2 * block + 1 < count) y[2 * block + 1] = initial_value<Values>(s, words.z, words.w);
    }
  }
}

template <Kind Values>
void fill(const Cuda& device, const FillStream& s, cuda::Output y) {
  cuda::launch(fill_kernel<Values>, cuda::striding_blocks(device, (y.size() + 1) / 2, cuda::quad_threads),
               dim3(cuda::quad_threads), 0, device.context()->stream(), s, y.data(), y.size());
}

}  // namespace

void fill_initial(const Cuda& device, const InitialValues& values, cuda::Output y) {
  if (y.empty()) return;
  const auto scope = device.arithmetic_scope();
  const FillStream s{make_uint2(static_cast<unsigned>(values.seed), static_cast<unsigned>(values.seed >> 32)),
                     values.stream, static_cast<unsigned>(RandomPurpose::initialise), values.scale};
  switch (values.kind) {
    case Kind::constant:
      return fill<Kind::constant>(device, s, y);
    case Kind::uniform:
      return fill<Kind::uniform>(device, s, y);
    case Kind::normal:
      return fill<Kind::normal>(device, s, y);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
