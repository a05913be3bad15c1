#pragma once
// Words for AVX2. Include cpu/simd.hpp, not this file.

namespace minitrain::inline MINITRAIN_ABI::cpu::avx2 {

/// 16 unsigned words of 32 bits, each the low half of a 64-bit lane so that products have room; the high halves hold
/// anything. Words 0, 2, 4, 6 are in even[0], words 1, 3, 5, 7 in odd[0], and so on.
struct Words {
  __m256i even[2], odd[2];

  MINITRAIN_INLINE_AVX2 static Words set(std::uint32_t x) {
    const __m256i v = _mm256_set1_epi32(static_cast<int>(x));
    return {{v, v}, {v, v}};
  }
  /// first, first + 1, ..., first + 15
  MINITRAIN_INLINE_AVX2 static Words count_from(std::uint32_t first) {
    const __m256i low = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(first)), _mm256_setr_epi64x(0, 2, 4, 6));
    const __m256i high = _mm256_add_epi32(low, _mm256_set1_epi32(8)), one = _mm256_set1_epi32(1);
    return {{low, high}, {_mm256_add_epi32(low, one), _mm256_add_epi32(high, one)}};
  }
  /// The 64-bit products.
  MINITRAIN_INLINE_AVX2 friend Words multiply(const Words& a, std::uint32_t m) {
    const __m256i v = _mm256_set1_epi32(static_cast<int>(m));
    return {{_mm256_mul_epu32(a.even[0], v), _mm256_mul_epu32(a.even[1], v)},
            {_mm256_mul_epu32(a.odd[0], v), _mm256_mul_epu32(a.odd[1], v)}};
  }
  /// The high halves, moved to the low halves.
  MINITRAIN_INLINE_AVX2 friend Words high(const Words& a) {
    return {{_mm256_srli_epi64(a.even[0], 32), _mm256_srli_epi64(a.even[1], 32)},
            {_mm256_srli_epi64(a.odd[0], 32), _mm256_srli_epi64(a.odd[1], 32)}};
  }
  MINITRAIN_INLINE_AVX2 friend Words operator^(const Words& a, const Words& b) {
    return {{_mm256_xor_si256(a.even[0], b.even[0]), _mm256_xor_si256(a.even[1], b.even[1])},
            {_mm256_xor_si256(a.odd[0], b.odd[0]), _mm256_xor_si256(a.odd[1], b.odd[1])}};
  }
  /// y[i] = 1 where word i >= x, else 0.
  MINITRAIN_INLINE_AVX2 void store_at_least(std::uint32_t x, float* y) const {
    const __m256i limit = _mm256_set1_epi32(static_cast<int>(x)), one = _mm256_castps_si256(_mm256_set1_ps(1.0f));
    for (int half = 0; half < 2; ++half) {
      const __m256i w = _mm256_blend_epi32(even[half], _mm256_slli_epi64(odd[half], 32), 0xaa);
      const __m256i reached = _mm256_cmpeq_epi32(_mm256_max_epu32(w, limit), w);
      _mm256_storeu_ps(y + 8 * half, _mm256_castsi256_ps(_mm256_and_si256(reached, one)));
    }
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI::cpu::avx2
