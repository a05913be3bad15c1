#include <minitrain/cpu/layer_norm.hpp>

#include "cpu/support.hpp"

#include <limits>

using namespace test;

namespace {

constexpr double epsilon = 1e-5;

/// One layer with everything it takes and gives.
template <class T>
struct Layer {
  Tensor<T> x, gain, shift, dy;

  Layer(std::size_t batch, std::size_t columns)
      : x(uniform<T>(Shape{batch, columns}, columns, -1, 3)),
        gain(uniform<T>(Shape{columns}, columns + 1)),
        shift(uniform<T>(Shape{columns}, columns + 2)),
        dy(uniform<T>(Shape{batch, columns}, columns + 3)) {}

  struct Output {
    Tensor<T> y, mean_rstd;
  };
  Output forward(const Cpu& device) const {
    Output o{Tensor<T>(x.shape()), Tensor<T>(Shape{x.rows(), 2})};
    layer_norm_forward(device, epsilon, x.view(), gain.view(), shift.view(), o.y.view(), o.mean_rstd.view());
    return o;
  }

  struct Gradient {
    Tensor<T> dx, dgain, dshift;
  };
  Gradient backward(const Cpu& device, const Tensor<T>& mean_rstd) const {
    Gradient g{Tensor<T>(x.shape()), Tensor<T>(gain.shape()), Tensor<T>(gain.shape())};
    std::fill(g.dgain.begin(), g.dgain.end(), T(1e30));  // add = false overwrites
    std::fill(g.dshift.begin(), g.dshift.end(), T(1e30));
    layer_norm_backward(device, x.view(), gain.view(), mean_rstd.view(), dy.view(), g.dx.view(), g.dgain.view(),
                        g.dshift.view(), false);
    return g;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("Layer norm makes rows of mean 0 and variance 1, then scales and shifts them", "", float, double) {
  const double tolerance = 30 * std::numeric_limits<TestType>::epsilon();
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    for (const std::size_t columns : {1, 2, 15, 16, 17, 31, 33, 64, 257}) {
      const Layer<TestType> layer(3, columns);
      const auto [y, mean_rstd] = layer.forward(device);
      for (std::size_t i = 0; i < 3; ++i) {
        long double mean = 0, variance = 0;
        const auto n = static_cast<long double>(columns);
        for (std::size_t j = 0; j < columns; ++j) mean += layer.x(i, j) / n;
        for (std::size_t j = 0; j < columns; ++j) variance += (layer.x(i, j) - mean) * (layer.x(i, j) - mean) / n;
        const long double rstd = 1 / std::sqrt(variance + epsilon);
        CAPTURE(static_cast<int>(isa), columns, i);
        CHECK(std::abs(mean_rstd(i, 0) - static_cast<double>(mean)) < tolerance);
        CHECK(std::abs(mean_rstd(i, 1) / static_cast<double>(rstd) - 1) < tolerance);
        for (std::size_t j = 0; j < columns; ++j) {
          const long double expected = (layer.x(i, j) - mean) * rstd * layer.gain[j] + layer.shift[j];
          REQUIRE(std::abs(y(i, j) - static_cast<double>(expected)) < tolerance * 4);
        }
      }
    }
  }
}

TEST_CASE("Layer norm of known numbers, as PyTorch has it") {
  // torch.nn.functional.layer_norm(tensor([[1., 2., 4.]], dtype=float64), [3], tensor([1., 2., 3.]), tensor([0.,
  // 0., 1.]))
  Layer<double> layer(1, 3);
  layer.x = Tensor<double>(Shape{1, 3}, {1, 2, 4});
  layer.gain = Tensor<double>(Shape{3}, {1, 2, 3});
  layer.shift = Tensor<double>(Shape{3}, {0, 0, 1});
  const auto [y, mean_rstd] = layer.forward(Cpu());
  const double mean = 7.0 / 3, rstd = 1 / std::sqrt(14.0 / 9 + 1e-5);
  CHECK(mean_rstd[0] == test::Approx(mean).epsilon(1e-15));
  CHECK(mean_rstd[1] == test::Approx(rstd).epsilon(1e-15));
  CHECK(y[0] == test::Approx((1 - mean) * rstd).epsilon(1e-14));
  CHECK(y[1] == test::Approx((2 - mean) * rstd * 2).epsilon(1e-14));
  CHECK(y[2] == test::Approx((4 - mean) * rstd * 3 + 1).epsilon(1e-14));
}

TEST_CASE("Layer norm gradients are those of dual numbers and of difference quotients") {
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    for (const std::size_t columns : {2, 31, 33, 257}) {
      const Layer<double> layer(columns > 100 ? 1 : 3, columns);
      const auto gradient = layer.backward(device, layer.forward(device).mean_rstd);
      CAPTURE(static_cast<int>(isa), columns);

      const auto by = [&](const auto& in, const Tensor<double>& fixed_x, int which, auto& out) {
        using T = typename std::decay_t<decltype(out)>::value_type;
        Tensor<T> x(fixed_x.shape()), gain(layer.gain.shape()), shift(layer.shift.shape());
        Tensor<T> kept(Shape{fixed_x.rows(), 2});
        std::copy(fixed_x.begin(), fixed_x.end(), x.begin());
        std::copy(layer.gain.begin(), layer.gain.end(), gain.begin());
        std::copy(layer.shift.begin(), layer.shift.end(), shift.begin());
        Tensor<T>& changed = which == 0 ? x : which == 1 ? gain : shift;
        std::copy(in.begin(), in.end(), changed.begin());
        const auto input = [](const Tensor<T>& t) { return t.view(); };
        layer_norm_forward(device, epsilon, input(x), input(gain), input(shift), out.view(), kept.view());
      };
      const auto by_x = [&](const auto& in, auto& out) { by(in, layer.x, 0, out); };
      const auto by_gain = [&](const auto& in, auto& out) { by(in, layer.x, 1, out); };
      const auto by_shift = [&](const auto& in, auto& out) { by(in, layer.x, 2, out); };
      CHECK(largest_difference(gradient.dx, dual_gradient(layer.x, layer.dy, by_x)) < 1e-12);
      CHECK(largest_difference(gradient.dgain, dual_gradient(layer.gain, layer.dy, by_gain)) < 1e-12);
      CHECK(largest_difference(gradient.dshift, dual_gradient(layer.shift, layer.dy, by_shift)) < 1e-12);
      CHECK(largest_difference(gradient.dx, difference_gradient(layer.x, layer.dy, by_x)) < 1e-8);
      CHECK(largest_difference(gradient.dgain, difference_gradient(layer.gain, layer.dy, by_gain)) < 1e-8);
      CHECK(largest_difference(gradient.dshift, difference_gradient(layer.shift, layer.dy, by_shift)) < 1e-8);
    }
  }
}

TEST_CASE("Layer norm of no rows gives nothing, and gradients of zero") {
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    const Layer<float> layer(0, 33);
    const auto output = layer.forward(device);
    CHECK(output.y.empty());
    const auto gradient = layer.backward(device, output.mean_rstd);
    CHECK(gradient.dgain == Tensor<float>(Shape{33}));
    CHECK(gradient.dshift == Tensor<float>(Shape{33}));
  }
}

