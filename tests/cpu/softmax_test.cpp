#include <minitrain/cpu/softmax.hpp>

#include "cpu/support.hpp"

#include <limits>

using namespace test;

namespace {

constexpr std::size_t widths[] = {1, 2, 10, 15, 16, 17, 31, 33, 64, 257};

template <class T>
Tensor<T> forward(const Cpu& device, const Tensor<T>& x) {
  Tensor<T> y(x.shape());
  softmax_forward(device, x.view(), y.view());
  return y;
}

template <class T>
Tensor<T> backward(const Cpu& device, const Tensor<T>& y, const Tensor<T>& dy) {
  Tensor<T> dx(y.shape());
  softmax_backward(device, y.view(), dy.view(), dx.view());
  return dx;
}

}  // namespace

TEMPLATE_TEST_CASE("Softmax rows are exponentials over their sum", "", float, double) {
  const double tolerance = 4 * std::numeric_limits<TestType>::epsilon();
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    for (const std::size_t width : widths) {
      const auto x = uniform<TestType>(Shape{5, width}, width, -30, 10);
      const auto y = forward(device, x);
      for (std::size_t i = 0; i < 5; ++i) {
        long double largest = x(i, 0), total = 0;
        for (std::size_t j = 0; j < width; ++j) largest = std::max<long double>(largest, x(i, j));
        for (std::size_t j = 0; j < width; ++j) total += std::exp(x(i, j) - largest);
        for (std::size_t j = 0; j < width; ++j) {
          // x - largest is rounded, which the exponential multiplies by up to 40.
          const double expected = static_cast<double>(std::exp(x(i, j) - largest) / total);
          CAPTURE(static_cast<int>(isa), width, i, j, y(i, j), expected);
          REQUIRE(std::abs(y(i, j) - expected) <= tolerance * (expected + 1e-30) * 8);
        }
      }
    }
  }
}

TEST_CASE("Softmax of no rows and of no columns is nothing") {
  const Cpu device;
  CHECK(forward(device, Tensor<float>(Shape{0, 5})).empty());
  CHECK(forward(device, Tensor<float>(Shape{5, 0})).empty());
  CHECK(backward(device, Tensor<float>(Shape{0, 5}), Tensor<float>(Shape{0, 5})).empty());
  CHECK(backward(device, Tensor<float>(Shape{5, 0}), Tensor<float>(Shape{5, 0})).empty());
}

TEMPLATE_TEST_CASE("Softmax takes the largest spread, and shows what it cannot take", "", float, double) {
  const TestType inf = std::numeric_limits<TestType>::infinity(), nan = std::numeric_limits<TestType>::quiet_NaN();
  const TestType most = std::numeric_limits<TestType>::max();
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    CAPTURE(static_cast<int>(isa));
    CHECK(forward(device, Tensor<TestType>(Shape{1, 3}, {-most, 0, most})) == Tensor<TestType>(Shape{1, 3}, {0, 0, 1}));
    CHECK(forward(device, Tensor<TestType>(Shape{1, 4}, {-1000, -inf, -1000, -inf})) ==
          Tensor<TestType>(Shape{1, 4}, {0.5, 0, 0.5, 0}));
    for (const std::size_t width : {3, 17, 40}) {
      for (const std::size_t at : {std::size_t{0}, width / 2, width - 1}) {
        for (const TestType bad : {nan, inf}) {
          Tensor<TestType> x(Shape{2, width});
          x(0, at) = bad;
          const auto y = forward(device, x);
          CAPTURE(width, at, bad);
          CHECK(std::isnan(y(0, at)));
          CHECK(y(1, at) == test::Approx(1.0 / static_cast<double>(width)));
          if (std::isnan(bad)) {
            for (std::size_t j = 0; j < width; ++j) CHECK(std::isnan(y(0, j)));
          }
          const auto dx = backward(device, forward(device, Tensor<TestType>(Shape{2, width})), x);
          CHECK(std::isnan(dx(0, at)));
          CHECK(dx(1, at) == 0);
        }
      }
    }
    const auto all_minus = forward(device, Tensor<TestType>(Shape{1, 2}, {-inf, -inf}));
    CHECK(std::isnan(all_minus[0]));
  }
}

TEST_CASE("Softmax gradients are those of dual numbers and of difference quotients") {
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    for (const std::size_t width : {1, 31, 33, 257}) {
      const Shape shape{width > 100 ? 1u : 3u, width};
      const auto x = uniform<double>(shape, width), dy = uniform<double>(shape, width + 1);
      const auto dx = backward(device, forward(device, x), dy);
      const auto run = [&](const auto& in, auto& out) { softmax_forward(device, in.view(), out.view()); };
      CAPTURE(static_cast<int>(isa), width);
      CHECK(largest_difference(dx, dual_gradient(x, dy, run)) < 1e-12);
      CHECK(largest_difference(dx, difference_gradient(x, dy, run)) < 1e-8);
    }
  }
}

TEMPLATE_TEST_CASE("Softmax in place is that out of place", "", float, double) {
  const Cpu device;
  for (const std::size_t width : widths) {
    const auto x = uniform<TestType>(Shape{3, width}, width), dy = uniform<TestType>(Shape{3, width}, width + 1);
    const auto y = forward(device, x), dx = backward(device, y, dy);
    auto z = x.clone(), dz = dy.clone();
    softmax_forward(device, View<const TestType>(z), z.view());
    softmax_backward(device, y.view(), View<const TestType>(dz), dz.view());
    CHECK(same_bits(z, y));
    CHECK(same_bits(dz, dx));
  }
}

TEMPLATE_TEST_CASE("A softmax row does not depend on the rows beside it, the threads or the instruction set",
                   "[threads][exactness]", float, double) {
  const auto x = uniform<TestType>(Shape{700, 33}, 1, -20, 20), dy = uniform<TestType>(Shape{700, 33}, 2);
  check_devices_agree([&](const Cpu& device) { return forward(device, x); });
  const auto y = forward(Cpu(), x);
  check_devices_agree([&](const Cpu& device) { return backward(device, y, dy); });

  const Cpu device({.threads = 1});
  const auto dx = backward(device, y, dy);
  Tensor<TestType> parts(x.shape()), dparts(x.shape());
  for (std::size_t begin = 0, rows = 1; begin < 700;
       begin += rows, rows = std::min<std::size_t>(2 * rows, 700 - begin)) {
    softmax_forward(device, x.view().rows(begin, rows), parts.view().rows(begin, rows));
    softmax_backward(device, y.view().rows(begin, rows), dy.view().rows(begin, rows), dparts.view().rows(begin, rows));
    if (begin + rows == 700) break;
  }
  CHECK(same_bits(parts, y));
  CHECK(same_bits(dparts, dx));
}
