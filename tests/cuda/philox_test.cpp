// One Philox: the kernels', the host's and cuRAND's give the same words.

#include "cuda/philox_words.hpp"
#include "cuda/support.hpp"

#include <cstdio>

using namespace test;

namespace {

/// Counters [n, 4] and keys [n, 2]: every single bit and its complement, then 4,096 by chance.
struct Inputs {
  static constexpr std::size_t bits = 6 * 32, count = 2 * bits + 4096;

  Inputs() : counters(Shape{count, 4}), keys(Shape{count, 2}) {
    const Random random(1, RandomPurpose::test);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t word = 0; word < 6; ++word) {
        std::uint32_t value = random.word(6 * i + word);
        if (i < 2 * bits) {
          value = i / 2 / 32 == word ? std::uint32_t{1} << i / 2 % 32 : 0;
          if (i % 2 == 1) value = ~value;
        }
        (word < 4 ? counters(i, word) : keys(i, word - 4)) = value;
      }
    }
  }
  Tensor<std::uint32_t> counters, keys;
};

std::vector<std::uint32_t> words_of(PhiloxSource source, const Inputs& inputs) {
  const Cuda gpu{0};
  const auto scope = gpu.arithmetic_scope();
  const auto counters = on(gpu, inputs.counters), keys = on(gpu, inputs.keys);
  Tensor<std::uint32_t, Cuda> words(gpu, inputs.counters.shape());
  philox_words(gpu, source, in(counters), in(keys), words.view());
  std::vector<std::uint32_t> host(words.size());
  copy_to_host(gpu, in(words), host.data());
  return host;
}

}  // namespace

TEST_CASE("Philox on the GPU gives the words of the host", "[exactness]") {
  const Inputs inputs;
  const std::vector<std::uint32_t> words = words_of(PhiloxSource::kernels, inputs);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < Inputs::count; ++i) {
    const std::uint32_t *const c = &inputs.counters(i, 0), *const k = &inputs.keys(i, 0);
    const auto expected = philox4x32({c[0], c[1], c[2], c[3]}, {k[0], k[1]});
    for (std::size_t w = 0; w < 4; ++w) wrong += words[4 * i + w] != expected[w] ? 1 : 0;
  }
  CHECK(wrong == 0);
}

TEST_CASE("Philox on the GPU gives the words of cuRAND", "[exactness]") {
  if (!has_curand()) {
    std::puts("skipped: there is no curand_philox4x32_x.h on this machine");
    return;
  }
  const Inputs inputs;
  CHECK(words_of(PhiloxSource::kernels, inputs) == words_of(PhiloxSource::curand, inputs));
}
