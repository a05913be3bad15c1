#pragma once
// Dynamic codes: one byte for a number relative to the largest of its block, for optimizer state.

#include <minitrain/config.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#define MINITRAIN_ISA dynamic_codes
#define MINITRAIN_INLINE constexpr
#include <minitrain/core/elements/dynamic_code.inl>
#undef MINITRAIN_ISA
#undef MINITRAIN_INLINE

namespace minitrain::inline MINITRAIN_ABI {

/// The numbers of the 256 codes, ascending: seven decades below 1, the coarsest steps in the highest; what
/// create_dynamic_map() of bitsandbytes returns.
/// Source: Dettmers, Lewis, Shleifer and Zettlemoyer, "8-bit Optimizers via Block-wise Quantization", 2022,
/// arXiv:2110.02861.
struct DynamicCode {
  static constexpr std::size_t block = 256;  // elements that share a largest magnitude

  std::array<float, 256> numbers{};
  unsigned zero = 0;  // the code of 0
  unsigned top = 0;   // places from there to the code of 1

  /// Where the number at a place ends: the middle, as a float, between it and the next one; infinity at the top.
  std::array<float, 256> borders{};
  /// The place of the number nearest to x, or next below it, found by the upper bits of x: x in [0, 1], from 2^-24 on,
  /// as 24·128 ranges, none of which has two borders in it.
  std::array<std::uint8_t, 24 * 128 + 1> places{};
  static constexpr std::uint32_t lowest = (127 - 24) << 7;

  /// The place of the number nearest to x, above or at `zero`; 0 where x is NaN.
  constexpr unsigned place(float x) const noexcept {
    if (!(x <= 1)) return 0;
    const std::uint32_t range = std::bit_cast<std::uint32_t>(x) >> 16;
    const unsigned near = places[range > lowest ? range - lowest : 0];
    return near + (x > borders[near] ? 1 : 0);
  }

  constexpr void fill_places() noexcept {
    borders.fill(std::numeric_limits<float>::infinity());
    for (unsigned i = 0; i < top; ++i) borders[i] = dynamic_codes::between(numbers[zero + i], numbers[zero + i + 1]);
    unsigned place = 0;
    for (std::uint32_t i = 0; i < places.size(); ++i) {
      const float x = i == 0 ? 0 : std::bit_cast<float>((lowest + i) << 16);
      while (x > borders[place]) ++place;
      places[i] = static_cast<std::uint8_t>(place);
    }
  }
};

constexpr DynamicCode make_signed_code() noexcept {
  DynamicCode c;
  c.zero = 127, c.top = 128;
  for (unsigned i = 0; i < 256; ++i) c.numbers[i] = dynamic_codes::signed_number(i);
  c.fill_places();
  return c;
}
constexpr DynamicCode make_unsigned_code() noexcept {
  DynamicCode c;
  c.zero = 0, c.top = 255;
  for (unsigned i = 0; i < 256; ++i) c.numbers[i] = dynamic_codes::unsigned_number(i);
  c.fill_places();
  return c;
}

inline constexpr DynamicCode signed_code = make_signed_code();
inline constexpr DynamicCode unsigned_code = make_unsigned_code();

/// Blocks of so many elements.
constexpr std::size_t code_blocks(std::size_t elements) noexcept {
  return (elements + DynamicCode::block - 1) / DynamicCode::block;
}

}  // namespace minitrain::inline MINITRAIN_ABI
