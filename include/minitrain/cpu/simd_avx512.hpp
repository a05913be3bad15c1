#pragma once
// Vec for AVX-512: one register of 64 bytes. Include cpu/simd.hpp, not this file.

// Where an intrinsic has a maskz form, that one is used with a full mask: the same instruction, without g++ 12's false
// warning about the uninitialised value that its plain form passes around.

namespace minitrain::inline MINITRAIN_ABI::cpu::avx512 {

template <class T>
struct Vec;

/// 16 floats in one register.
template <>
struct Vec<float> {
  using value_type = float;
  static constexpr bool is_generic = false;
  static constexpr int lanes = 16;
  static constexpr int registers = 32;
  using Mask = __mmask16;
  __m512 v;

  MINITRAIN_INLINE_AVX512 static Vec zero() { return {_mm512_setzero_ps()}; }
  MINITRAIN_INLINE_AVX512 static Vec set(float x) { return {_mm512_set1_ps(x)}; }
  MINITRAIN_INLINE_AVX512 static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  /// 16 bytes as numbers 0 to 255. (The unmasked forms make g++ 12 warn of an uninitialised variable in its own
  /// header.)
  MINITRAIN_INLINE_AVX512 static Vec load(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm512_maskz_cvtepi32_ps(0xFFFF, _mm512_maskz_cvtepu8_epi32(0xFFFF, bytes))};
  }
  /// The first `count` elements, zero beyond them; nothing past them is read.
  MINITRAIN_INLINE_AVX512 static Vec load(const float* p, int count) {
    return {_mm512_maskz_loadu_ps(first(count), p)};
  }
  MINITRAIN_INLINE_AVX512 void store(float* p) const { _mm512_storeu_ps(p, v); }
  MINITRAIN_INLINE_AVX512 void store(float* p, int count) const { _mm512_mask_storeu_ps(p, first(count), v); }
  MINITRAIN_INLINE_AVX512 friend Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec min(Vec a, Vec b) { return {_mm512_maskz_min_ps(0xffff, a.v, b.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec max(Vec a, Vec b) { return {_mm512_maskz_max_ps(0xffff, a.v, b.v)}; }
  /// a·b + c
  MINITRAIN_INLINE_AVX512 friend Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  /// c - a·b
  MINITRAIN_INLINE_AVX512 friend Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
  MINITRAIN_INLINE_AVX512 friend Mask greater(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ); }
  MINITRAIN_INLINE_AVX512 friend Mask equal(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ); }
  /// mask ? a : b, lane by lane
  MINITRAIN_INLINE_AVX512 friend Vec select(Mask m, Vec a, Vec b) { return {_mm512_mask_mov_ps(b.v, m, a.v)}; }
  /// low = a0 b0 a1 b1 ..., high = a8 b8 a9 b9 ...
  MINITRAIN_INLINE_AVX512 friend void zip(Vec a, Vec b, Vec& low, Vec& high) {
    const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    low.v = _mm512_permutex2var_ps(a.v, first, b.v);
    high.v = _mm512_permutex2var_ps(a.v, second, b.v);
  }
  MINITRAIN_INLINE_AVX512 friend Vec sqrt(Vec a) { return {_mm512_maskz_sqrt_ps(0xffff, a.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec abs(Vec a) { return {_mm512_abs_ps(a.v)}; }
  /// Nearest integer, ties to even.
  MINITRAIN_INLINE_AVX512 friend Vec round(Vec a) {
    return {_mm512_maskz_roundscale_ps(0xffff, a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  /// The bits of 0x5f3759df - (v >> 1): within 3.5 % of 1/sqrt(v) for positive normal v.
  MINITRAIN_INLINE_AVX512 friend Vec rsqrt_seed(Vec a) {
    return {_mm512_castsi512_ps(
        _mm512_sub_epi32(_mm512_set1_epi32(0x5f3759df), _mm512_maskz_srai_epi32(0xffff, _mm512_castps_si512(a.v), 1)))};
  }
  /// 2^n for integer-valued n in the range of normal numbers.
  MINITRAIN_INLINE_AVX512 friend Vec power_of_two(Vec n) {
    const Vec biased = n + set(12582912.0f + 127.0f);
    return {_mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xffff, _mm512_castps_si512(biased.v), 23))};
  }
  /// v = m·2^e with m in [sqrt(1/2), sqrt(2)), for positive normal v.
  MINITRAIN_INLINE_AVX512 friend void split_exponent(Vec v, Vec& m, Vec& e) {
    const __m512i bits = _mm512_castps_si512(v.v);
    const __m512i n = _mm512_maskz_srai_epi32(0xffff, _mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f3504f3)), 23);
    m.v = _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_maskz_slli_epi32(0xffff, n, 23)));
    e.v = _mm512_maskz_cvtepi32_ps(0xffff, n);
  }
  /// Sum over the lanes: across quarters (0+2)+(1+3), then inside the quarter (0+2)+(1+3).
  MINITRAIN_INLINE_AVX512 float sum() const {
    const __m256 pair =
        _mm256_add_ps(_mm512_maskz_extractf32x8_ps(0xff, v, 0), _mm512_maskz_extractf32x8_ps(0xff, v, 1));
    const __m128 quad = _mm_add_ps(_mm256_castps256_ps128(pair), _mm256_extractf128_ps(pair, 1));
    const __m128 half = _mm_add_ps(quad, _mm_movehl_ps(quad, quad));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
  MINITRAIN_INLINE_AVX512 float largest() const {
    const __m256 pair =
        _mm256_max_ps(_mm512_maskz_extractf32x8_ps(0xff, v, 0), _mm512_maskz_extractf32x8_ps(0xff, v, 1));
    const __m128 quad = _mm_max_ps(_mm256_castps256_ps128(pair), _mm256_extractf128_ps(pair, 1));
    const __m128 half = _mm_max_ps(quad, _mm_movehl_ps(quad, quad));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
  }

 private:
  MINITRAIN_INLINE_AVX512 static __mmask16 first(int count) {
    return _cvtu32_mask16(_bzhi_u32(0xffff, count > 0 ? static_cast<unsigned>(count) : 0u));
  }
};

/// 8 doubles in one register.
template <>
struct Vec<double> {
  using value_type = double;
  static constexpr bool is_generic = false;
  static constexpr int lanes = 8;
  static constexpr int registers = 32;
  using Mask = __mmask8;
  __m512d v;

  MINITRAIN_INLINE_AVX512 static Vec zero() { return {_mm512_setzero_pd()}; }
  MINITRAIN_INLINE_AVX512 static Vec set(double x) { return {_mm512_set1_pd(x)}; }
  MINITRAIN_INLINE_AVX512 static Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
  /// The first `count` elements, zero beyond them; nothing past them is read.
  MINITRAIN_INLINE_AVX512 static Vec load(const double* p, int count) {
    return {_mm512_maskz_loadu_pd(first(count), p)};
  }
  /// 8 floats.
  MINITRAIN_INLINE_AVX512 static Vec load(const float* p) { return {_mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(p))}; }
  MINITRAIN_INLINE_AVX512 static Vec load(const float* p, int count) {
    return {_mm512_maskz_cvtps_pd(0xff, _mm256_maskz_loadu_ps(first(count), p))};
  }
  MINITRAIN_INLINE_AVX512 void store(double* p) const { _mm512_storeu_pd(p, v); }
  MINITRAIN_INLINE_AVX512 void store(double* p, int count) const { _mm512_mask_storeu_pd(p, first(count), v); }
  MINITRAIN_INLINE_AVX512 friend Vec operator+(Vec a, Vec b) { return {_mm512_add_pd(a.v, b.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_pd(a.v, b.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_pd(a.v, b.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec operator/(Vec a, Vec b) { return {_mm512_div_pd(a.v, b.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec min(Vec a, Vec b) { return {_mm512_maskz_min_pd(0xff, a.v, b.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec max(Vec a, Vec b) { return {_mm512_maskz_max_pd(0xff, a.v, b.v)}; }
  /// a·b + c
  MINITRAIN_INLINE_AVX512 friend Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  /// c - a·b
  MINITRAIN_INLINE_AVX512 friend Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_pd(a.v, b.v, c.v)}; }
  MINITRAIN_INLINE_AVX512 friend Mask greater(Vec a, Vec b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ); }
  MINITRAIN_INLINE_AVX512 friend Mask equal(Vec a, Vec b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ); }
  /// mask ? a : b, lane by lane
  MINITRAIN_INLINE_AVX512 friend Vec select(Mask m, Vec a, Vec b) { return {_mm512_mask_mov_pd(b.v, m, a.v)}; }
  /// low = a0 b0 a1 b1 ..., high = a4 b4 a5 b5 ...
  MINITRAIN_INLINE_AVX512 friend void zip(Vec a, Vec b, Vec& low, Vec& high) {
    low.v = _mm512_permutex2var_pd(a.v, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b.v);
    high.v = _mm512_permutex2var_pd(a.v, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b.v);
  }
  MINITRAIN_INLINE_AVX512 friend Vec sqrt(Vec a) { return {_mm512_maskz_sqrt_pd(0xff, a.v)}; }
  MINITRAIN_INLINE_AVX512 friend Vec abs(Vec a) { return {_mm512_abs_pd(a.v)}; }
  /// Nearest integer, ties to even.
  MINITRAIN_INLINE_AVX512 friend Vec round(Vec a) {
    return {_mm512_maskz_roundscale_pd(0xff, a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  /// 2^n for integer-valued n in the range of normal numbers.
  MINITRAIN_INLINE_AVX512 friend Vec power_of_two(Vec n) {
    const Vec biased = n + set(6755399441055744.0 + 1023.0);
    return {_mm512_castsi512_pd(_mm512_maskz_slli_epi64(0xff, _mm512_castpd_si512(biased.v), 52))};
  }
  /// v = m·2^e with m in [sqrt(1/2), sqrt(2)), for positive normal v.
  MINITRAIN_INLINE_AVX512 friend void split_exponent(Vec v, Vec& m, Vec& e) {
    const __m512i bits = _mm512_castpd_si512(v.v);
    const __m512i n = _mm512_maskz_srai_epi64(0xff, _mm512_sub_epi64(bits, _mm512_set1_epi64(0x3fe6a09e667f3bcd)), 52);
    m.v = _mm512_castsi512_pd(_mm512_sub_epi64(bits, _mm512_maskz_slli_epi64(0xff, n, 52)));
    e.v = _mm512_maskz_cvtepi64_pd(0xff, n);
  }
  /// Sum over the lanes: across quarters (0+2)+(1+3), then inside the quarter 0+1.
  MINITRAIN_INLINE_AVX512 double sum() const {
    const __m256d pair =
        _mm256_add_pd(_mm512_maskz_extractf64x4_pd(0xf, v, 0), _mm512_maskz_extractf64x4_pd(0xf, v, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(pair), _mm256_extractf128_pd(pair, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
  MINITRAIN_INLINE_AVX512 double largest() const {
    const __m256d pair =
        _mm256_max_pd(_mm512_maskz_extractf64x4_pd(0xf, v, 0), _mm512_maskz_extractf64x4_pd(0xf, v, 1));
    const __m128d two = _mm_max_pd(_mm256_castpd256_pd128(pair), _mm256_extractf128_pd(pair, 1));
    return _mm_cvtsd_f64(_mm_max_sd(two, _mm_unpackhi_pd(two, two)));
  }

 private:
  MINITRAIN_INLINE_AVX512 static __mmask8 first(int count) {
    return static_cast<__mmask8>(_bzhi_u32(0xff, count > 0 ? static_cast<unsigned>(count) : 0u));
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI::cpu::avx512
