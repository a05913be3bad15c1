#pragma once
// bfloat16 for the emulated build: storage, conversions to nearest even, and arithmetic rounded once.

#include <simt/halves.hpp>

struct __nv_bfloat16 {
  unsigned short bits;
  __nv_bfloat16() = default;
  __nv_bfloat16(float x) {
    const auto u = std::bit_cast<std::uint32_t>(x);
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<unsigned short>(nan ? 0x7fffu : (u + 0x7fffu + (u >> 16 & 1u)) >> 16);
  }
  operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};
SIMT_HALF_TYPE(__nv_bfloat16, bfloat16)
using nv_bfloat16 = __nv_bfloat16;
using nv_bfloat162 = __nv_bfloat162;
