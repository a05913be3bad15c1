// Lines and curves through measurements: closed forms from exact data, other programs' numbers, known standard errors,
// and what no curve goes through.

#include <minitrain/core/random.hpp>
#include <minitrain/experiment/fits.hpp>

#include "support/errors.hpp"

#include <functional>
#include <numbers>

namespace mt = minitrain;
using test::Approx;

namespace {

using Values = std::vector<double>;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class F>
Values map(const Values& x, const F& f) {
  Values y;
  for (const double value : x) y.push_back(f(value));
  return y;
}

Approx near(double value, double relative = 1e-9) { return Approx(value).epsilon(relative).margin(1e-300); }

/// Standard normal numbers, by Box and Muller.
double normal(std::uint32_t stream, std::uint64_t i) {
  const mt::Random random(11, mt::RandomPurpose::test, stream);
  return std::sqrt(-2 * std::log(1 - random.uniform(2 * i))) *
         std::cos(2 * std::numbers::pi * random.uniform(2 * i + 1));
}

/// `y` with errors of that size in ln y.
Values noisy(const Values& y, double sigma, std::uint32_t stream) {
  Values result;
  for (std::size_t i = 0; i < y.size(); ++i) result.push_back(y[i] * std::exp(sigma * normal(stream, i)));
  return result;
}

double log_squares(const Values& y, const Values& fitted) {
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) sum += std::pow(std::log(y[i] / fitted[i]), 2);
  return sum;
}

const Values batches{16, 32, 64, 128, 256, 512, 1024, 2048};

}  // namespace

TEST_CASE("spread: the middle and the ends") {
  const auto check = [](const Values& values, double median, double low, double high) {
    const mt::Spread spread = mt::spread(values);
    CHECK((spread.median == median && spread.low == low && spread.high == high));
  };
  check({3}, 3, 3, 3);
  check({4, 1}, 2.5, 1, 4);
  check({5, -1, 2}, 2, -1, 5);
  check({3.25, 1.5, -2.0, 7.75, 4.0, 0.125}, 2.375, -2, 7.75);  // Python: statistics.median
  check({0x1.8p1023, 0x1.cp1023}, 0x1.ap1023, 0x1.8p1023, 0x1.cp1023);
}

TEST_CASE("mean_of: the mean and its standard error") {
  const mt::Mean mean = mt::mean_of({3.25, 1.5, -2.0, 7.75, 4.0, 0.125});
  CHECK(mean.mean == near(2.4375, 1e-15));
  CHECK(mean.standard_error == near(1.3813301258810897, 1e-14));  // Python: statistics.stdev(v) / sqrt(6)
  CHECK(mean.count == 6);
  CHECK(mt::mean_of({7}).mean == 7);
  CHECK(std::isnan(mt::mean_of({7}).standard_error));
  CHECK(mt::mean_of({1e9 + 1, 1e9 + 2, 1e9 + 3}).standard_error == near(1 / std::sqrt(3.0), 1e-12));
}

TEST_CASE("fit_step_time: exact times give t0 and r back, others the least squares of relative errors") {
  const mt::StepTime exact = mt::fit_step_time(batches, map(batches, [](double b) { return 5e-6 + b / 4e6; }));
  CHECK(exact.t0 == near(5e-6));
  CHECK(exact.r == near(4e6));
  CHECK(exact.r_squared == near(1));
  CHECK(exact.half_batch() == near(20));
  CHECK(exact.at(40) == near(15e-6));
  // Python, in fractions: the normal equations with weights 1/t².
  const mt::StepTime fit = mt::fit_step_time({1, 2, 4, 8, 16, 64, 256}, {10.5, 10.75, 11.25, 12.5, 15.0, 27.75, 77.0});
  CHECK(fit.t0 == near(10.3141146347027, 1e-13));
  CHECK(fit.r == near(3.759054226780552, 1e-13));
  CHECK(fit.r_squared == near(0.9993265258639642, 1e-13));
  const mt::StepTime flat = mt::fit_step_time({1, 2}, {3, 3});
  CHECK((flat.t0 == 3 && std::isinf(flat.r) && std::isnan(flat.r_squared)));
}

TEST_CASE("fit_log_log: exact powers, and the numbers of Python's statistics.linear_regression") {
  const mt::LogLine exact = mt::fit_log_log(batches, map(batches, [](double b) { return 3 * std::pow(b, -0.75); }));
  CHECK(exact.slope == near(-0.75));
  CHECK(std::exp(exact.intercept) == near(3));
  CHECK(exact.r_squared == near(1));
  CHECK(exact.slope_error < 1e-14);
  CHECK(exact.at(16) == near(0.375));
  const mt::LogLine fit = mt::fit_log_log({16, 32, 64, 128, 256, 512}, {9130, 4710, 2480, 1190, 640, 333});
  CHECK(fit.slope == near(-0.9595209195691112, 1e-12));
  CHECK(fit.intercept == near(11.780429472602542, 1e-12));
  CHECK(fit.r_squared == near(0.9996472118286703, 1e-12));
  CHECK(fit.slope_error == near(0.009012765680111797, 1e-10));
  CHECK(std::isnan(mt::fit_log_log({1, 2}, {5, 7}).slope_error));
  CHECK(std::isnan(mt::fit_log_log({1, 2, 3}, {5, 5, 5}).r_squared));
}

