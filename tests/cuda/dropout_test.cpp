#include <minitrain/cpu/dropout.hpp>

#include "cuda/support.hpp"

using namespace test;

namespace {

constexpr DropoutKey keys[] = {
    {.seed = 0x123456789abcdef0, .layer = 3, .step = 17, .first_row = 5},
    {.seed = 1, .layer = 0xffffff, .step = 0x123456789, .first_row = 0xfffffff0},  // counters that carry
};

void check_dropout(const Cuda& gpu, const DropoutKey& key, double p, const Tensor<float>& hx) {
  check_same_bits(gpu, [&](const auto& device, Results& results) {
    auto x = on(device, hx), y = on(device, hx), dx = on(device, hx);
    dropout_forward(device, key, p, in(x), y.view());
    dropout_backward(device, key, p, in(y), dx.view());
    dropout_forward(device, key, p, in(x), x.view());
    results.add("y", device, in(y));
    results.add("dx", device, in(dx));
    results.add("y in place", device, in(x));
  });
}

}  // namespace

TEST_CASE("Dropout on the GPU has the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const DropoutKey& key : keys) {
    for (const std::size_t rows : extents) {
      for (const std::size_t columns : extents) {
        for (const double p : {0.0, 0.3, 0.999}) {
          CAPTURE(key.seed, rows, columns, p);
          check_dropout(gpu, key, p, mixed(Shape{rows, columns}, columns));
        }
      }
    }
  }
}

TEST_CASE("Dropout on the GPU has the bits of the CPU of more rows and columns than its grid", "[exactness]") {
  const Cuda gpu{0};
  check_dropout(gpu, keys[0], 0.5, uniform(Shape{1, 64 * 1024 + 130}, 1));
  check_dropout(gpu, keys[0], 0.5, uniform(Shape{many_blocks * 16 + 3, 2}, 1));
}
