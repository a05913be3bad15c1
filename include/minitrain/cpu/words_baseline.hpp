#pragma once
// Words for any processor. Include cpu/simd.hpp, not this file.

namespace minitrain::inline MINITRAIN_ABI::cpu::baseline {

/// 16 unsigned words of 32 bits, each the low half of a 64-bit lane so that products have room; the high halves hold
/// anything.
struct Words {
  std::uint64_t w[16];

  MINITRAIN_INLINE_BASELINE static Words set(std::uint32_t x) {
    Words r;
    for (std::uint64_t& lane : r.w) lane = x;
    return r;
  }
  /// first, first + 1, ..., first + 15
  MINITRAIN_INLINE_BASELINE static Words count_from(std::uint32_t first) {
    Words r;
    for (std::uint32_t i = 0; i < 16; ++i) r.w[i] = first + i;
    return r;
  }
  /// The 64-bit products.
  MINITRAIN_INLINE_BASELINE friend Words multiply(const Words& a, std::uint32_t m) {
    Words r;
    for (int i = 0; i < 16; ++i) r.w[i] = (a.w[i] & 0xffffffffu) * m;
    return r;
  }
  /// The high halves, moved to the low halves.
  MINITRAIN_INLINE_BASELINE friend Words high(const Words& a) {
    Words r;
    for (int i = 0; i < 16; ++i) r.w[i] = a.w[i] >> 32;
    return r;
  }
  MINITRAIN_INLINE_BASELINE friend Words operator^(const Words& a, const Words& b) {
    Words r;
    for (int i = 0; i < 16; ++i) r.w[i] = a.w[i] ^ b.w[i];
    return r;
  }
  /// y[i] = 1 where word i >= x, else 0.
  MINITRAIN_INLINE_BASELINE void store_at_least(std::uint32_t x, float* y) const {
    for (int i = 0; i < 16; ++i) y[i] = static_cast<std::uint32_t>(w[i]) >= x ? 1.0f : 0.0f;
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI::cpu::baseline
