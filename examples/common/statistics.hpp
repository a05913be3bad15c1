#pragma once
// Medians with their spread, and a straight line through measured times.

#include <algorithm>
#include <cstddef>
#include <vector>

namespace examples {

/// The middle of repeated measurements, the smallest and the largest.
struct Spread {
  double median = 0, low = 0, high = 0;
};

/// Of at least one value.
inline Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {median, values.front(), values.back()};
}

/// t(B) = t0 + B/r: what every step costs whatever its size, and the samples per second of a step without end.
struct StepTime {
  double t0 = 0;         // seconds
  double r = 0;          // samples per second
  double r_squared = 0;  // share of the variance of t that the line explains
  /// The batch that reaches half of r.
  double half_batch() const { return t0 * r; }
};

/// Least squares on relative errors: minimises Σ ((t0 + B/r - t) / t)², since the noise of a time grows with the time;
/// without the weights the largest batch alone would decide t0. Wants two or more different batch sizes.
inline StepTime fit_step_time(const std::vector<double>& batch, const std::vector<double>& seconds) {
  double w = 0, wb = 0, wbb = 0, wt = 0, wbt = 0, mean = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const double weight = 1 / (seconds[i] * seconds[i]);
    w += weight;
    wb += weight * batch[i];
    wbb += weight * batch[i] * batch[i];
    wt += weight * seconds[i];
    wbt += weight * batch[i] * seconds[i];
    mean += seconds[i] / static_cast<double>(batch.size());
  }
  const double slope = (w * wbt - wb * wt) / (w * wbb - wb * wb);
  StepTime fit{.t0 = (wt - slope * wb) / w, .r = 1 / slope};
  double unexplained = 0, all = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const double error = fit.t0 + slope * batch[i] - seconds[i];
    unexplained += error * error;
    all += (seconds[i] - mean) * (seconds[i] - mean);
  }
  fit.r_squared = 1 - unexplained / all;
  return fit;
}

}  // namespace examples
