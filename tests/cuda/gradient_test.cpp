#include <minitrain/cpu/gradient.hpp>

#include "cuda/support.hpp"

using namespace test;

TEST_CASE("Clipping by value on the GPU has the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const std::size_t size : {0, 1, 31, 33, 257, 100'003}) {
    auto host = uniform({size, 1}, size + 1, -2, 2);
    for (std::size_t i = 0; i < size; i += 5) host[i] = odd_numbers[i / 5 % std::size(odd_numbers)];
    for (std::size_t i = 3; i < size; i += 50) host[i] = bad_numbers[i / 50 % std::size(bad_numbers)];
    CAPTURE(size);
    check_same_bits(gpu, [&](const auto& device, Results& results) {
      auto x = on(device, host);
      const auto totals = on(device, Tensor<double>({4}, {0.0, 7.0, 0.0, 0.0}));
      clip_values(device, x.view(), in(totals), 0.1);
      results.add("clipped", device, in(x));
    });
  }
}

TEST_CASE("Clipping by value takes the loss scale into account") {
  const Cuda gpu{0};
  auto x = on(gpu, Tensor<float>({4}, {100.0f, -100.0f, 1.0f, 30.0f}));
  const auto totals = on(gpu, Tensor<double>({4}, {0.0, 2.0, 0.0, 0.0})), scale = on(gpu, Tensor<double>({1}, {16.0}));
  clip_values(gpu, x.view(), in(totals), 0.5, scale.data());  // a limit of 16
  float host[4];
  copy_to_host(gpu, in(x), host);
  CHECK(host[0] == 16);
  CHECK(host[1] == -16);
  CHECK(host[2] == 1);
  CHECK(host[3] == 16);
}

TEST_CASE("Squared norms of the gradients of single samples on the GPU have the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const std::size_t rows : {0, 1, 31, 33, 257}) {
    for (const std::size_t in_columns : {1, 33, 784}) {
      for (const bool bias : {false, true}) {
        CAPTURE(rows, in_columns, bias);
        const auto x = uniform({rows, in_columns}, rows + 1), dy = uniform({rows, 10}, rows + 2);
        check_same_bits(gpu, [&](const auto& device, Results& results) {
          const auto inputs = on(device, x), gradients = on(device, dy);
          auto sum = on(device, Tensor<double>({1}, {0.75}));
          add_gradient_squares(device, in(inputs), in(gradients), bias, sum.view());
          results.add("sum", device, in(sum));
        });
      }
    }
  }
}
