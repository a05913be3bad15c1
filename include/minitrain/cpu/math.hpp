#pragma once
// exp, log and their kin on Vec, for every instruction set: cpu::avx2::exp(Vec<float>), found by argument-dependent
// lookup from any kernel. Include this before the kernels that use them.

#include <minitrain/cpu/math_constants.hpp>
#include <minitrain/cpu/simd.hpp>

#include <cmath>
#include <utility>

#define MINITRAIN_KERNELS <minitrain/cpu/math.inl>
#include <minitrain/cpu/for_each_isa.hpp>
