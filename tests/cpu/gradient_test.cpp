// Gradients clipped by value, and the squared norms of the gradients of single samples.

#include <minitrain/cpu/gradient.hpp>

#include "cpu/support.hpp"

#include <limits>

using namespace test;

namespace {

template <class T>
void check_clip() {
  for (const std::size_t size : {0, 1, 7, 16, 31, 33, 257, 5000}) {
    const auto draw = [&] { return uniform<T>(Shape{size}, size + 1, -3, 3); };
    const auto before = draw();
    const Tensor<double> totals({4}, {0.0, 8.0, 0.0, 0.0});
    check_devices_agree([&](const Cpu& device) {
      Tensor<T> x = draw();
      clip_values(device, x.view(), View<const double>(totals.view()), 0.125);  // a limit of 1 for the sums
      for (std::size_t i = 0; i < size; ++i) CHECK(x[i] == std::min(T(1), std::max(T(-1), before[i])));
      return x;
    });
  }
}

template <class T>
double squares(const Cpu& device, const Tensor<T>& x, const Tensor<T>& dy, bool bias) {
  Tensor<double> sum({1}, {1.5});
  add_gradient_squares(device, View<const T>(x.view()), View<const T>(dy.view()), bias, sum.view());
  return sum[0] - 1.5;
}

/// The gradients themselves, sample for sample.
template <class T>
void check_squares() {
  for (const std::size_t rows : {0, 1, 2, 31, 33, 100}) {
    for (const std::size_t in : {1, 3, 33, 257}) {
      for (const std::size_t out : {1, 10, 31}) {
        const auto x = uniform<T>(Shape{rows, in}, rows + in), dy = uniform<T>(Shape{rows, out}, rows + out + 7);
        for (const bool bias : {false, true}) {
          long double exact = 0;
          for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t k = 0; k < out; ++k) {
              const long double d = dy(i, k);
              for (std::size_t j = 0; j < in; ++j) exact += d * x(i, j) * (d * x(i, j));
              if (bias) exact += d * d;
            }
          }
          CAPTURE(rows, in, out, bias);
          const double got = squares(Cpu{{.threads = 1}}, x, dy, bias);
          CHECK(std::abs(got - static_cast<double>(exact)) <= 1e-14 * static_cast<double>(exact) + 1e-14);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("Clipping by value bounds the mean gradient, on any threads and instruction sets", "[exactness]") {
  check_clip<float>();
  check_clip<double>();
}

TEST_CASE("Clipping by value leaves what is not finite to be found", "[bad input]") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor<double> totals({4}, {0.0, 1.0, 0.0, 0.0});
  for (const Isa isa : instruction_sets()) {
    Tensor<float> x({20});
    x[0] = infinity, x[1] = -infinity, x[17] = nan, x[18] = 3e38f;
    clip_values(Cpu{{.threads = 1, .isa = isa}}, x.view(), View<const double>(totals.view()), 2);
    CHECK(x[0] == infinity);
    CHECK(x[1] == -infinity);
    CHECK(std::isnan(x[17]));
    CHECK(x[18] == 2);
    CHECK(x[19] == 0);
  }
}

TEST_CASE("Squared norms of the gradients of single samples are those of the gradients") {
  check_squares<float>();
  check_squares<double>();
}

TEST_CASE("Squared norms of gradients have one order on any threads and instruction sets", "[exactness]") {
  const auto x = uniform<float>(Shape{133, 77}, 1), dy = uniform<float>(Shape{133, 31}, 2);
  check_devices_agree([&](const Cpu& device) { return Tensor<double>({1}, {squares(device, x, dy, true)}); });
}
