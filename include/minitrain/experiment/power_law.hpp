#pragma once
// fit_power_law(): how an error falls with the size of the data set, down to what no data takes away.

#include <minitrain/experiment/line.hpp>

#include <array>

namespace minitrain::inline MINITRAIN_ABI {

/// error(n) = a·n^-b + c, c >= 0. Hestness, Narang, Ardalani et al., "Deep learning scaling is predictable,
/// empirically", 2017.
struct PowerLaw {
  double a = 0, b = 0;   // b < 0: the error rises with n
  double c = 0;          // what remains of the error, whatever n; 0 where the data show no bend
  double r_squared = 0;  // share of the variance of ln error that the curve explains; NaN when all errors are equal
  double at(double n) const noexcept { return a * std::pow(n, -b) + c; }
};

namespace detail {

/// ln(x^-b + q) + level, the least squares to ln y for given b and q: the level is the mean of what is left.
class PowerLawShape {
 public:
  PowerLawShape(const std::vector<double>& log_x, const std::vector<double>& log_y) : log_x_(log_x), log_y_(log_y) {}

  double level(double b, double q) const {
    double sum = 0;
    for (std::size_t i = 0; i < log_x_.size(); ++i) sum += log_y_[i] - std::log(std::exp(-b * log_x_[i]) + q);
    return sum / static_cast<double>(log_x_.size());
  }
  double squares(double b, double q) const {
    const double middle = level(b, q);
    double sum = 0;
    for (std::size_t i = 0; i < log_x_.size(); ++i) {
      const double left = log_y_[i] - std::log(std::exp(-b * log_x_[i]) + q) - middle;
      sum += left * left;
    }
    return sum;
  }
  /// The step of Gauss and Newton in (b, ln q), with `damping` of Levenberg and Marquardt.
  std::array<double, 2> step(double b, double q, double damping) const {
    const auto n = static_cast<double>(log_x_.size());
    const double middle = level(b, q);
    std::vector<std::array<double, 2>> slopes;
    std::array<double, 2> mean{};
    for (const double x : log_x_) {
      const double power = std::exp(-b * x);
      slopes.push_back({-power * x / (power + q), q / (power + q)});
      mean[0] += slopes.back()[0] / n, mean[1] += slopes.back()[1] / n;
    }
    double bb = 0, bq = 0, qq = 0, rb = 0, rq = 0;
    for (std::size_t i = 0; i < log_x_.size(); ++i) {
      const double left = log_y_[i] - std::log(std::exp(-b * log_x_[i]) + q) - middle;
      const double db = slopes[i][0] - mean[0], dq = slopes[i][1] - mean[1];
      bb += db * db, bq += db * dq, qq += dq * dq, rb += db * left, rq += dq * left;
    }
    bb *= 1 + damping, qq *= 1 + damping;
    const double determinant = bb * qq - bq * bq;
    return {(qq * rb - bq * rq) / determinant, (bb * rq - bq * rb) / determinant};
  }

 private:
  const std::vector<double>& log_x_;
  const std::vector<double>& log_y_;
};

}  // namespace detail

/// Least squares in ln error, since what errors scatter by grows with them. c = 0 is the straight line of
/// fit_log_log(); otherwise Gauss and Newton, from the best of a coarse grid. Errors that rise with n give that line
/// too: b is below 0 (-1 where twice the data make twice the error) and c = 0. Wants three or more different n; all
/// numbers above 0. Throws DataError: count_mismatch, empty_data, non_finite, bad_number.
inline PowerLaw fit_power_law(const std::vector<double>& n, const std::vector<double>& error) {
  detail::check_pairs(n, error, 3, "fit_power_law", "n", "error");
  std::vector<double> log_x = detail::logs(n);
  const std::vector<double> log_y = detail::logs(error);
  const double middle = mean_of(log_x).mean;
  for (double& x : log_x) x -= middle;
  const detail::PowerLawShape shape(log_x, log_y);
  double b = 0, q = 0, least = std::numeric_limits<double>::infinity();
  const auto better = [&](double other_b, double log_q) {
    const double squares = std::abs(other_b) <= 64 ? shape.squares(other_b, std::exp(log_q)) : least;
    if (!(squares < least)) return false;
    b = other_b, q = std::exp(log_q), least = squares;
    return true;
  };
  for (int i = -11; i <= 5; ++i) {  // b from 1/60 to 7
    for (int k = -11; k <= 11; ++k) better(std::exp(0.375 * i), 0.75 * k);
  }
  double damping = 1e-3;
  for (int i = 0; i < 200 && damping < 1e12; ++i) {
    const auto [db, dq] = shape.step(b, q, damping);
    damping = better(b + db, std::log(q) + dq) ? std::max(damping / 8, 1e-12) : damping * 4;
  }
  const LogLine line = fit_log_log(n, error);
  if (shape.squares(-line.slope, 0) <= least + 1e-28 * static_cast<double>(n.size())) b = -line.slope, q = 0;
  const double level = shape.level(b, q);
  std::vector<double> fitted;
  for (const double x : log_x) fitted.push_back(level + std::log(std::exp(-b * x) + q));
  return {.a = std::exp(level + b * middle),
          .b = b,
          .c = std::exp(level) * q,
          .r_squared = detail::r_squared(log_y, fitted)};
}

}  // namespace minitrain::inline MINITRAIN_ABI
