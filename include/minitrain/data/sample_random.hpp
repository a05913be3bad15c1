#pragma once
// SampleRandom: the random numbers that a transform may draw for one sample.

#include <minitrain/core/initial_values.hpp>
#include <minitrain/core/random.hpp>

#include <bit>

namespace minitrain::inline MINITRAIN_ABI {

/// Numbers in a row, a function of (seed, epoch, sample, transform): the same whatever thread, block or order reads the
/// sample, and others for each transform of a chain, of fewer than 2^24 - 1. Philox4x32-10 with the counter (block,
/// sample, 256·transform + purpose); its key is a block of the seed's own numbers, numbered by the epoch. About 2^34
/// words.
class SampleRandom {
 public:
  constexpr SampleRandom(std::uint64_t seed, std::uint64_t epoch, std::uint64_t sample,
                         std::uint32_t transform = 0) noexcept
      : seed_(seed), epoch_(epoch), sample_(sample), transform_(transform) {}

  /// 32 random bits.
  constexpr std::uint32_t bits() noexcept {
    if (next_ == words_.size()) refill();
    return words_[next_++];
  }
  /// Uniform on [0, 1), a multiple of 2^-53, of two words.
  constexpr double uniform() noexcept {
    const std::uint64_t high = bits(), low = bits();
    return static_cast<double>((high << 21) ^ (low >> 11)) * 0x1p-53;
  }
  /// N(0, 1), of one uniform number: the distribution function inverted, to the same bits on every machine.
  double normal() noexcept { return scalar::normal_number(scalar::Double{uniform()}).v; }
  /// Uniform over 0, 1, ..., n - 1, exactly; 0 for n = 0. Source: Lemire, "Fast random integer generation in an
  /// interval", ACM TOMACS 2019.
  constexpr std::uint64_t below(std::uint64_t n) noexcept {
    if (n <= 1) return 0;
    if (n > std::uint64_t{1} << 32) {
      const std::uint64_t mask = ~std::uint64_t{0} >> std::countl_zero(n - 1);
      while (true) {
        const std::uint64_t high = bits(), low = bits(), number = (high << 32 | low) & mask;
        if (number < n) return number;
      }
    }
    std::uint64_t product = bits() * n;
    if (static_cast<std::uint32_t>(product) < n) {
      const std::uint64_t uneven = (std::uint64_t{1} << 32) % n;
      while (static_cast<std::uint32_t>(product) < uneven) product = bits() * n;
    }
    return product >> 32;
  }

 private:
  constexpr void refill() noexcept {
    constexpr auto purpose = static_cast<std::uint32_t>(RandomPurpose::transform);
    if (block_ == 0) {
      // Numbered as a transform that no chain has.
      const auto words =
          philox4x32({low(epoch_), high(epoch_), 0xFFFF'FFFFu, (0xFF'FFFFu << 8) + purpose}, {low(seed_), high(seed_)});
      key_ = {words[0], words[1]};
    }
    words_ = philox4x32({block_++, low(sample_), high(sample_), (transform_ << 8) + purpose}, key_);
    next_ = 0;
  }
  static constexpr std::uint32_t low(std::uint64_t x) noexcept { return static_cast<std::uint32_t>(x); }
  static constexpr std::uint32_t high(std::uint64_t x) noexcept { return static_cast<std::uint32_t>(x >> 32); }

  std::uint64_t seed_, epoch_, sample_;
  std::uint32_t transform_, block_ = 0;
  std::array<std::uint32_t, 2> key_{};
  std::array<std::uint32_t, 4> words_{};
  std::size_t next_ = 4;
};

}  // namespace minitrain::inline MINITRAIN_ABI