TEMPLATE_TEST_CASE("Layer norm shows NaN in its row and in the gradients", "", float, double) {
  const TestType nan = std::numeric_limits<TestType>::quiet_NaN();
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    Layer<TestType> layer(2, 33);
    layer.x(0, 32) = nan;
    const auto output = layer.forward(device);
    const auto gradient = layer.backward(device, output.mean_rstd);
    for (std::size_t j = 0; j < 33; ++j) {
      CHECK(std::isnan(output.y(0, j)));
      CHECK_FALSE(std::isnan(output.y(1, j)));
      CHECK(std::isnan(gradient.dx(0, j)));
      CHECK_FALSE(std::isnan(gradient.dx(1, j)));
      CHECK(std::isnan(gradient.dgain[j]));
      CHECK_FALSE(std::isnan(gradient.dshift[j]));
    }
  }
}

TEST_CASE("Layer norm computes no dx when nobody wants it, and dx in place of dy") {
  const Cpu device;
  const Layer<double> layer(5, 33);
  const auto mean_rstd = layer.forward(device).mean_rstd;
  const auto expected = layer.backward(device, mean_rstd);

  Tensor<double> dgain(Shape{33}), dshift(Shape{33});
  layer_norm_backward(device, layer.x.view(), layer.gain.view(), mean_rstd.view(), layer.dy.view(), View<double>(),
                      dgain.view(), dshift.view(), false);
  CHECK(same_bits(dgain, expected.dgain));
  CHECK(same_bits(dshift, expected.dshift));

  auto in_place = layer.dy.clone();
  layer_norm_backward(device, layer.x.view(), layer.gain.view(), mean_rstd.view(), View<const double>(in_place),
                      in_place.view(), dgain.view(), dshift.view(), false);
  CHECK(same_bits(in_place, expected.dx));
  CHECK(same_bits(dgain, expected.dgain));
}

TEMPLATE_TEST_CASE("Layer norm has the same bits on every device and for every split of the batch",
                   "[threads][exactness]", float, double) {
  const Layer<TestType> layer(301, 257);
  check_devices_agree([&](const Cpu& device) { return layer.forward(device).y; });
  const auto output = layer.forward(Cpu());
  check_devices_agree([&](const Cpu& device) { return layer.backward(device, output.mean_rstd).dx; });
  check_devices_agree([&](const Cpu& device) { return layer.backward(device, output.mean_rstd).dgain; });
  check_devices_agree([&](const Cpu& device) { return layer.backward(device, output.mean_rstd).dshift; });

  const Cpu device({.threads = 1});
  const auto expected = layer.backward(device, output.mean_rstd);
  Tensor<TestType> y(layer.x.shape()), kept(Shape{301, 2}), dx(y.shape()), dgain(Shape{257}), dshift(Shape{257});
  for (std::size_t begin = 0; begin < 301; begin += 43) {
    const auto x = layer.x.view().rows(begin, 43);
    const auto mean_rstd = kept.view().rows(begin, 43);
    layer_norm_forward(device, epsilon, x, layer.gain.view(), layer.shift.view(), y.view().rows(begin, 43), mean_rstd);
    layer_norm_backward(device, x, layer.gain.view(), View<const TestType>(mean_rstd), layer.dy.view().rows(begin, 43),
                        dx.view().rows(begin, 43), dgain.view(), dshift.view(), true);
  }
  CHECK(same_bits(y, output.y));
  CHECK(same_bits(kept, output.mean_rstd));
  CHECK(same_bits(dx, expected.dx));
  CHECK(same_bits(dgain, expected.dgain));
  CHECK(same_bits(dshift, expected.dshift));
}
