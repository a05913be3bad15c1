#pragma once
// Half precision for the emulated build: storage, conversions to nearest even, and arithmetic rounded once.

#include <simt/halves.hpp>

struct __half {
  unsigned short bits;
  __half() = default;
  __half(float x) : bits(simt::float_to_half(x)) {}
  operator float() const { return simt::half_to_float(bits); }
};
SIMT_HALF_TYPE(__half, half)
using half = __half;
using half2 = __half2;
