// Initial values: distribution, reproducibility, independence of tensors.

#include <minitrain/nn/init.hpp>

#include <cmath>
#include <vector>

#include "support/catch.hpp"

namespace mt = minitrain;

namespace {

struct Moments {
  double mean = 0, variance = 0, largest = 0, kurtosis = 0;
};

Moments moments_of(mt::Init init, std::size_t in, std::size_t out) {
  std::vector<double> values(200'000);
  mt::initialise(mt::View<double>(values.data(), mt::Shape{values.size()}), init, in, out, 5, 1);
  Moments m;
  for (const double v : values) m.mean += v / static_cast<double>(values.size());
  for (const double v : values) {
    m.variance += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
    m.kurtosis += std::pow(v - m.mean, 4) / static_cast<double>(values.size());
    m.largest = std::max(m.largest, std::abs(v));
  }
  m.kurtosis /= m.variance * m.variance;
  return m;
}

}  // namespace

TEST_CASE("initialisers have the mean, variance and range of their definitions", "[nn]") {
  const auto check = [](mt::Init init, double variance, double bound) {
    const Moments m = moments_of(init, 50, 30);
    CHECK(std::abs(m.mean) < 4 * std::sqrt(variance / 200'000));
    CHECK(std::abs(m.variance / variance - 1) < 0.02);
    if (bound > 0) {
      CHECK(m.largest <= bound);
      CHECK(m.largest > 0.999 * bound);
      CHECK(std::abs(m.kurtosis - 1.8) < 0.03);
    } else {
      CHECK(std::abs(m.kurtosis - 3) < 0.1);
      CHECK(m.largest > 4 * std::sqrt(variance));
    }
  };
  check(mt::Init::fan_in_uniform, 1.0 / 50 / 3, 1 / std::sqrt(50.0));
  check(mt::Init::he_normal, 2.0 / 50, 0);
  check(mt::Init::he_uniform, 2.0 / 50, std::sqrt(6.0 / 50));
  check(mt::Init::xavier_normal, 2.0 / 80, 0);
  check(mt::Init::xavier_uniform, 2.0 / 80, std::sqrt(6.0 / 80));
}

TEST_CASE("normal() inverts the distribution function", "[nn]") {
  // Phi(x) by erfc at the quantile gives back the probability.
  for (const double p : {1e-12, 1e-6, 1e-3, 0.02, 0.02425, 0.03, 0.2, 0.4, 0.4999}) {
    const double x = mt::detail::normal_quantile_lower(p);
    CHECK(std::abs(0.5 * std::erfc(-x / std::sqrt(2.0)) / p - 1) < 1e-7);
  }
}

TEST_CASE("the same seed and tensor give the same values, others do not", "[nn]") {
  const auto values = [](std::uint64_t seed, std::uint32_t stream) {
    std::vector<float> v(33);
    mt::initialise(mt::View<float>(v.data(), mt::Shape{33}), mt::Init::he_normal, 3, 4, seed, stream);
    return v;
  };
  CHECK(values(1, 0) == values(1, 0));
  CHECK(values(1, 0) != values(2, 0));
  CHECK(values(1, 0) != values(1, 1));
}
