#include <minitrain/cpu/dense.hpp>

#include "cpu/support.hpp"

#include <cmath>

using namespace test;

namespace {

constexpr ActivationKind kinds[] = {ActivationKind::identity, ActivationKind::relu, ActivationKind::leaky_relu,
                                    ActivationKind::tanh, ActivationKind::sigmoid};

template <class T>
struct Layer {
  std::size_t rows, in, out;
  Tensor<T> x, w, b, dy;
  Layer(std::size_t r, std::size_t i, std::size_t o)
      : rows(r),
        in(i),
        out(o),
        x(uniform<T>({r, i}, 1)),
        w(uniform<T>({i, o}, 2)),
        b(uniform<T>({o}, 3)),
        dy(uniform<T>({r, o}, 4)) {}

  Tensor<T> forward(const Cpu& device, const Activation& f) const {
    Tensor<T> y({rows, out});
    dense_forward(device, x.view(), w.view(), b.view(), f, y.view());
    return y;
  }
  Tensor<T> backward_input(const Cpu& device, const Activation& f) const {
    Tensor<T> dx({rows, in});
    dense_backward_input(device, dy.view(), w.view(), f, x.view(), dx.view());
    return dx;
  }
  /// dW, and db after it.
  Tensor<T> backward_weights(const Cpu& device) const {
    Tensor<T> gradients({in * out + out});
    const View<T> dw(gradients.data(), {in, out}), db(gradients.data() + in * out, {out});
    dense_backward_weights(device, x.view(), dy.view(), dw, db, false);
    return gradients;
  }
};

/// The forms of layer that take ways of their own: few and many columns, one output, one input, more than fits.
struct {
  std::size_t rows, in, out;
} const sizes[] = {{1, 1, 1},     {7, 1, 5},     {33, 10, 1},   {257, 64, 1},  {31, 33, 2},     {32, 10, 64},
                   {32, 100, 16}, {65, 257, 31}, {257, 31, 70}, {2, 300, 300}, {130, 300, 310}, {3, 2, 33}};

}  // namespace

