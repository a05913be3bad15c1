// Sums in the 32 lanes of SumOfSquaresOrder: a warp takes the terms, each thread those of its lane.
#pragma once
#include "rows.cuh"

#include <minitrain/core/gradient_norm.hpp>

namespace minitrain::inline MINITRAIN_ABI::cuda {

/// The tree over the partial sums of a warp; every thread gets the sum.
__device__ inline double lanes_total(double sum) {
#pragma unroll
  for (int away = 16; away > 0; away /= 2) {
    sum = __dadd_rn(sum, __shfl_xor_sync(all_lanes, sum, away));
  }
  return sum;
}

/// The terms of a thread, so many loads on their way at a time; past the last term comes 0, which changes no sum.
template <int Loads, class T, class Add>
__device__ inline double add_terms(const T* terms, std::size_t count, Add add) {
  constexpr std::size_t lanes = SumOfSquaresOrder::lanes;
  double sum = 0.0;
  for (std::size_t i = threadIdx.x % 32; i < count; i += Loads * lanes) {
    T value[Loads];
#pragma unroll
    for (int k = 0; k < Loads; ++k) value[k] = i + k * lanes < count ? terms[i + k * lanes] : T(0);
#pragma unroll
    for (int k = 0; k < Loads; ++k) sum = add(static_cast<double>(value[k]), sum);
  }
  return lanes_total(sum);
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
