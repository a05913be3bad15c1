#pragma once
// Totals: what an epoch or a step adds up over its samples.

#include <minitrain/train/history.hpp>

#include <array>
#include <cmath>
#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI {

/// Sums over samples: of losses, of weights, of right answers; and how many samples.
struct Totals {
  double loss = 0, weight = 0, right = 0;
  std::size_t samples = 0;
  std::size_t left_out = 0;  // of these, in steps whose loss or gradient was not finite, and that were none

  void add(const Totals& other) noexcept {
    loss += other.loss;
    weight += other.weight;
    right += other.right;
    samples += other.samples;
    left_out += other.left_out;
  }
};

/// What a step adds up on the device: loss, weight and right answers of its samples, squares of its gradient sums (0 if
/// not asked).
using Sums = std::array<double, 4>;

/// What has accumulated since the last update, beside the gradient sums.
struct Window {
  std::size_t samples = 0;
  Sums sums{};
  std::array<double, 2> loss_scale{};  // and the steps since it changed, where losses are scaled; otherwise 0
};

inline bool is_finite(const Sums& sums) noexcept { return std::isfinite(sums[0]) && std::isfinite(sums[3]); }
inline Totals totals_of(const Sums& sums, std::size_t samples) noexcept {
  return {.loss = sums[0], .weight = sums[1], .right = sums[2], .samples = samples};
}

/// Means; of right answers where they are counted.
inline Evaluation mean_of(const Totals& totals, bool counts_right_answers) noexcept {
  Evaluation result{.samples = totals.samples};
  const std::size_t counted = totals.samples - totals.left_out;
  if (counted == 0) return result;
  result.loss = totals.loss / totals.weight;
  if (counts_right_answers) result.accuracy = totals.right / static_cast<double>(counted);
  return result;
}

}  // namespace minitrain::inline MINITRAIN_ABI
