#pragma once
// Half precision for the emulated build: storage, conversions to nearest even, and arithmetic rounded once.

#include <cuda_runtime.h>

struct __half {
  unsigned short bits;
  __half() = default;
  __half(float x) : bits(simt::float_to_half(x)) {}
  operator float() const { return simt::half_to_float(bits); }
};
using half = __half;
struct alignas(4) __half2 {
  __half x, y;
};
using half2 = __half2;

inline __half __ushort_as_half(unsigned short bits) {
  __half h;
  h.bits = bits;
  return h;
}
inline unsigned short __half_as_ushort(__half h) { return h.bits; }
inline __half __float2half_rn(float x) { return {x}; }
inline __half __float2half(float x) { return {x}; }
inline float __half2float(__half h) { return h; }
inline __half2 __floats2half2_rn(float x, float y) { return {{x}, {y}}; }
inline __half2 __float22half2_rn(float2 v) { return {{v.x}, {v.y}}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline float2 __half22float2(__half2 v) { return {v.x, v.y}; }
inline float __low2float(__half2 v) { return v.x; }
inline float __high2float(__half2 v) { return v.y; }
inline __half __hadd(__half a, __half b) { return {float(a) + float(b)}; }
inline __half __hsub(__half a, __half b) { return {float(a) - float(b)}; }
inline __half __hmul(__half a, __half b) { return {float(a) * float(b)}; }
