#pragma once
// A dense layer on the GPU against its formulas in double, with operands rounded as the mode says.

#include "cuda/support.hpp"

#include <cmath>

namespace test {

/// Steps of k that one instruction takes: sums may be cut between them.
inline std::size_t granule(Math math) { return math == Math::fp32 ? 1 : math == Math::tf32 ? 8 : 16; }

/// The nearest number of the mode, ties to even, by the definition of its format.
inline double rounded(Math math, double x) {
  if (x == 0 || !std::isfinite(x) || math == Math::fp32) return x;
  const int digits = math == Math::bf16 ? 7 : 10;
  const int exponent = std::max(std::ilogb(x), math == Math::fp16 ? -14 : -126);
  const double unit = std::ldexp(1.0, exponent - digits), nearest = std::nearbyint(x / unit) * unit;
  const double largest = math == Math::fp16 ? 65504.0 : std::ldexp(2.0 - std::ldexp(1.0, -digits), 127);
  return std::abs(nearest) > largest ? std::copysign(INFINITY, x) : nearest;
}

/// A tensor as the multipliers see it.
class Rounded {
 public:
  Rounded(Math math, const Tensor<float>& t) : columns_(t.columns()), values_(t.data(), t.data() + t.size()) {
    for (double& value : values_) value = rounded(math, value);
  }
  double operator()(std::size_t i, std::size_t j) const { return values_[i * columns_ + j]; }

 private:
  std::size_t columns_;
  std::vector<double> values_;
};

struct Sizes {
  std::size_t rows, inputs, outputs;
};

/// |got - s| where s = start + Σ a(k)·b(k) over K rounded pairs, in units of what K/granule additions may lose.
template <class A, class B>
double error_of(Math math, double slack, double got, double start, std::size_t K, A a, B b, bool relu = false) {
  double sum = start, magnitude = std::abs(start);
  for (std::size_t k = 0; k < K; ++k) {
    const double product = a(k) * b(k);
    sum += product;
    magnitude += std::abs(product);
  }
  if (relu) sum = std::max(sum, 0.0);
  const double additions = static_cast<double>(K / granule(math) + 2);
  return std::abs(got - sum) / (additions * std::ldexp(magnitude, -22) + slack * magnitude + 1e-37);
}

inline Tensor<float> back(const Cuda& device, const Tensor<float, Cuda>& t) {
  Tensor<float> host(t.shape());
  copy_to_host(device, in(t), host.data());
  return host;
}

/// The largest error of y, dx and dW of one layer, each against its formula.
inline void check_layer(const CudaOptions& options, const Sizes& s, bool relu, bool bias) {
  const Math math = options.math;
  CAPTURE(to_string(math), options.exact, s.rows, s.inputs, s.outputs, relu, bias);
  const Cuda device(options);
  // How cuBLASLt rounds to tf32, and whether it adds bias gradients as they are, is its own affair.
  const double slack = options.exact || math != Math::tf32 ? 0.0 : 0x1p-10;
  const auto scope = device.arithmetic_scope();
  const Activation f{relu ? ActivationKind::relu : ActivationKind::identity};
  const auto x = test::uniform({s.rows, s.inputs}, 1), w = test::uniform({s.inputs, s.outputs}, 2, -1, 1),
             b = test::uniform({bias ? s.outputs : 0}, 3), dy = test::uniform({s.rows, s.outputs}, 4);
  const auto x_there = on(device, x), w_there = on(device, w), b_there = on(device, b), dy_there = on(device, dy);
  Tensor<float, Cuda> y(device, {s.rows, s.outputs}), dx(device, {s.rows, s.inputs});
  Tensor<float, Cuda> dw(device, {s.inputs, s.outputs}), db(device, {bias ? s.outputs : 0});

  const Rounded rx(math, x), rw(math, w), rdy(math, dy);

  double worst = 0;
  dense_forward(device, in(x_there), in(w_there), in(b_there), f, y.view());
  const auto y_here = back(device, y);
  for (std::size_t i = 0; i < s.rows; ++i) {
    for (std::size_t j = 0; j < s.outputs; ++j) {
      const double e = error_of(
          math, slack, y_here(i, j), bias ? b[j] : 0.0f, s.inputs, [&](std::size_t k) { return rx(i, k); },
          [&](std::size_t k) { return rw(k, j); }, relu);
      worst = std::max(worst, e);
    }
  }
  CHECK(worst <= 1.0);

  worst = 0;
  dense_backward_input(device, in(dy_there), in(w_there), f, in(x_there), dx.view());
  const auto dx_here = back(device, dx);
  for (std::size_t i = 0; i < s.rows; ++i) {
    for (std::size_t j = 0; j < s.inputs; ++j) {
      const bool closed = relu && !(x(i, j) > 0);
      const double e = error_of(
          math, slack, dx_here(i, j), 0.0, closed ? 0 : s.outputs, [&](std::size_t k) { return rdy(i, k); },
          [&](std::size_t k) { return rw(j, k); });
      worst = std::max(worst, e);
    }
  }
  CHECK(worst <= 1.0);

  Tensor<float> before({s.inputs, s.outputs});
  for (const bool add : {false, true}) {
    worst = 0;
    dense_backward_weights(device, in(x_there), in(dy_there), dw.view(), db.view(), add);
    auto dw_here = back(device, dw);
    for (std::size_t i = 0; i < s.inputs; ++i) {
      for (std::size_t j = 0; j < s.outputs; ++j) {
        const double e = error_of(
            math, slack, dw_here(i, j), before(i, j), s.rows, [&](std::size_t k) { return rx(k, i); },
            [&](std::size_t k) { return rdy(k, j); });
        worst = std::max(worst, e);
      }
    }
    CHECK(worst <= 1.0);
    before = std::move(dw_here);
  }

  // The bias gradient is no product: the same bits in every mode.
  const auto db_here = back(device, db);
  for (std::size_t j = 0; j < db_here.size(); ++j) {
    float sum = 0;
    double magnitude = 0;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < s.rows; ++k) sum += dy(k, j), magnitude += std::abs(dy(k, j));
    }
    CHECK(std::abs(db_here[j] - sum) <= (options.exact ? 0.0 : 0x1p-8 * magnitude));
  }
}

}  // namespace test
