#pragma once
// sum_of_squares on the CPU: one pass over the slab.

#include <minitrain/core/gradient_norm.hpp>
#include <minitrain/cpu/dispatch.hpp>

#define MINITRAIN_KERNELS <minitrain/cpu/norm.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

/// Σ terms[i], or Σ terms[i]², in the order of SumOfSquaresOrder.
template <bool Squares, class T>
double sum_in_lanes(const Cpu& device, const T* terms, std::size_t count) {
  MINITRAIN_DISPATCH(device.isa(), T, sum_in_lanes<Squares>(terms, count));
}

}  // namespace cpu

/// See SumOfSquaresOrder. T is float or double. The bits are the same on any number of threads and, for floats, with
/// any instruction set.
template <class T>
void sum_of_squares(const Cpu& device, const View<const T, Cpu>& x, const View<double, Cpu>& result) {
  constexpr std::size_t chunk = SumOfSquaresOrder::chunk;
  const std::size_t count = x.size(), chunks = SumOfSquaresOrder::chunks(count);
  if (chunks <= 1) {
    result[0] = cpu::sum_in_lanes<true>(device, x.data(), count);
    return;
  }
  double* const sums = device.scratch<double>(0, chunks);
  device.parallel(chunks, 8, 2.0 * static_cast<double>(count), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      sums[i] = cpu::sum_in_lanes<true>(device, x.data() + i * chunk, std::min(chunk, count - i * chunk));
    }
  });
  result[0] = cpu::sum_in_lanes<false>(device, static_cast<const double*>(sums), chunks);
}

}  // namespace minitrain::inline MINITRAIN_ABI
