#include <minitrain/core/gradient_norm.hpp>
#include <minitrain/cpu/norm.hpp>

#include "cuda/support.hpp"

#include <cmath>

using namespace test;

TEST_CASE("The sum of squares on the GPU has the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const std::size_t size : {0, 1, 31, 32, 33, 257, 4095, 4096, 4097, 3 * 4096 + 1, 40 * 4096 + 5, 1'000'003}) {
    for (const std::size_t first : {0, 1}) {
      for (const bool special : {false, true}) {
        CAPTURE(size, first, special);
        const Shape column{first + size, 1};
        auto host = uniform(column, size + 1, -2, 2);
        if (special) {  // numbers of all magnitudes, denormal ones among them
          for (std::size_t i = 0; i < host.size(); i += 3) host[i] = odd_numbers[i / 3 % std::size(odd_numbers)];
        }
        check_same_bits(gpu, [&](const auto& device, Results& results) {
          using Device = std::decay_t<decltype(device)>;
          const auto x = on(device, host);
          Tensor<double, Device> result(device, {2});
          sum_of_squares(device, View<const float, Device>(x.data() + first, Shape{size}),
                         View<double, Device>(result.data() + 1, Shape{1}));
          results.add("sum", device, in(result));
        });
      }
    }
  }
}

TEST_CASE("The sum of squares on the GPU is not finite where an element is not", "[bad input]") {
  const Cuda gpu{0};
  for (const std::size_t size : {1, 33, 9000}) {
    for (const float bad : bad_numbers) {
      auto host = uniform({size, 1}, 1);
      host[size - 1] = bad;
      const auto x = on(gpu, host);
      Tensor<double, Cuda> result(gpu, {1});
      sum_of_squares(gpu, in(x), result.view());
      double sum = 0;
      copy_to_host(gpu, in(result), &sum);
      CHECK_FALSE(std::isfinite(sum));
    }
  }
}

TEST_CASE("The scale of a queued step has the bits of the host's", "[exactness]") {
  const Cuda gpu{0};
  Cuda::StepQueue queue(gpu);
  const Random random(1, RandomPurpose::test);
  for (std::size_t i = 0; i < 300; ++i) {
    const double weight = 1 + static_cast<double>(random.word(2 * i) % 4096);
    const double squares = i % 10 == 0 ? 0.0 : std::pow(10.0, 20 * random.uniform(2 * i + 1) - 10);
    const double clip_norm = i % 7 == 0 ? 0.0 : std::pow(10.0, static_cast<double>(i % 5) - 3);
    CAPTURE(weight, squares, clip_norm);
    auto totals = on(gpu, Tensor<double>({4}, {0.5, weight, 3, squares}));
    queue.close(gpu, totals.view(), clip_norm);
    double state[2];
    copy_to_host(gpu, queue.scale(), state);
    CHECK(state[0] == clipped_gradient_scale(weight, squares, clip_norm));
    CHECK(state[1] == 0);
  }
  const auto results = queue.take(gpu);
  CHECK(results.size() == 300);
  CHECK(results.back()[2] == 3);
}
