#pragma once
// What repeated measurements say: median and range, mean and its standard error.

#include <minitrain/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Throws DataError unless `values` has `least` or more values and all are finite.
inline void check_sample(const std::vector<double>& values, std::size_t least, const char* owner, const char* name) {
  if (values.size() < least) {
    throw DataError(ErrorCode::empty_data, {owner, ": ", values.size(), " values in ", name, ", but wanted are ", least,
                                            " or more: measure more points"});
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw DataError(ErrorCode::non_finite, {owner, ": ", name, "[", i, "] is ", values[i],
                                            ", but finite numbers are wanted: leave out what was not reached"});
  }
}

}  // namespace detail

/// The middle of repeated measurements, the smallest and the largest.
struct Spread {
  double median = 0, low = 0, high = 0;
};

/// The median of an even number of values is the mean of the two in the middle. Throws DataError: empty_data,
/// non_finite.
inline Spread spread(std::vector<double> values) {
  detail::check_sample(values, 1, "spread", "values");
  std::sort(values.begin(), values.end());
  const std::size_t last = values.size() - 1;
  return {std::midpoint(values[last / 2], values[last / 2 + last % 2]), values.front(), values.back()};
}

/// x̄ = Σx/n, and its standard error s/√n, with s² = Σ(x - x̄)²/(n - 1).
struct Mean {
  double mean = 0;
  double standard_error = 0;  // NaN of a single value
  std::size_t count = 0;
};

/// Throws DataError: empty_data, non_finite.
inline Mean mean_of(const std::vector<double>& values) {
  detail::check_sample(values, 1, "mean_of", "values");
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / n;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double error = n > 1 ? std::sqrt(squares / (n - 1) / n) : std::numeric_limits<double>::quiet_NaN();
  return {mean, error, values.size()};
}

}  // namespace minitrain::inline MINITRAIN_ABI
