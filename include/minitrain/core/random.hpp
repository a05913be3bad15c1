#pragma once
// Philox4x32-10: random numbers as a function of (seed, counter), so that nothing keeps a generator state.

#include <minitrain/config.hpp>

#include <array>
#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI {

/// What a random number is for; the last word of every counter, so that no two uses ever share numbers.
enum class RandomPurpose : std::uint32_t {
  initialise = 1,
  shuffle = 2,
  dropout = 3,
  synthetic = 4,
  split = 5,
  test = 6,
  transform = 7,
  label_noise = 8,
  blocks = 9,
  window = 10,
  bootstrap = 11
};

/// Four 32-bit words, a bijection of `counter` for each `key`. Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
/// easy as 1, 2, 3", SC 2011. Passes TestU01's BigCrush. The same bits on every device and compiler.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// Random numbers of one seed and purpose, addressed by (tensor or epoch, element): the same call gives the same
/// number, whoever asks, in whatever order.
class Random {
 public:
  constexpr Random(std::uint64_t seed, RandomPurpose purpose, std::uint32_t stream = 0) noexcept
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        stream_(stream),
        purpose_(static_cast<std::uint32_t>(purpose)) {}

  /// Words 4·block to 4·block+3 of this stream.
  constexpr std::array<std::uint32_t, 4> block(std::uint64_t block) const noexcept {
    return philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), stream_, purpose_},
                      key_);
  }
  /// Word number `i`, uniform over all 32-bit values.
  constexpr std::uint32_t word(std::uint64_t i) const noexcept { return block(i / 4)[i % 4]; }
  /// Number `i`, uniform on [0, 1), a multiple of 2^-53, made of words 2i and 2i+1.
  constexpr double uniform(std::uint64_t i) const noexcept {
    const auto words = block(i / 2);
    const std::uint64_t high = words[2 * (i % 2)], low = words[2 * (i % 2) + 1];
    return static_cast<double>((high << 21) ^ (low >> 11)) * 0x1p-53;
  }

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint32_t stream_;
  std::uint32_t purpose_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
