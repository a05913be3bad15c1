#pragma once
// KnownCurvature: a straight line to be learned, whose loss is a bowl that one can compute.

#include <minitrain/data/dataset.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <vector>

namespace examples {

/// Rows [64, d] of which column j is a Walsh function, 1 and -1, times s_j, and targets that are a sum of them. Columns
/// are orthogonal, so the mean squared error has the curvatures h_j = 2·s_j², here d numbers from 1 down to
/// 1/condition in equal ratios, and gradient descent from 0 with rate eta makes of it
///   loss(t) / loss(0) = 1/d · Σ_j (1 - eta·h_j)^(2t),
/// which falls for eta < 2/h_0 = 2 and grows without end for eta > 2.
struct KnownCurvature {
  static constexpr std::size_t rows = 64;
  std::vector<double> curvatures = {};
  minitrain::Dataset data = {};

  /// Of fewer than 64 columns.
  KnownCurvature(std::size_t columns, double condition) {
    std::vector<float> x(rows * columns), y(rows);
    for (std::size_t j = 0; j < columns; ++j) {
      const double h = std::pow(condition, -static_cast<double>(j) / static_cast<double>(columns - 1));
      const auto s = static_cast<float>(std::sqrt(h / 2));
      curvatures.push_back(2 * static_cast<double>(s) * static_cast<double>(s));
      for (std::size_t i = 0; i < rows; ++i) {
        const float sign = std::popcount(i & (j + 1)) % 2 == 0 ? 1.0f : -1.0f;
        x[i * columns + j] = sign * s;
        y[i] += sign;  // the coefficient is 1/s_j: each direction has the same part of the loss
      }
    }
    data = minitrain::Dataset({.samples = rows, .features = std::move(x), .targets = std::move(y)});
  }

  double largest() const { return curvatures.front(); }
  double loss_share(double rate, std::size_t steps) const {
    double sum = 0;
    for (const double h : curvatures) sum += std::pow(1 - rate * h, 2 * static_cast<double>(steps));
    return sum / static_cast<double>(curvatures.size());
  }
  /// The first step after which the loss is at most that share of the first one; for a rate below 2/largest().
  std::size_t steps_to(double share, double rate) const {
    std::size_t low = 0, high = 1;
    while (loss_share(rate, high) > share) low = high, high *= 2;
    while (high - low > 1) {
      const std::size_t middle = low + (high - low) / 2;
      (loss_share(rate, middle) > share ? low : high) = middle;
    }
    return high;
  }
};

}  // namespace examples