TEMPLATE_TEST_CASE("dense_forward: the product, the bias and the activation", "", float, double) {
  for (const auto& size : sizes) {
    const Layer<TestType> layer(size.rows, size.in, size.out);
    for (const Isa isa : instruction_sets()) {
      const Tensor<TestType> y = layer.forward(Cpu({.threads = 1, .isa = isa}), {});
      const Tensor<TestType> relu = layer.forward(Cpu({.threads = 1, .isa = isa}), {ActivationKind::relu});
      const Tensor<TestType> leaky = layer.forward(Cpu({.threads = 1, .isa = isa}), {ActivationKind::leaky_relu, 0.25});
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < size.rows; ++i) {
        for (std::size_t j = 0; j < size.out; ++j) {
          long double sum = layer.b[j], absolute = std::abs(sum);
          for (std::size_t k = 0; k < size.in; ++k) {
            const long double product = static_cast<long double>(layer.x(i, k)) * layer.w(k, j);
            sum += product;
            absolute += std::abs(product);
          }
          const long double epsilon = std::numeric_limits<TestType>::epsilon();
          if (!(std::abs(y(i, j) - sum) <= epsilon * static_cast<long double>(size.in + 2) * absolute)) ++wrong;
          if (relu(i, j) != (y(i, j) > 0 ? y(i, j) : TestType(0))) ++wrong;
          if (leaky(i, j) != (y(i, j) > 0 ? y(i, j) : y(i, j) / 4)) ++wrong;
        }
      }
      CAPTURE(static_cast<int>(isa), size.rows, size.in, size.out);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("dense_backward_*: the derivatives of dense_forward") {
  using D = Dual<double>;
  const Cpu device({.threads = 1});
  struct {
    std::size_t rows, in, out;
  } const layers[] = {{3, 4, 1}, {3, 1, 4}, {2, 5, 7}, {4, 3, 2}};
  for (const auto& size : layers) {
    for (const ActivationKind kind : kinds) {
      const Activation f{kind, 0.2};
      const Layer<double> layer(size.rows, size.in, size.out);
      const auto duals = [](const Tensor<double>& t) {
        Tensor<D> d(t.shape());
        std::copy(t.begin(), t.end(), d.begin());
        return d;
      };
      const Tensor<D> x = duals(layer.x), w = duals(layer.w), b = duals(layer.b);
      const auto by_w = dual_gradient(layer.w, layer.dy, [&](Tensor<D>& v, Tensor<D>& y) {
        dense_forward(device, x.view(), std::as_const(v).view(), b.view(), {}, y.view());
      });
      const auto by_b = dual_gradient(layer.b, layer.dy, [&](Tensor<D>& v, Tensor<D>& y) {
        dense_forward(device, x.view(), w.view(), std::as_const(v).view(), {}, y.view());
      });
      // dx is the gradient by z where x = f(z).
      Tensor<double> fx(layer.x.shape());
      activation_forward(device, f, layer.x.view(), fx.view());
      const auto by_z = dual_gradient(layer.x, layer.dy, [&](Tensor<D>& z, Tensor<D>& y) {
        Tensor<D> fz(z.shape());
        activation_forward(device, f, std::as_const(z).view(), fz.view());
        dense_forward(device, std::as_const(fz).view(), w.view(), b.view(), {}, y.view());
      });
      for (const Isa isa : instruction_sets()) {
        const Cpu on({.threads = 1, .isa = isa});
        Tensor<double> dw(layer.w.shape()), db(layer.b.shape()), dx(layer.x.shape());
        dense_backward_weights(on, layer.x.view(), layer.dy.view(), dw.view(), db.view(), false);
        dense_backward_input(on, layer.dy.view(), layer.w.view(), f, std::as_const(fx).view(), dx.view());
        CAPTURE(static_cast<int>(isa), size.rows, size.in, size.out, static_cast<int>(kind));
        CHECK(largest_difference(dw, by_w) < 1e-13);
        CHECK(largest_difference(db, by_b) < 1e-13);
        CHECK(largest_difference(dx, by_z) < 1e-13);
      }
    }
  }
}

TEMPLATE_TEST_CASE("dense: instruction sets and threads give the same bits", "", float, double) {
  for (const auto& size : sizes) {
    const Layer<TestType> layer(size.rows, size.in, size.out);
    CAPTURE(size.rows, size.in, size.out);
    for (const ActivationKind kind : kinds) {
      const Activation f{kind};
      check_devices_agree([&](const Cpu& device) { return layer.forward(device, f); });
      check_devices_agree([&](const Cpu& device) { return layer.backward_input(device, f); });
    }
    check_devices_agree([&](const Cpu& device) { return layer.backward_weights(device); });
  }
}

TEMPLATE_TEST_CASE("dense: how a batch is cut into parts does not show", "", float, double) {
  for (const auto& size : sizes) {
    const Layer<TestType> layer(size.rows, size.in, size.out);
    const Activation relu{ActivationKind::relu};
    for (const Isa isa : instruction_sets()) {
      const Cpu device({.threads = 1, .isa = isa});
      const Tensor<TestType> y = layer.forward(device, relu), dx = layer.backward_input(device, relu);
      const Tensor<TestType> gradients = layer.backward_weights(device);
      for (const std::size_t part : {1, 7, 32}) {
        Tensor<TestType> y_parts(y.shape()), dx_parts(dx.shape()), gradient_parts(gradients.shape());
        const View<TestType> dw(gradient_parts.data(), {size.in, size.out});
        const View<TestType> db(gradient_parts.data() + size.in * size.out, {size.out});
        for (std::size_t first = 0; first < size.rows; first += part) {
          const std::size_t count = std::min(part, size.rows - first);
          const auto x = layer.x.view().rows(first, count), dy = layer.dy.view().rows(first, count);
          dense_forward(device, x, layer.w.view(), layer.b.view(), relu, y_parts.view().rows(first, count));
          dense_backward_input(device, dy, layer.w.view(), relu, x, dx_parts.view().rows(first, count));
          dense_backward_weights(device, x, dy, dw, db, first != 0);
        }
        CAPTURE(static_cast<int>(isa), size.rows, size.in, size.out, part);
        CHECK(same_bits(y_parts, y));
        CHECK(same_bits(dx_parts, dx));
        CHECK(same_bits(gradient_parts, gradients));
      }
    }
  }
}

TEMPLATE_TEST_CASE("dense: gradients are overwritten, or added to, and no bias needs none", "", float, double) {
  for (const std::size_t out : {1, 5, 40}) {
    const Layer<TestType> layer(3, 20, out);
    for (const Isa isa : instruction_sets()) {
      const Cpu device({.threads = 1, .isa = isa});
      const Tensor<TestType> expected = layer.backward_weights(device);
      Tensor<TestType> stored = expected.clone();
      const View<TestType> dw(stored.data(), {layer.in, out}), db(stored.data() + layer.in * out, {out});
      CAPTURE(static_cast<int>(isa), out);
      dense_backward_weights(device, layer.x.view(), layer.dy.view(), dw, db, false);
      CHECK(same_bits(stored, expected));
      const Tensor<TestType> nothing_x({0, layer.in}), nothing_dy({0, out});
      dense_backward_weights(device, nothing_x.view(), nothing_dy.view(), dw, db, true);
      CHECK(same_bits(stored, expected));
      dense_backward_weights(device, layer.x.view(), layer.dy.view(), dw, View<TestType>(), true);
      CHECK(stored[0] == test::Approx(2 * expected[0]));
      CHECK(db[0] == expected[layer.in * out]);
      dense_backward_weights(device, nothing_x.view(), nothing_dy.view(), dw, db, false);
      CHECK(stored[0] == TestType(0));
      CHECK(db[out - 1] == TestType(0));

      Tensor<TestType> without({layer.rows, out}), with_zeros({layer.rows, out});
      const Tensor<TestType> zeros({out});
      dense_forward(device, layer.x.view(), layer.w.view(), View<const TestType>(), {}, without.view());
      dense_forward(device, layer.x.view(), layer.w.view(), zeros.view(), {}, with_zeros.view());
      CHECK(same_bits(without, with_zeros));
    }
  }
}

TEMPLATE_TEST_CASE("dense: one output sums lane by lane, then pairs of lanes 8, 4, 2 and 1 apart", "", float, double) {
  constexpr std::size_t lanes = 64 / sizeof(TestType);
  const Layer<TestType> layer(19, 45, 1);
  for (const Isa isa : instruction_sets()) {
    if (isa == Isa::baseline) continue;
    const Tensor<TestType> y = layer.forward(Cpu({.threads = 1, .isa = isa}), {});
    for (std::size_t i = 0; i < layer.rows; ++i) {
      TestType sums[lanes] = {};
      for (std::size_t k = 0; k < layer.in; ++k) {
        sums[k % lanes] = std::fma(layer.x(i, k), layer.w[k], sums[k % lanes]);
      }
      for (std::size_t half = lanes / 2; half > 0; half /= 2) {
        for (std::size_t l = 0; l < half; ++l) sums[l] += sums[l + half];
      }
      CAPTURE(static_cast<int>(isa), i);
      CHECK(y[i] == sums[0] + layer.b[0]);
    }
  }
}

TEMPLATE_TEST_CASE("dense: NaN reaches every output that depends on it, also through relu", "", float, double) {
  for (const std::size_t out : {1, 20}) {
    Layer<TestType> layer(18, 33, out);
    layer.x(3, 32) = std::numeric_limits<TestType>::quiet_NaN();
    layer.x(17, 0) = std::numeric_limits<TestType>::quiet_NaN();
    for (const Isa isa : instruction_sets()) {
      const Tensor<TestType> y = layer.forward(Cpu({.threads = 1, .isa = isa}), {ActivationKind::relu});
      for (std::size_t i = 0; i < layer.rows; ++i) {
        CAPTURE(static_cast<int>(isa), out, i);
        CHECK(std::isnan(y(i, 0)) == (i == 3 || i == 17));
        CHECK(std::isnan(y(i, out - 1)) == (i == 3 || i == 17));
      }
    }
  }
}
