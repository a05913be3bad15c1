// The sum of squares: close to the exact one, in one order for all threads and instruction sets.

#include <minitrain/cpu/norm.hpp>

#include "cpu/support.hpp"

#include <bit>
#include <limits>

using namespace test;

namespace {

constexpr std::size_t sizes[] = {0, 1, 7, 8, 31, 32, 33, 257, 4095, 4096, 4097, 3 * 4096 + 1, 140'000, 1'000'003};

template <class T>
double sum_of_squares(const Cpu& device, const Tensor<T>& x) {
  Tensor<double> result({1}, {-1.0});
  minitrain::sum_of_squares(device, View<const T>(x.view()), result.view());
  return result[0];
}

/// Magnitudes from 1e-6 to 1e6.
template <class T>
Tensor<T> spread(std::size_t count) {
  Tensor<T> x = uniform<T>(Shape{count}, count, -1, 1);
  for (std::size_t i = 0; i < count; ++i) x[i] *= T(std::pow(10.0, static_cast<double>(i % 13) - 6));
  return x;
}

/// The order of SumOfSquaresOrder, as it is written there, for floats, whose squares are exact.
double in_order(const std::vector<double>& terms) {
  double lanes[32] = {};
  for (std::size_t i = 0; i < terms.size(); ++i) lanes[i % 32] += terms[i];
  for (std::size_t away = 16; away > 0; away /= 2) {
    for (std::size_t l = 0; l < away; ++l) lanes[l] += lanes[l + away];
  }
  return lanes[0];
}
double in_order(const Tensor<float>& x) {
  std::vector<double> sums;
  for (std::size_t begin = 0; begin < x.size(); begin += 4096) {
    std::vector<double> squares;
    for (std::size_t i = begin; i < std::min(x.size(), begin + 4096); ++i) {
      squares.push_back(static_cast<double>(x[i]) * static_cast<double>(x[i]));
    }
    sums.push_back(in_order(squares));
  }
  return in_order(sums);
}

template <class T>
void check_against_long_double() {
  const Cpu device({.threads = 1});
  for (const std::size_t size : sizes) {
    CAPTURE(size);
    const auto x = spread<T>(size);
    long double exact = 0;
    for (const T v : x) exact += static_cast<long double>(v) * static_cast<long double>(v);
    CHECK(std::abs(static_cast<long double>(sum_of_squares(device, x)) - exact) <= 4e-15L * exact);
  }
}

}  // namespace

TEST_CASE("The sum of squares is that of long double") {
  check_against_long_double<float>();
  check_against_long_double<double>();
}

TEST_CASE("The sum of squares has one order on any threads and instruction sets", "[exactness]") {
  for (const std::size_t size : sizes) {
    const auto x = spread<float>(size);
    const double expected = in_order(x);
    for (const Isa isa : instruction_sets()) {
      for (const std::size_t threads : {1, 2, 5}) {
        CAPTURE(size, static_cast<int>(isa), threads);
        const Cpu device({.threads = threads, .isa = isa, .work_per_thread = 1});
        const double got = sum_of_squares(device, x);
        CHECK(std::bit_cast<std::uint64_t>(got) == std::bit_cast<std::uint64_t>(expected));
      }
    }
  }
}

TEST_CASE("The sum of squares is finite exactly where all elements are", "[bad input]") {
  const float bad[] = {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                       std::numeric_limits<float>::quiet_NaN()};
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    for (const std::size_t size : {1, 33, 4097, 9000}) {
      for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
        for (const float value : bad) {
          Tensor<float> x = uniform<float>(Shape{size}, 1);
          CHECK(std::isfinite(sum_of_squares(device, x)));
          x[at] = value;
          CHECK_FALSE(std::isfinite(sum_of_squares(device, x)));
        }
      }
    }
    Tensor<float> largest({5000});
    for (float& v : largest) v = std::numeric_limits<float>::max();
    CHECK(std::isfinite(sum_of_squares(device, largest)));
  }
}

TEST_CASE("The scale of a clipped gradient") {
  CHECK(clipped_gradient_scale(4, 1e30, 0) == 0.25);
  CHECK(clipped_gradient_scale(4, 16, 2) == 0.25);  // norm of the mean gradient: 1
  CHECK(clipped_gradient_scale(4, 16, 0.5) == 0.5 / (1 + 1e-6) / 4);
  CHECK(clipped_gradient_scale(1, 0, 1e-300) > 0);
  CHECK(clipped_gradient_scale(4, 0, 1) == 0.25);
}
