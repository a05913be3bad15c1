#pragma once
// MINITRAIN_DISPATCH: from a public operation to its kernel for the instruction set of the device.

#include <minitrain/cpu/device.hpp>

#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI::cpu {

/// Scalars that have kernels for AVX2 and AVX-512. Every other scalar runs the baseline, one element at a time.
template <class T>
inline constexpr bool has_vectors = std::is_same_v<T, float> || std::is_same_v<T, double>;

}  // namespace minitrain::inline MINITRAIN_ABI::cpu

/// Returns cpu::<instruction set>::f<T>(arguments...) from the function or lambda it stands in:
///   MINITRAIN_DISPATCH(device.isa(), T, f<T>(arguments...));
#define MINITRAIN_DISPATCH(isa, T, ...)                \
  if constexpr (::minitrain::cpu::has_vectors<T>) {    \
    const ::minitrain::Isa chosen = (isa);             \
    if (chosen == ::minitrain::Isa::avx512) {          \
      const ::minitrain::cpu::LeaveVectors at_the_end; \
      return ::minitrain::cpu::avx512::__VA_ARGS__;    \
    }                                                  \
    if (chosen == ::minitrain::Isa::avx2) {            \
      const ::minitrain::cpu::LeaveVectors at_the_end; \
      return ::minitrain::cpu::avx2::__VA_ARGS__;      \
    }                                                  \
  }                                                    \
  return ::minitrain::cpu::baseline::__VA_ARGS__
