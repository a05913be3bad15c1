#pragma once
// The norm of a gradient: the order of its sum, which is part of the value, and what clipping makes of it.

#include <minitrain/config.hpp>

#include <cmath>
#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI {

/// sum_of_squares(device, x, result): result[0] = Σ x², in double, of all elements of x [any shape]. The order depends
/// on the number of elements alone. Chunks of `chunk` elements each give one sum; the sums of the chunks are added in
/// the same way. Either way term i goes to partial sum i mod `lanes`, in order, and the partial sums meet in a tree: l
/// with l + 16, then l + 8, l + 4, l + 2, l + 1. The square of a float is exact in double, so one rounding per term.
/// Infinite or NaN when an element of x is, and never otherwise for floats.
struct SumOfSquaresOrder {
  static constexpr std::size_t chunk = 4096;
  static constexpr std::size_t lanes = 32;

  static constexpr std::size_t chunks(std::size_t elements) noexcept { return (elements + chunk - 1) / chunk; }
};

/// min(1, clip_norm / (norm + 1e-6)) / weight, where norm = sqrt(squares) / weight is that of the mean gradient:
/// `squares` is the sum of squares of the gradient sum, `weight` the samples (or their weights) in it. What
/// torch.nn.utils.clip_grad_norm_ multiplies gradients by, times 1 / weight. clip_norm = 0: no clipping, 1 / weight.
/// No product is added to anything here, so no compiler can contract it.
inline double clipped_gradient_scale(double weight, double squares, double clip_norm) noexcept {
  if (clip_norm == 0) return 1 / weight;
  const double factor = clip_norm / (std::sqrt(squares) / weight + 1e-6);
  return (factor < 1 ? factor : 1) / weight;
}

}  // namespace minitrain::inline MINITRAIN_ABI
