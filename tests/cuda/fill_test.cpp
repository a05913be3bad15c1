// Initial values: the bits that the host computes.

#include <minitrain/cpu/initial.hpp>
#include <minitrain/nn/init.hpp>
#include <minitrain/trainer.hpp>

#include "cuda/support.hpp"

using namespace test;

namespace {

constexpr Init inits[] = {Init::zeros,      Init::ones,          Init::fan_in_uniform, Init::he_normal,
                          Init::he_uniform, Init::xavier_normal, Init::xavier_uniform};

void check_fill(const Cuda& gpu, const InitialValues& values, std::size_t count) {
  check_same_bits(gpu, [&](const auto& device, Results& results) {
    auto y = on(device, uniform(Shape{count}, 1));
    fill_initial(device, values, y.view());
    results.add("y", device, in(y));
  });
}

}  // namespace

TEST_CASE("Initial values on the GPU have the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const Init init : inits) {
    for (const std::size_t count : extents) {
      for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{0xfedcba9876543210}}) {
        CAPTURE(static_cast<int>(init), count, seed);
        check_fill(gpu, initial_values(init, 784, 128, seed, 3), count);
      }
    }
  }
}

TEST_CASE("Initial values on the GPU have the bits of the CPU of more elements than its grid", "[exactness]") {
  const Cuda gpu{0};
  for (const Init init : {Init::ones, Init::he_normal, Init::xavier_uniform}) {
    check_fill(gpu, initial_values(init, 3, 5, 1, 0xffffffff), 2 * 256 * many_blocks + 3);
  }
}

TEST_CASE("A model on the GPU begins with the bits of the CPU", "[exactness]") {
  const Sequential model{Dense{5, 33}, LayerNorm{33}, ReLU{}, Dense{.in = 33, .out = 7, .init = Init::he_normal},
                         Dense{.in = 7, .out = 3, .init = Init::xavier_normal}};
  const TrainerOptions options{.seed = 0x123456789};
  const Trainer cpu{Cpu{}, model, SoftmaxCrossEntropy{}, SGD{}, options};
  const Trainer gpu{Cuda{0}, model, SoftmaxCrossEntropy{}, SGD{}, options};
  Results expected, got;
  expected.add("parameters", Cpu{}, cpu.parameters().view());
  got.add("parameters", Cpu{}, gpu.parameters().view());
  expected.check_equal(got);
}
