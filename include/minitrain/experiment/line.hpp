#pragma once
// Straight lines: through times per step, and in the log-log plane.

#include <minitrain/experiment/statistics.hpp>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Checks pairs (x, y) that a curve is to go through, all of them positive, with `least` or more different x. Throws
/// DataError: count_mismatch, empty_data, non_finite, bad_number.
inline void check_pairs(const std::vector<double>& x, const std::vector<double>& y, std::size_t least,
                        const char* owner, const char* x_name, const char* y_name) {
  if (x.size() != y.size()) {
    throw DataError(ErrorCode::count_mismatch,
                    {owner, ": ", x.size(), " values in ", x_name, ", but ", y.size(), " in ", y_name, ": give pairs"});
  }
  check_sample(x, least, owner, x_name);
  check_sample(y, least, owner, y_name);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] > 0 && y[i] > 0) continue;
    throw DataError(ErrorCode::bad_number, {owner, ": (", x_name, ", ", y_name, ")[", i, "] is (", x[i], ", ", y[i],
                                            "), but numbers above 0 are wanted"});
  }
  std::vector<double> different = x;
  std::sort(different.begin(), different.end());
  different.erase(std::unique(different.begin(), different.end()), different.end());
  if (different.size() < least) {
    throw DataError(ErrorCode::empty_data, {owner, ": ", different.size(), " different values in ", x_name,
                                            ", but wanted are ", least, " or more: measure more points"});
  }
}

/// 1 - Σ(y - fitted)²/Σ(y - ȳ)², the share of the variance of y that a fit explains; NaN where all y are equal.
inline double r_squared(const std::vector<double>& y, const std::vector<double>& fitted) {
  const auto [low, high] = std::minmax_element(y.begin(), y.end());
  if (*low == *high) return std::numeric_limits<double>::quiet_NaN();
  const double mean = mean_of(y).mean;
  double unexplained = 0, all = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    unexplained += (y[i] - fitted[i]) * (y[i] - fitted[i]);
    all += (y[i] - mean) * (y[i] - mean);
  }
  return 1 - unexplained / all;
}

struct Line {
  double intercept = 0, slope = 0;
  double spread = 0;  // Σ w (x - x̄)²
};

/// Minimises Σ w (intercept + slope·x - y)².
inline Line weighted_line(const std::vector<double>& x, const std::vector<double>& y,
                          const std::vector<double>& weight) {
  double all = 0, x_mean = 0, y_mean = 0, xx = 0, xy = 0;
  for (const double w : weight) all += w;
  for (std::size_t i = 0; i < x.size(); ++i) {
    x_mean += weight[i] / all * x[i];
    y_mean += weight[i] / all * y[i];
  }
  for (std::size_t i = 0; i < x.size(); ++i) {  // from the means, or large x would cancel
    xx += weight[i] * (x[i] - x_mean) * (x[i] - x_mean);
    xy += weight[i] * (x[i] - x_mean) * (y[i] - y_mean);
  }
  const double slope = xy / xx;
  return {y_mean - slope * x_mean, slope, xx};
}

inline std::vector<double> logs(const std::vector<double>& values) {
  std::vector<double> result;
  for (const double value : values) result.push_back(std::log(value));
  return result;
}

}  // namespace detail

/// t(B) = t0 + B/r: what every step costs whatever its size, and the samples per second of a step without end.
struct StepTime {
  double t0 = 0;         // seconds
  double r = 0;          // samples per second
  double r_squared = 0;  // share of the variance of t that the line explains; NaN when all t are equal
  /// The batch that reaches half of r.
  double half_batch() const noexcept { return t0 * r; }
  /// Seconds of a step.
  double at(double batch) const noexcept { return t0 + batch / r; }
};

/// Least squares on relative errors: minimises Σ ((t0 + B/r - t)/t)², since the noise of a time grows with the time;
/// without the weights the largest batch alone would decide t0. Wants two or more different batch sizes; all numbers
/// above 0. Times that fall with the batch give a negative r, and noise may give a negative t0. Throws DataError:
/// count_mismatch, empty_data, non_finite, bad_number.
inline StepTime fit_step_time(const std::vector<double>& batch, const std::vector<double>& seconds) {
  detail::check_pairs(batch, seconds, 2, "fit_step_time", "batch", "seconds");
  const double unit = *std::min_element(seconds.begin(), seconds.end());  // so that no weight overflows
  std::vector<double> weight, fitted;
  for (const double t : seconds) weight.push_back(unit / t * (unit / t));
  const detail::Line line = detail::weighted_line(batch, seconds, weight);
  for (const double b : batch) fitted.push_back(line.intercept + line.slope * b);
  return {.t0 = line.intercept, .r = 1 / line.slope, .r_squared = detail::r_squared(seconds, fitted)};
}

/// ln y = intercept + slope·ln x, which is y = e^intercept·x^slope.
struct LogLine {
  double slope = 0, intercept = 0;
  double r_squared = 0;    // share of the variance of ln y that the line explains; NaN when all y are equal
  double slope_error = 0;  // standard error of the slope, from the scatter about the line; NaN of two points
  double at(double x) const noexcept { return std::exp(intercept + slope * std::log(x)); }
};

/// Least squares in ln y. Wants two or more different x; all numbers above 0. Throws DataError: count_mismatch,
/// empty_data, non_finite, bad_number.
inline LogLine fit_log_log(const std::vector<double>& x, const std::vector<double>& y) {
  detail::check_pairs(x, y, 2, "fit_log_log", "x", "y");
  const std::vector<double> log_x = detail::logs(x), log_y = detail::logs(y);
  const detail::Line line = detail::weighted_line(log_x, log_y, std::vector<double>(x.size(), 1.0));
  std::vector<double> fitted;
  double unexplained = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    fitted.push_back(line.intercept + line.slope * log_x[i]);
    unexplained += (log_y[i] - fitted[i]) * (log_y[i] - fitted[i]);
  }
  const double freedom = static_cast<double>(x.size()) - 2;
  const double slope_error =
      freedom > 0 ? std::sqrt(unexplained / freedom / line.spread) : std::numeric_limits<double>::quiet_NaN();
  return {line.slope, line.intercept, detail::r_squared(log_y, fitted), slope_error};
}

}  // namespace minitrain::inline MINITRAIN_ABI
