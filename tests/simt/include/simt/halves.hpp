#pragma once
// What cuda_fp16.h and cuda_bf16.h have in common: a type of 16 bits that converts from and to float, pairs of it, and
// CUDA's names for both, in which `half` and `bfloat16` take the same places.

#include <cuda_runtime.h>

#define SIMT_HALF_TYPE(Type, name)                                              \
  struct alignas(4) Type##2 {                                                   \
    Type x, y;                                                                  \
  };                                                                            \
  inline Type __ushort_as_##name(unsigned short bits) {                         \
    Type h;                                                                     \
    h.bits = bits;                                                              \
    return h;                                                                   \
  }                                                                             \
  inline unsigned short __##name##_as_ushort(Type h) { return h.bits; }         \
  inline Type __float2##name##_rn(float x) { return {x}; }                      \
  inline Type __float2##name(float x) { return {x}; }                           \
  inline float __##name##2float(Type h) { return h; }                           \
  inline Type##2 __floats2##name##2_rn(float x, float y) { return {{x}, {y}}; } \
  inline Type##2 __float22##name##2_rn(float2 v) { return {{v.x}, {v.y}}; }     \
  inline Type##2 __halves2##name##2(Type x, Type y) { return {x, y}; }          \
  inline float2 __##name##22float2(Type##2 v) { return {v.x, v.y}; }            \
  inline float __low2float(Type##2 v) { return v.x; }                           \
  inline float __high2float(Type##2 v) { return v.y; }                          \
  inline Type __hadd(Type a, Type b) { return {float(a) + float(b)}; }          \
  inline Type __hsub(Type a, Type b) { return {float(a) - float(b)}; }          \
  inline Type __hmul(Type a, Type b) { return {float(a) * float(b)}; }
