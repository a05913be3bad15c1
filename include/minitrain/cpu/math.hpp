#pragma once
// exp, log and their kin on Vec, for every instruction set: cpu::avx2::exp(Vec<float>), found by argument-dependent
// lookup from any kernel. Include this before the kernels that use them.

#include <minitrain/core/elements/constants.hpp>
#include <minitrain/cpu/simd.hpp>

#include <cmath>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI::cpu {

/// 0, 1, 2, ...: as many as any vector has lanes.
template <class T>
inline constexpr T lane_numbers[] = {T(0), T(1), T(2),  T(3),  T(4),  T(5),  T(6),  T(7),
                                     T(8), T(9), T(10), T(11), T(12), T(13), T(14), T(15)};

}  // namespace minitrain::inline MINITRAIN_ABI::cpu

#define MINITRAIN_KERNELS <minitrain/cpu/math.inl>
#include <minitrain/cpu/for_each_isa.hpp>
