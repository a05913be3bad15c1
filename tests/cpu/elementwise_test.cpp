#include <minitrain/cpu/elementwise.hpp>

#include "cpu/support.hpp"

#include <limits>
#include <string>

using namespace test;

namespace {

constexpr ActivationKind all_kinds[] = {ActivationKind::identity, ActivationKind::relu,    ActivationKind::leaky_relu,
                                        ActivationKind::tanh,     ActivationKind::sigmoid, ActivationKind::gelu,
                                        ActivationKind::silu};
constexpr std::size_t sizes[] = {0, 1, 31, 33, 257};

double reference(const Activation& f, double z) {
  switch (f.kind) {
    case ActivationKind::identity:
      return z;
    case ActivationKind::relu:
      return z > 0 ? z : 0;
    case ActivationKind::leaky_relu:
      return z > 0 ? z : f.slope * z;
    case ActivationKind::tanh:
      return std::tanh(z);
    case ActivationKind::sigmoid:
      return 1 / (1 + std::exp(-z));
    case ActivationKind::gelu:
      return z * 0.5 * std::erfc(-z * std::sqrt(0.5));
    case ActivationKind::silu:
      return z / (1 + std::exp(-z));
  }
  return std::numeric_limits<double>::quiet_NaN();
}

template <class T>
Tensor<T> forward(const Cpu& device, const Activation& f, const Tensor<T>& x) {
  Tensor<T> y(x.shape());
  activation_forward(device, f, x.view(), y.view());
  return y;
}

/// With only what the operation promises to need.
template <class T>
Tensor<T> backward(const Cpu& device, const Activation& f, const Tensor<T>& x, const Tensor<T>& y,
                   const Tensor<T>& dy) {
  Tensor<T> dx(x.shape());
  const bool from_output = derivative_from_output(f.kind);
  activation_backward(device, f, from_output ? View<const T>() : x.view(), from_output ? y.view() : View<const T>(),
                      dy.view(), dx.view());
  return dx;
}

}  // namespace

TEMPLATE_TEST_CASE("Activations are the functions they are named after", "", float, double) {
  const double tolerance = std::is_same_v<TestType, float> ? 4e-7 : 1e-15;
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    for (const ActivationKind kind : all_kinds) {
      for (const std::size_t size : sizes) {
        const Activation f{kind, 0.2};
        const Tensor<TestType> x = uniform<TestType>(Shape{size}, size, -6, 6);
        const Tensor<TestType> y = forward(device, f, x);
        for (std::size_t i = 0; i < size; ++i) {
          const double expected = reference(f, x[i]);
          CAPTURE(static_cast<int>(isa), static_cast<int>(kind), size, x[i], y[i], expected);
          REQUIRE(std::abs(y[i] - expected) <= tolerance * std::max(1.0, std::abs(expected)));
        }
      }
    }
  }
}

TEST_CASE("Activation gradients are those of dual numbers and of difference quotients") {
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    for (const ActivationKind kind : all_kinds) {
      for (const std::size_t size : sizes) {
        const Activation f{kind, 0.2};
        // No point within a difference step of the kink at 0.
        Tensor<double> x = uniform<double>(Shape{size}, size + 1, -4, 4);
        for (double& value : x) value += value < 0 ? -1e-3 : 1e-3;
        const Tensor<double> dy = uniform<double>(Shape{size}, size + 2);
        const Tensor<double> dx = backward(device, f, x, forward(device, f, x), dy);
        const auto run = [&](const auto& in, auto& out) { activation_forward(device, f, in.view(), out.view()); };
        CAPTURE(static_cast<int>(isa), static_cast<int>(kind), size);
        CHECK(largest_difference(dx, dual_gradient(x, dy, run)) < 1e-12);
        CHECK(largest_difference(dx, difference_gradient(x, dy, run)) < 1e-8);
      }
    }
  }
}

TEST_CASE("The derivative of relu at zero is zero, and of leaky_relu the slope") {
  const Cpu device;
  const Tensor<double> x(Shape{3}, {-1, 0, 1}), dy(Shape{3}, {4, 4, 4});
  const Activation relu{ActivationKind::relu}, leaky{ActivationKind::leaky_relu, 0.25};
  CHECK(backward(device, relu, x, forward(device, relu, x), dy) == Tensor<double>(Shape{3}, {0, 0, 4}));
  CHECK(backward(device, leaky, x, forward(device, leaky, x), dy) == Tensor<double>(Shape{3}, {1, 1, 4}));
  const Activation hard{ActivationKind::leaky_relu, 0};
  CHECK(backward(device, hard, x, forward(device, hard, x), dy) == Tensor<double>(Shape{3}, {0, 0, 4}));
}