TEST_CASE("fit_log_log: the standard error is that of the slope") {
  const Values y = map(batches, [](double b) { return 1e4 / b; });
  Values slopes, errors;
  int within = 0;
  constexpr int rounds = 400;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const mt::LogLine fit = mt::fit_log_log(batches, noisy(y, 0.2, round));
    slopes.push_back(fit.slope);
    errors.push_back(fit.slope_error * fit.slope_error);
    within += std::abs(fit.slope + 1) < 2.447 * fit.slope_error ? 1 : 0;  // Student's t, 6 degrees of freedom, 95 %
  }
  // Var = σ²/Σ(ln x - mean)², and for powers of two Σ = ln²2·(8³ - 8)/12.
  const double wanted = 0.2 / (std::numbers::ln2 * std::sqrt(42.0));
  const mt::Mean mean = mt::mean_of(slopes);
  CHECK(std::abs(mean.mean + 1) < 3 * wanted / std::sqrt(rounds));
  CHECK(mean.standard_error * std::sqrt(rounds) == near(wanted, 0.1));
  CHECK(std::sqrt(mt::mean_of(errors).mean) == near(wanted, 0.1));
  CHECK(std::abs(within - 0.95 * rounds) < 3 * std::sqrt(rounds * 0.95 * 0.05));
}

TEST_CASE("fit_steps: exact hyperbolas give S_min and B_crit back, wherever the bend is") {
  for (const double b_crit : {0.1, 2.0, 16.0, 300.0, 2048.0, 1e5, 1e7}) {
    INFO(b_crit);
    const Values steps = map(batches, [&](double b) { return 250 * (1 + b_crit / b); });
    const mt::Hyperbola fit = mt::fit_steps(batches, steps);
    const double tolerance = b_crit > 1e5 || b_crit < 1 ? 1e-4 : 1e-7;  // far from the bend the data say less of it
    CHECK(fit.b_crit == near(b_crit, tolerance));
    CHECK(fit.s_min == near(250, tolerance));
    CHECK(fit.e_min == near(250 * b_crit, tolerance));
    CHECK(fit.r_squared == near(1));
    CHECK(fit.at(100) == near(250 * (1 + b_crit / 100), tolerance));
  }
}

TEST_CASE("fit_steps: no bend and no slope are said to be that") {
  const mt::Hyperbola ideal = mt::fit_steps(batches, map(batches, [](double b) { return 1e6 / b; }));
  CHECK((ideal.s_min == 0 && ideal.b_crit == infinity));
  CHECK(ideal.e_min == near(1e6));
  CHECK(ideal.at(10) == near(1e5));
  const mt::Hyperbola flat = mt::fit_steps(batches, map(batches, [](double) { return 40.0; }));
  CHECK((flat.b_crit == 0 && flat.e_min == 0));
  CHECK(flat.s_min == near(40));
  CHECK(std::isnan(flat.r_squared));
  // Steeper than 1/B, and rising: no hyperbola does that, and the ends are the nearest.
  CHECK(mt::fit_steps(batches, map(batches, [](double b) { return 1e8 / (b * b); })).b_crit == infinity);
  CHECK(mt::fit_steps(batches, map(batches, [](double b) { return b; })).b_crit == 0);
}

TEST_CASE("fit_steps: no other hyperbola is nearer, and the estimates scatter as theory says") {
  const Values steps = map(batches, [](double b) { return 250 * (1 + 300 / b); });
  // Theory: residuals of ln S are linear in ln S_min (slope 1) and ln B_crit (slope B_crit/(B + B_crit)).
  const Values slope = map(batches, [](double b) { return 300 / (b + 300); });
  const double mean_slope = mt::mean_of(slope).mean;
  double squares = 0;
  for (const double s : slope) squares += (s - mean_slope) * (s - mean_slope);
  constexpr double sigma = 0.05, rounds = 300;
  Values found;
  std::size_t nearer = 0;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const Values y = noisy(steps, sigma, round);
    const mt::Hyperbola fit = mt::fit_steps(batches, y);
    found.push_back(std::log(fit.b_crit));
    const double least = log_squares(y, map(batches, [&](double b) { return fit.at(b); }));
    for (const double factor : {1e-3, 0.1, 0.5, 0.9, 0.999, 1.001, 1.1, 2.0, 10.0, 1e3}) {
      Values other = map(batches, [&](double b) { return 1 + fit.b_crit * factor / b; });
      double level = 0;
      for (std::size_t i = 0; i < y.size(); ++i) level += std::log(y[i] / other[i]) / static_cast<double>(y.size());
      for (double& value : other) value *= std::exp(level);
      nearer += log_squares(y, other) < least ? 1u : 0u;
    }
  }
  CHECK(nearer == 0);
  const mt::Mean mean = mt::mean_of(found);
  const double wanted = sigma / std::sqrt(squares);
  CHECK(std::abs(mean.mean - std::log(300)) < 3 * wanted / std::sqrt(rounds));
  CHECK(mean.standard_error * std::sqrt(rounds) == near(wanted, 0.1));
}

