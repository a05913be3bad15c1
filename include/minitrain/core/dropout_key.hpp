#pragma once
// DropoutKey: what decides which elements a dropout operation zeroes.

#include <minitrain/core/random.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI {

/// Element (row, column) of the micro-batch falls or stays as a function of (seed, layer, step, first_row + row,
/// column): it stays where dropout_word >= dropout_threshold(p).
struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint32_t layer = 0;  // below 2^24
  std::uint64_t step = 0;
  std::uint64_t first_row = 0;  // samples of this optimizer step in earlier micro-batches
};

/// Counter and key of Philox4x32-10 for one block of four words: the counter is (block, first_row + row, step,
/// 256·layer + purpose), the low 32 bits of each, and the key is the seed, its high half xor that of the step.
struct DropoutBlock {
  std::array<std::uint32_t, 4> counter;
  std::array<std::uint32_t, 2> key;

  constexpr DropoutBlock(const DropoutKey& k, std::uint64_t row, std::uint32_t block) noexcept
      : counter{block, static_cast<std::uint32_t>(k.first_row + row), static_cast<std::uint32_t>(k.step),
                (k.layer << 8) + static_cast<std::uint32_t>(RandomPurpose::dropout)},
        key{static_cast<std::uint32_t>(k.seed),
            static_cast<std::uint32_t>(k.seed >> 32) ^ static_cast<std::uint32_t>(k.step >> 32)} {}

  constexpr std::array<std::uint32_t, 4> words() const noexcept { return philox4x32(counter, key); }
};

/// The random word of one element: word column / 16 % 4 of block column / 64·16 + column % 16, so that 16 neighbours
/// are the same word of 16 neighbouring blocks.
constexpr std::uint32_t dropout_word(const DropoutKey& key, std::uint64_t row, std::size_t column) noexcept {
  const auto block = static_cast<std::uint32_t>(column / 64 * 16 + column % 16);
  return DropoutBlock(key, row, block).words()[column / 16 % 4];
}

/// p·2^32 rounded down, p in [0, 1): elements with a smaller word fall.
constexpr std::uint32_t dropout_threshold(double p) noexcept { return static_cast<std::uint32_t>(p * 0x1p32); }

}  // namespace minitrain::inline MINITRAIN_ABI