TEMPLATE_TEST_CASE("Activations in place are those out of place", "", float, double) {
  const Cpu device;
  for (const ActivationKind kind : all_kinds) {
    const Activation f{kind};
    const auto x = uniform<TestType>(Shape{3, 33}, 5), dy = uniform<TestType>(Shape{3, 33}, 6);
    const auto y = forward(device, f, x);
    const auto dx = backward(device, f, x, y, dy);
    auto z = x.clone(), dz = dy.clone();
    activation_forward(device, f, View<const TestType>(z), z.view());
    activation_backward(device, f, x.view(), y.view(), View<const TestType>(dz), dz.view());
    CHECK(same_bits(z, y));
    CHECK(same_bits(dz, dx));
  }
}

TEMPLATE_TEST_CASE("NaN goes through every activation, forward and backward", "", float, double) {
  const TestType nan = std::numeric_limits<TestType>::quiet_NaN();
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    for (const ActivationKind kind : all_kinds) {
      const Activation f{kind, 0.0};
      Tensor<TestType> x(Shape{33}), dy(Shape{33});
      std::fill(dy.begin(), dy.end(), TestType(1));
      x[7] = nan;
      x[32] = nan;
      dy[3] = nan;
      const auto y = forward(device, f, x);
      std::fill(x.begin() + 1, x.begin() + 5, TestType(1));
      auto y_of_new = forward(device, f, x);
      const auto dx = backward(device, f, x, y_of_new, dy);
      CAPTURE(static_cast<int>(isa), static_cast<int>(kind));
      CHECK(std::isnan(y[7]));
      CHECK(std::isnan(y[32]));
      CHECK_FALSE(std::isnan(y[8]));
      CHECK(std::isnan(dx[3]));
      CHECK_FALSE(std::isnan(dx[4]));
      if (kind != ActivationKind::identity) CHECK(std::isnan(dx[7]));
      if (kind != ActivationKind::identity) CHECK(std::isnan(dx[32]));
    }
  }
}

TEMPLATE_TEST_CASE("Activations have their limits at the infinities", "", float, double) {
  const TestType inf = std::numeric_limits<TestType>::infinity();
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    const Tensor<TestType> x(Shape{2}, {-inf, inf}), one(Shape{2}, {1, 1});
    const auto check = [&](ActivationKind kind, TestType low, TestType high, TestType slope_low, TestType slope_high) {
      const Activation f{kind, 0.5};
      CAPTURE(static_cast<int>(isa), static_cast<int>(kind));
      const auto y = forward(device, f, x);
      CHECK(y[0] == low);
      CHECK(y[1] == high);
      const auto dx = backward(device, f, x, y, one);
      CHECK(dx[0] == slope_low);
      CHECK(dx[1] == slope_high);
    };
    check(ActivationKind::identity, -inf, inf, 1, 1);
    check(ActivationKind::relu, 0, inf, 0, 1);
    check(ActivationKind::leaky_relu, -inf, inf, 0.5, 1);
    check(ActivationKind::tanh, -1, 1, 0, 0);
    check(ActivationKind::sigmoid, 0, 1, 0, 0);
    check(ActivationKind::gelu, 0, inf, 0, 1);
    check(ActivationKind::silu, 0, inf, 0, 1);
  }
}

TEMPLATE_TEST_CASE("Activations have the same bits on every device", "[threads][exactness]", float, double) {
  // 513 rows of 257: enough work for three threads.
  const auto x = uniform<TestType>(Shape{513, 257}, 8, -20, 20), dy = uniform<TestType>(Shape{513, 257}, 9);
  for (const ActivationKind kind : all_kinds) {
    const Activation f{kind};
    check_devices_agree([&](const Cpu& device) { return forward(device, f, x); });
    const auto y = forward(Cpu(), f, x);
    check_devices_agree([&](const Cpu& device) { return backward(device, f, x, y, dy); });
  }
}