TEST_CASE("fit_power_law: exact laws give a, b and c back") {
  const Values n{100, 300, 1000, 3000, 10'000, 30'000, 60'000};
  for (const double b : {0.1, 0.35, 0.5, 1.0, 2.0}) {
    for (const double c : {0.0, 1e-4, 0.02, 0.3}) {
      INFO(b << " " << c);
      const Values error = map(n, [&](double x) { return 2.5 * std::pow(x, -b) + c; });
      const mt::PowerLaw fit = mt::fit_power_law(n, error);
      CHECK(fit.b == near(b, 1e-6));
      CHECK(fit.a == near(2.5, 1e-5));
      CHECK(fit.c == Approx(c).margin(1e-9));
      CHECK((c != 0 || fit.c == 0));
      CHECK(fit.r_squared == near(1));
      CHECK(fit.at(500) == near(2.5 * std::pow(500, -b) + c, 1e-7));
    }
  }
  const mt::PowerLaw flat = mt::fit_power_law({1, 2, 3}, {5, 5, 5});
  CHECK((flat.c == 0 && std::isnan(flat.r_squared)));
  CHECK(flat.at(7) == near(5));
  const mt::PowerLaw three = mt::fit_power_law({1, 2, 4}, {5, 3, 2});  // a = 4, b = 1, c = 1 by hand
  CHECK(three.a == near(4, 1e-6));
  CHECK(three.b == near(1, 1e-6));
  CHECK(three.c == near(1, 1e-6));
}

TEST_CASE("fit_power_law: c is never negative, and without a bend the line of fit_log_log is found") {
  const Values error = map(batches, [](double b) { return 3 * std::pow(b, -0.5) - 0.05; });
  const mt::PowerLaw fit = mt::fit_power_law(batches, error);
  const mt::LogLine line = mt::fit_log_log(batches, error);
  CHECK(fit.c == 0);
  CHECK(fit.b == near(-line.slope));
  CHECK(fit.a == near(std::exp(line.intercept)));
  CHECK(fit.r_squared == near(line.r_squared));
}

TEST_CASE("fit_power_law: no other law is nearer, and the estimates scatter as theory says") {
  const Values n{100, 200, 400, 800, 1600, 3200, 6400, 12'800, 25'600, 51'200};
  constexpr double a = 4, b = 0.5, c = 0.05, sigma = 0.01, rounds = 200;
  const Values error = map(n, [&](double x) { return a * std::pow(x, -b) + c; });
  Values found_b, found_c;
  std::size_t nearer = 0;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const Values y = noisy(error, sigma, round);
    const mt::PowerLaw fit = mt::fit_power_law(n, y);
    found_b.push_back(fit.b);
    found_c.push_back(fit.c);
    const double least = log_squares(y, map(n, [&](double x) { return fit.at(x); }));
    for (const double fa : {0.999, 1.0, 1.001, 2.0}) {
      for (const double db : {-0.1, -0.001, 0.0, 0.001, 0.1}) {
        for (const double fc : {0.0, 0.99, 0.9999, 1.0001, 1.01, 1.5}) {
          const mt::PowerLaw other{.a = fit.a * fa * std::pow(2000, db), .b = fit.b + db, .c = fit.c * fc};
          nearer += log_squares(y, map(n, [&](double x) { return other.at(x); })) < least ? 1u : 0u;
        }
      }
    }
  }
  CHECK(nearer == 0);
  // The inverse of JᵀJ by cofactors, J = slopes of ln error in (a, b, c).
  double m[3][3] = {};
  for (const double x : n) {
    const double y = a * std::pow(x, -b) + c;
    const double row[3] = {std::pow(x, -b) / y, -a * std::log(x) * std::pow(x, -b) / y, 1 / y};
    for (int i = 0; i < 3; ++i) {
      for (int k = 0; k < 3; ++k) m[i][k] += row[i] * row[k];
    }
  }
  const auto minor = [&](int i, int k) { return m[i][i] * m[k][k] - m[i][k] * m[k][i]; };
  const double determinant = m[0][0] * minor(1, 2) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                             m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  const double sd_b = sigma * std::sqrt(minor(0, 2) / determinant), sd_c = sigma * std::sqrt(minor(0, 1) / determinant);
  const mt::Mean mean_b = mt::mean_of(found_b), mean_c = mt::mean_of(found_c);
  CHECK(std::abs(mean_b.mean - b) < 3 * sd_b / std::sqrt(rounds));
  CHECK(std::abs(mean_c.mean - c) < 3 * sd_c / std::sqrt(rounds));
  CHECK(mean_b.standard_error * std::sqrt(rounds) == near(sd_b, 0.15));
  CHECK(mean_c.standard_error * std::sqrt(rounds) == near(sd_c, 0.15));
}

TEST_CASE("fits of any positive numbers end, and give numbers") {
  std::size_t wrong = 0;
  for (std::uint32_t round = 0; round < 500; ++round) {
    const double width = round % 2 == 0 ? 0.5 : 20;  // decades
    Values x, y;
    for (std::uint64_t i = 0; i < 3 + round % 6; ++i) {
      x.push_back(std::pow(10, width * normal(1000 + round, i)));
      y.push_back(std::pow(10, width * normal(2000 + round, i)));
    }
    const mt::PowerLaw law = mt::fit_power_law(x, y);
    const mt::Hyperbola steps = mt::fit_steps(x, y);
    const mt::LogLine line = mt::fit_log_log(x, y);
    wrong += std::isfinite(law.b) && law.c >= 0 && law.r_squared <= 1 ? 0u : 1u;
    wrong += law.r_squared >= line.r_squared - 1e-9 ? 0u : 1u;
    wrong += steps.s_min >= 0 && steps.b_crit >= 0 && steps.r_squared <= 1 ? 0u : 1u;
    wrong += steps.r_squared >= -1e-9 ? 0u : 1u;  // the constant is one of them
  }
  CHECK(wrong == 0);
}

TEST_CASE("what no curve goes through is refused with a code and a place") {
  using Fit = std::function<void(const Values&, const Values&)>;
  const Fit fits[] = {[](const Values& x, const Values& y) { mt::fit_step_time(x, y); },
                      [](const Values& x, const Values& y) { mt::fit_log_log(x, y); },
                      [](const Values& x, const Values& y) { mt::fit_steps(x, y); },
                      [](const Values& x, const Values& y) { mt::fit_power_law(x, y); }};
  for (const Fit& fit : fits) {
    const auto refused = [&](mt::ErrorCode code, const Values& x, const Values& y, const char* words) {
      test::check_error<mt::DataError>(
          code, [&] { fit(x, y); }, words);
    };
    refused(mt::ErrorCode::count_mismatch, {1, 2, 3}, {1, 2}, "3 values");
    refused(mt::ErrorCode::empty_data, {}, {}, "0 values");
    refused(mt::ErrorCode::empty_data, {1}, {1}, "1 values");
    refused(mt::ErrorCode::empty_data, {2, 2, 2}, {1, 2, 3}, "1 different values");
    for (const double bad : {not_a_number, infinity, -infinity}) {
      refused(mt::ErrorCode::non_finite, {1, 2, bad}, {1, 2, 3}, "[2] is");
      refused(mt::ErrorCode::non_finite, {1, 2, 3}, {1, bad, 3}, "[1] is");
    }
    for (const double bad : {0.0, -0.0, -1.0}) {
      refused(mt::ErrorCode::bad_number, {bad, 2, 3}, {1, 2, 3}, "[0] is");
      refused(mt::ErrorCode::bad_number, {1, 2, 3}, {1, 2, bad}, "[2] is");
    }
  }
  test::check_error<mt::DataError>(
      mt::ErrorCode::empty_data,
      [] {
        mt::fit_power_law({1, 2, 1}, {3, 2, 3});
      },
      "2 different");
  volatile const std::size_t none = 0;  // which the compiler does not know
  test::check_error<mt::DataError>(
      mt::ErrorCode::empty_data, [&] { mt::spread(Values(none)); }, "spread");
  test::check_error<mt::DataError>(
      mt::ErrorCode::empty_data, [&] { mt::mean_of(Values(none)); }, "mean_of");
  for (const double bad : {not_a_number, infinity}) {
    test::check_error<mt::DataError>(
        mt::ErrorCode::non_finite,
        [&] {
          mt::spread({1, bad});
        },
        "values[1]");
    test::check_error<mt::DataError>(
        mt::ErrorCode::non_finite, [&] { mt::mean_of({bad}); }, "values[0]");
  }
}
