#include <minitrain/cpu/elementwise.hpp>

#include "cuda/support.hpp"

using namespace test;

namespace {

constexpr ActivationKind kinds[] = {ActivationKind::identity, ActivationKind::relu,    ActivationKind::leaky_relu,
                                    ActivationKind::tanh,     ActivationKind::sigmoid, ActivationKind::gelu,
                                    ActivationKind::silu};
constexpr std::size_t sizes[] = {0, 1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 64, 257, 1027};
constexpr std::size_t large = many_blocks * 1024 + 7;  // more than the grid has threads, in groups of four

/// `count` elements of t, from `first` on.
template <class Device>
View<float, Device> part(Tensor<float, Device>& t, std::size_t first, std::size_t count) {
  return {t.data() + first, Shape{count}};
}

/// Forward and backward of `size` elements after `first` others, and both in place without what they need not have.
void check_activation(const Cuda& gpu, const Activation& f, std::size_t first, std::size_t size) {
  CAPTURE(static_cast<int>(f.kind), size, first);
  const auto hx = mixed(Shape{size + first, 1}, size, -12, 12), hdy = mixed(Shape{size + first, 1}, size + 1);
  check_same_bits(gpu, [&](const auto& device, Results& results) {
    auto x = on(device, hx), dy = on(device, hdy), y = on(device, hx), dx = on(device, hx);
    using In = decltype(in(x));
    const In x_in = part(x, first, size), y_in = part(y, first, size), dy_in = part(dy, first, size);
    activation_forward(device, f, x_in, part(y, first, size));
    activation_backward(device, f, x_in, y_in, dy_in, part(dx, first, size));
    results.add("y", device, in(y));
    results.add("dx", device, in(dx));
    const bool from_y = derivative_from_output(f.kind);
    activation_backward(device, f, from_y ? In() : x_in, from_y ? y_in : In(), dy_in, part(dy, first, size));
    activation_forward(device, f, x_in, part(x, first, size));
    results.add("y in place", device, in(x));
    results.add("dx in place", device, in(dy));
  });
}

}  // namespace

TEST_CASE("Activations on the GPU have the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const ActivationKind kind : kinds) {
    for (const std::size_t size : sizes) {
      for (const std::size_t first : {0, 1, 4}) {  // aligned for groups of four elements, not, and again
        check_activation(gpu, {kind, 0.07}, first, size);
      }
    }
  }
  for (const std::size_t first : {0, 1}) check_activation(gpu, {ActivationKind::leaky_relu, 0.07}, first, large);
}

TEST_CASE("Activations on the GPU have the bits of the CPU over all magnitudes", "[exactness]") {
  const Cuda gpu{0};
  Tensor<float> hx(Shape{std::size_t{1} << 16});  // every 65,536th float
  for (std::size_t i = 0; i < hx.size(); ++i)
    hx[i] = std::bit_cast<float>(static_cast<std::uint32_t>(i << 16 | 0x5a5a));
  const auto hdy = uniform(hx.shape(), 1);
  for (const ActivationKind kind : kinds) {
    CAPTURE(static_cast<int>(kind));
    check_same_bits(gpu, [&](const auto& device, Results& results) {
      const auto x = on(device, hx), dy = on(device, hdy);
      auto y = on(device, hx), dx = on(device, hx);
      activation_forward(device, {kind, 0.01}, in(x), y.view());
      activation_backward(device, {kind, 0.01}, in(x), in(y), in(dy), dx.view());
      results.add("y", device, in(y));
      results.add("dx", device, in(dx));
    });
  }
}
