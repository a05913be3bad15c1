// Lane: what one thread computes with, as Vec is what a CPU kernel computes with. The arithmetic of
// include/minitrain/core/elements is compiled for it: the same text as on the CPU, so the same bits.
//
// Every operation names its rounding (__fmaf_rn, __fadd_rn, ...): no compiler flag decides whether a product and a sum
// become one. Built with -ftz=true, as the CPU runs with denormal numbers switched off.
#pragma once
#include "launch.cuh"

#include <minitrain/core/activation.hpp>
#include <minitrain/core/dynamic_code.hpp>
#include <minitrain/core/elements/constants.hpp>
#include <minitrain/core/loss_arguments.hpp>
#include <minitrain/core/optimizer_factors.hpp>
#include <minitrain/core/softmax_factors.hpp>
#include <minitrain/core/tensor_rules.hpp>

#include <type_traits>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI::cuda {

struct Lane {
  using value_type = float;
  static constexpr bool is_generic = false;
  float v;

  static __device__ Lane zero() { return {0.0f}; }
  static __device__ Lane set(float x) { return {x}; }

  friend __device__ Lane operator+(Lane a, Lane b) { return {__fadd_rn(a.v, b.v)}; }
  friend __device__ Lane operator-(Lane a, Lane b) { return {__fsub_rn(a.v, b.v)}; }
  friend __device__ Lane operator*(Lane a, Lane b) { return {__fmul_rn(a.v, b.v)}; }
  friend __device__ Lane operator/(Lane a, Lane b) { return {__fdiv_rn(a.v, b.v)}; }
  friend __device__ Lane fma(Lane a, Lane b, Lane c) { return {__fmaf_rn(a.v, b.v, c.v)}; }
  friend __device__ Lane fnma(Lane a, Lane b, Lane c) { return {__fmaf_rn(-a.v, b.v, c.v)}; }
  /// The second operand where either is NaN, as on the CPU; fminf and fmaxf would take the number.
  friend __device__ Lane min(Lane a, Lane b) { return {a.v < b.v ? a.v : b.v}; }
  friend __device__ Lane max(Lane a, Lane b) { return {a.v > b.v ? a.v : b.v}; }
  friend __device__ bool greater(Lane a, Lane b) { return a.v > b.v; }
  friend __device__ bool equal(Lane a, Lane b) { return a.v == b.v; }
  friend __device__ Lane select(bool mask, Lane a, Lane b) { return mask ? a : b; }
  friend __device__ Lane abs(Lane a) { return {__uint_as_float(__float_as_uint(a.v) & 0x7fffffffu)}; }
  friend __device__ Lane sqrt(Lane a) { return {__fsqrt_rn(a.v)}; }
  friend __device__ Lane rsqrt_seed(Lane a) {
    return {__uint_as_float(0x5f3759dfu - static_cast<unsigned>(__float_as_int(a.v) >> 1))};
  }
  friend __device__ Lane round(Lane a) { return {__fsub_rn(__fadd_rn(a.v, 12582912.0f), 12582912.0f)}; }
  friend __device__ Lane power_of_two(Lane n) {
    return {__uint_as_float(__float_as_uint(__fadd_rn(n.v, 12582912.0f + 127)) << 23)};
  }
  friend __device__ void split_exponent(Lane v, Lane& m, Lane& e) {
    const int shifted = static_cast<int>(__float_as_uint(v.v) - 0x3f3504f3u) >> 23;
    m.v = __uint_as_float(__float_as_uint(v.v) - (static_cast<unsigned>(shifted) << 23));
    e.v = static_cast<float>(shifted);
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI::cuda

#define MINITRAIN_ISA cuda
#define MINITRAIN_INLINE __device__ inline
#include <minitrain/core/elements/functions.inl>

#include <minitrain/core/elements/activation.inl>
#include <minitrain/core/elements/dynamic_code.inl>
#include <minitrain/core/elements/layer_norm.inl>
#include <minitrain/core/elements/optimizer.inl>
#include <minitrain/core/elements/softmax_loss.inl>
#include <minitrain/core/elements/target_loss.inl>
#include <minitrain/core/elements/tensor_rules.inl>
#undef MINITRAIN_ISA
#undef MINITRAIN_INLINE
