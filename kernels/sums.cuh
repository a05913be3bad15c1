// Sums in the order of core/gradient_norm.hpp: a warp, one partial sum per thread, and a tree.
#pragma once
#include "rows.cuh"

#include <minitrain/core/gradient_norm.hpp>

namespace minitrain::inline MINITRAIN_ABI::cuda {

struct AddSquare {
  __device__ double operator()(double value, double total) const { return __fma_rn(value, value, total); }
};
struct AddTerm {
  __device__ double operator()(double value, double total) const { return __dadd_rn(total, value); }
};

/// The tree over the partial sums of a warp; every thread gets the sum.
__device__ inline double lanes_total(double sum) {
#pragma unroll
  for (int away = 16; away > 0; away /= 2) sum = __dadd_rn(sum, __shfl_xor_sync(all_lanes, sum, away));
  return sum;
}

/// Of at(0), ..., at(count - 1), by a whole warp, so many loads on their way at a time; past the last term comes 0,
/// which changes no sum.
template <int Loads, class At, class Add>
__device__ inline double add_terms(std::size_t count, At at, Add add) {
  constexpr std::size_t lanes = SumOfSquaresOrder::lanes;
  double sum = 0.0;
  for (std::size_t i = threadIdx.x % 32; i < count; i += Loads * lanes) {
    decltype(at(i)) value[Loads];
#pragma unroll
    for (int k = 0; k < Loads; ++k) value[k] = i + k * lanes < count ? at(i + k * lanes) : 0;
#pragma unroll
    for (int k = 0; k < Loads; ++k) sum = add(static_cast<double>(value[k]), sum);
  }
  return lanes_total(sum);
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
