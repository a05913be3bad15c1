// Initial values: distribution, reproducibility, independence of tensors.

#include <minitrain/cpu/initial.hpp>
#include <minitrain/nn/init.hpp>

#include <bit>
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
    const double x = mt::scalar::normal_quantile_lower(mt::scalar::Double{p}).v;
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

TEST_CASE("the device of the host fills a tensor with the same values, whatever its threads", "[nn][exactness]") {
  std::vector<float> expected(10'001), got(expected.size());
  mt::initialise(mt::View<float>(expected.data(), mt::Shape{expected.size()}), mt::Init::xavier_normal, 3, 4, 7, 2);
  const mt::Cpu device{{.threads = 3, .work_per_thread = 1}};
  fill_initial(device, mt::initial_values(mt::Init::xavier_normal, 3, 4, 7, 2),
               mt::View<float>(got.data(), mt::Shape{got.size()}));
  CHECK(got == expected);
}

// Doubles, in which a compiler's own fused product would show (-march=native has fma, and contracts where it may).
TEST_CASE("initial values have these bits, whatever the compiler's flags", "[nn][exactness]") {
  const auto hash = [](mt::Init init) {
    std::vector<double> values(20'011);
    mt::initialise(mt::View<double>(values.data(), mt::Shape{values.size()}), init, 784, 128, 0x123456789, 5);
    std::uint64_t h = 0xcbf29ce484222325;
    for (const double v : values) h = (h ^ std::bit_cast<std::uint64_t>(v)) * 0x100000001b3;
    return h;
  };
  CHECK(hash(mt::Init::fan_in_uniform) == 0x69c27a485d2bb75a);
  CHECK(hash(mt::Init::he_normal) == 0x49a07748602543ac);
  CHECK(hash(mt::Init::xavier_uniform) == 0x3b27418a5cde4537);
}
