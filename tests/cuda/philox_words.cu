// The kernels' Philox and, where the toolkit has its header, cuRAND's, word by word; see philox_words.hpp.
#include "philox_words.hpp"

#include "../../kernels/context.cuh"
#include "../../kernels/philox.cuh"

#if __has_include(<curand_philox4x32_x.h>)
#include <curand_philox4x32_x.h>
#define MINITRAIN_TEST_CURAND 1
#else
#define MINITRAIN_TEST_CURAND 0
#endif

namespace test {
namespace {

template <PhiloxSource Source>
__device__ uint4 words_of(uint4 counter, uint2 key) {
#if MINITRAIN_TEST_CURAND
  if constexpr (Source == PhiloxSource::curand) return curand_Philox4x32_10(counter, key);
#endif
  return minitrain::cuda::philox4x32(counter, key);
}

template <PhiloxSource Source>
__global__ void words_kernel(const std::uint32_t* counters, const std::uint32_t* keys, std::uint32_t* words,
                             std::size_t count) {
  const std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const std::uint32_t* const c = counters + 4 * i;
  const uint4 w = words_of<Source>(make_uint4(c[0], c[1], c[2], c[3]), make_uint2(keys[2 * i], keys[2 * i + 1]));
  words[4 * i] = w.x;
  words[4 * i + 1] = w.y;
  words[4 * i + 2] = w.z;
  words[4 * i + 3] = w.w;
}

}  // namespace

bool has_curand() { return MINITRAIN_TEST_CURAND != 0; }

void philox_words(const minitrain::Cuda& device, PhiloxSource source,
                  const minitrain::View<const std::uint32_t, minitrain::Cuda>& counters,
                  const minitrain::View<const std::uint32_t, minitrain::Cuda>& keys,
                  const minitrain::View<std::uint32_t, minitrain::Cuda>& words) {
  const std::size_t count = words.rows();
  const auto kernel =
      source == PhiloxSource::curand ? words_kernel<PhiloxSource::curand> : words_kernel<PhiloxSource::kernels>;
  minitrain::cuda::launch(kernel, dim3(minitrain::cuda::blocks_for(count, 128)), dim3(128), 0,
                          device.context()->stream(), counters.data(), keys.data(), words.data(), count);
}

}  // namespace test
