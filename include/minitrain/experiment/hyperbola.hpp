#pragma once
// fit_steps(): how many steps a target takes against the batch size, and where larger batches stop to help.

#include <minitrain/experiment/line.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// S(B) = S_min·(1 + B_crit/B), which is (S/S_min - 1)(E/E_min - 1) = 1 for E = B·S samples. McCandlish, Kaplan, Amodei
/// et al., "An empirical model of large-batch training", 2018.
struct Hyperbola {
  double s_min = 0;      // steps that no batch size goes below; 0 where the data show no bend
  double b_crit = 0;     // samples; 0 where steps do not depend on the batch, infinite where the data show no bend
  double e_min = 0;      // = S_min·B_crit: samples that no batch size goes below
  double r_squared = 0;  // share of the variance of ln S that the curve explains; NaN when all S are equal
  /// Steps.
  double at(double batch) const noexcept { return s_min + e_min / batch; }
};

namespace detail {

/// ln of t + (1 - t)·g/B at each x = g/B, plus the constant that leaves the least squares to ln S.
struct HyperbolaShape {
  double flat = 0;   // t
  double steep = 0;  // 1 - t
  double level = 0;  // the constant
  double squares = 0;
};

inline HyperbolaShape hyperbola_shape(double flat, double steep, const std::vector<double>& x,
                                      const std::vector<double>& log_steps) {
  HyperbolaShape shape{.flat = flat, .steep = steep};
  std::vector<double> left(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    left[i] = log_steps[i] - std::log(flat + steep * x[i]);
    shape.level += left[i] / static_cast<double>(x.size());
  }
  for (const double l : left) shape.squares += (l - shape.level) * (l - shape.level);
  return shape;
}

/// f at its smallest between `low` and `high`, by golden sections; f has one minimum there.
template <class F>
double smallest(const F& f, double low, double high) {
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double a = high - ratio * (high - low), b = low + ratio * (high - low), fa = f(a), fb = f(b);
  for (int i = 0; i < 90; ++i) {
    if (fa < fb) {
      high = b, b = a, fb = fa, a = high - ratio * (high - low), fa = f(a);
    } else {
      low = a, a = b, fa = fb, b = low + ratio * (high - low), fb = f(b);
    }
  }
  return fa < fb ? a : b;
}

}  // namespace detail

/// Least squares in ln S, since what steps scatter by grows with them: a search over B_crit, for each of which the best
/// S_min is known. Wants two or more different batch sizes, and to tell a bend three or more; all numbers above 0.
/// Steps that rise with the batch are nearest to a flat curve: b_crit = 0, s_min their geometric mean, and an r_squared
/// of 0 or so. Throws DataError: count_mismatch, empty_data, non_finite, bad_number.
inline Hyperbola fit_steps(const std::vector<double>& batch, const std::vector<double>& steps) {
  detail::check_pairs(batch, steps, 2, "fit_steps", "batch", "steps");
  const std::vector<double> log_batch = detail::logs(batch), log_steps = detail::logs(steps);
  const double middle = std::exp(mean_of(log_batch).mean);
  std::vector<double> x;
  for (const double b : batch) x.push_back(middle / b);
  // ln(B_crit/middle) = v; from one end, no dependence on the batch, to the other, no bend.
  const auto shape = [&](double v) {
    return detail::hyperbola_shape(1 / (1 + std::exp(v)), 1 / (1 + std::exp(-v)), x, log_steps);
  };
  constexpr double step = 0.25;
  double best = 0, least = std::numeric_limits<double>::infinity();
  for (int i = -96; i <= 96; ++i) {  // B_crit from 4e-11 to 3e10 of the middle
    const double squares = shape(i * step).squares;
    if (squares < least) best = i * step, least = squares;
  }
  best = detail::smallest([&](double v) { return shape(v).squares; }, best - step, best + step);
  detail::HyperbolaShape found = shape(best);
  for (const double flat : {1.0, 0.0}) {  // an end that is as good, but for rounding, is what the data say
    const detail::HyperbolaShape end = detail::hyperbola_shape(flat, 1 - flat, x, log_steps);
    if (end.squares <= found.squares + 1e-28 * static_cast<double>(x.size())) found = end;
  }
  std::vector<double> fitted;
  for (const double xi : x) fitted.push_back(found.level + std::log(found.flat + found.steep * xi));
  const double scale = std::exp(found.level);
  return {.s_min = scale * found.flat,
          .b_crit = middle * found.steep / found.flat,
          .e_min = scale * middle * found.steep,
          .r_squared = detail::r_squared(log_steps, fitted)};
}

}  // namespace minitrain::inline MINITRAIN_ABI
