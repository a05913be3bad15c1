#include <minitrain/cpu/layer_norm.hpp>

#include "cuda/support.hpp"

using namespace test;

namespace {

constexpr double epsilon = 1e-5;

struct LayerInputs {
  Tensor<float> x, gain, shift, dy, dgain, dshift;

  LayerInputs(std::size_t rows, std::size_t columns, bool special)
      : x(special ? mixed(Shape{rows, columns}, columns) : uniform(Shape{rows, columns}, columns)),
        gain(special ? mixed(Shape{columns}, columns + 1) : uniform(Shape{columns}, columns + 1)),
        shift(uniform(Shape{columns}, columns + 2)),
        dy(special ? mixed(Shape{rows, columns}, columns + 3) : uniform(Shape{rows, columns}, columns + 3)),
        dgain(uniform(Shape{columns}, columns + 4)),
        dshift(uniform(Shape{columns}, columns + 5)) {}
};

template <class Device>
void run_layer(const Device& device, const LayerInputs& host, double eps, Results& results) {
  auto x = on(device, host.x), gain = on(device, host.gain), shift = on(device, host.shift), dy = on(device, host.dy);
  auto y = on(device, host.dy), dx = on(device, host.x), dgain = on(device, host.dgain);
  auto dshift = on(device, host.dshift);
  Tensor<float, Device> mean_rstd(device, Shape{host.x.rows(), 2});
  layer_norm_forward(device, eps, in(x), in(gain), in(shift), y.view(), mean_rstd.view());
  results.add("y", device, in(y));
  results.add("mean_rstd", device, in(mean_rstd));
  for (const bool add : {true, false}) {
    layer_norm_backward(device, in(x), in(gain), in(mean_rstd), in(dy), dx.view(), dgain.view(), dshift.view(), add);
    results.add("dx", device, in(dx));
    results.add("dgain", device, in(dgain));
    results.add("dshift", device, in(dshift));
  }
  layer_norm_backward(device, in(x), in(gain), in(mean_rstd), in(dy), View<float, Device>(), dgain.view(),
                      dshift.view(), true);
  results.add("dgain without dx", device, in(dgain));
  layer_norm_backward(device, in(x), in(gain), in(mean_rstd), in(dy), dy.view(), dgain.view(), dshift.view(), true);
  results.add("dx in place", device, in(dy));
  results.add("dgain of dx in place", device, in(dgain));
  layer_norm_forward(device, eps, in(x), in(gain), in(shift), x.view(), mean_rstd.view());
  results.add("y in place", device, in(x));
}

}  // namespace

TEST_CASE("Layer norm on the GPU has the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const bool special : {false, true}) {
    for (const std::size_t rows : extents) {
      for (const std::size_t columns : extents) {
        CAPTURE(special, rows, columns);
        const LayerInputs host(rows, columns, special);
        check_same_bits(gpu, [&](const auto& device, Results& results) { run_layer(device, host, epsilon, results); });
      }
    }
  }
  const LayerInputs host(many_blocks * 8 + 3, 5, false);
  check_same_bits(gpu, [&](const auto& device, Results& results) { run_layer(device, host, epsilon, results); });
}

TEST_CASE("Layer norm on the GPU of rows without variance and epsilon has the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const std::size_t columns : {1, 16, 37}) {
    LayerInputs host(5, columns, false);
    for (std::size_t j = 0; j < columns; ++j) {
      host.x(0, j) = 2;
      host.x(1, j) = 0;
      host.x(2, j) = j == 0 ? 1e-40f : 0.0f;
    }
    CAPTURE(columns);
    check_same_bits(gpu, [&](const auto& device, Results& results) { run_layer(device, host, 0, results); });
  }
}

TEST_CASE("Layer norm gradients on the GPU do not depend on the split of the batch", "[exactness]") {
  const Cuda gpu{0};
  const std::size_t rows = 301, columns = 37;
  const LayerInputs host(rows, columns, false);
  const auto x = on(gpu, host.x), gain = on(gpu, host.gain), shift = on(gpu, host.shift), dy = on(gpu, host.dy);
  Tensor<float, Cuda> y(gpu, x.shape()), dx(gpu, x.shape()), mean_rstd(gpu, Shape{rows, 2});
  layer_norm_forward(gpu, epsilon, in(x), in(gain), in(shift), y.view(), mean_rstd.view());
  Results whole, parts;
  for (const std::size_t step : {rows, std::size_t{43}}) {
    auto dgain = on(gpu, host.dgain), dshift = on(gpu, host.dshift);
    for (std::size_t begin = 0; begin < rows; begin += step) {
      layer_norm_backward(gpu, in(x).rows(begin, step), in(gain), in(mean_rstd).rows(begin, step),
                          in(dy).rows(begin, step), dx.view().rows(begin, step), dgain.view(), dshift.view(), true);
    }
    Results& results = step == rows ? whole : parts;
    results.add("dx", gpu, in(dx));
    results.add("dgain", gpu, in(dgain));
    results.add("dshift", gpu, in(dshift));
  }
  whole.check_equal(parts);
}
