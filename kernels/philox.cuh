// Philox4x32-10 on the device: the words of philox4x32() in core/random.hpp. 10 rounds of two wide products.
#pragma once
#include "launch.cuh"

#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI::cuda {

__device__ inline uint4 philox4x32(uint4 counter, uint2 key) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter.x;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * counter.z;
    counter = make_uint4(static_cast<unsigned>(p1 >> 32) ^ counter.y ^ key.x, static_cast<unsigned>(p1),
                         static_cast<unsigned>(p0 >> 32) ^ counter.w ^ key.y, static_cast<unsigned>(p0));
    key.x += 0x9E3779B9u;
    key.y += 0xBB67AE85u;
  }
  return counter;
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
