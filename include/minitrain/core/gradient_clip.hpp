#pragma once
// Clipping a gradient element by element, and the sizes of the gradients of single samples.

#include <minitrain/config.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// What becomes of a step whose loss or gradient is not a finite number.
enum class OnNonFinite {
  stop,    // NumericError before the update, which says where it began
  skip,    // no update, the batch is left out of the means; too many in a row stop
  ignore,  // update all the same
};

// clip_values(device, sums, totals, limit): each element of the gradient sums becomes the nearest in
//   [-limit·totals[1], limit·totals[1]]
// where totals[1] is the weight of the samples in them: so each of the mean gradient is in [-limit, limit], to the
// rounding of one product, as after torch.nn.utils.clip_grad_value_, but what is
// not finite stays so, to be found. limit > 0.

// add_gradient_squares(device, x, dy, bias, sum): of a Dense layer with input x [B, in] and gradients dy [B, out] by
// its output before the activation, sample for sample,
//   sum[0] += Σ_i |dy_i|²·(|x_i|² + bias)
// the squared norms of the gradients of single samples by weights and, with bias = 1, biases. Squares and sums in
// double, in the order of SumOfSquaresOrder in a row, and again over the rows.
// Source: Goodfellow, "Efficient per-example gradient computations", 2015, arXiv:1510.01799.

}  // namespace minitrain::inline MINITRAIN_ABI
