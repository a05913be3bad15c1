#pragma once
// Words for AVX-512. Include cpu/simd.hpp, not this file.

namespace minitrain::inline MINITRAIN_ABI::cpu::avx512 {

/// 16 unsigned words of 32 bits, each the low half of a 64-bit lane so that products have room; the high halves hold
/// anything. The first register has the words with even numbers.
struct Words {
  __m512i even, odd;

  MINITRAIN_INLINE_AVX512 static Words set(std::uint32_t x) {
    const __m512i v = _mm512_set1_epi32(static_cast<int>(x));
    return {v, v};
  }
  /// first, first + 1, ..., first + 15
  MINITRAIN_INLINE_AVX512 static Words count_from(std::uint32_t first) {
    const __m512i v =
        _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first)), _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14));
    return {v, _mm512_add_epi32(v, _mm512_set1_epi32(1))};
  }
  /// The 64-bit products.
  MINITRAIN_INLINE_AVX512 friend Words multiply(Words a, std::uint32_t m) {
    const __m512i v = _mm512_set1_epi32(static_cast<int>(m));
    return {_mm512_maskz_mul_epu32(0xff, a.even, v), _mm512_maskz_mul_epu32(0xff, a.odd, v)};
  }
  /// The high halves, moved to the low halves.
  MINITRAIN_INLINE_AVX512 friend Words high(Words a) {
    return {_mm512_maskz_srli_epi64(0xff, a.even, 32), _mm512_maskz_srli_epi64(0xff, a.odd, 32)};
  }
  MINITRAIN_INLINE_AVX512 friend Words operator^(Words a, Words b) {
    return {_mm512_xor_si512(a.even, b.even), _mm512_xor_si512(a.odd, b.odd)};
  }
  /// y[i] = 1 where word i >= x, else 0.
  MINITRAIN_INLINE_AVX512 void store_at_least(std::uint32_t x, float* y) const {
    const __m512i w = _mm512_mask_mov_epi32(even, 0xaaaa, _mm512_maskz_slli_epi64(0xff, odd, 32));
    const __mmask16 reached = _mm512_cmpge_epu32_mask(w, _mm512_set1_epi32(static_cast<int>(x)));
    _mm512_storeu_ps(y, _mm512_maskz_mov_ps(reached, _mm512_set1_ps(1.0f)));
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI::cpu::avx512
