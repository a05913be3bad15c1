#pragma once
// Vec for AVX2 with FMA: two registers of 32 bytes. Include cpu/simd.hpp, not this file.

namespace minitrain::inline MINITRAIN_ABI::cpu::avx2 {

template <class T>
struct Vec;

/// 16 floats in two registers.
template <>
struct Vec<float> {
  using value_type = float;
  static constexpr bool is_generic = false;
  static constexpr int lanes = 16;
  static constexpr int registers = 8;
  struct Mask {
    __m256 low, high;
  };
  __m256 low, high;

  MINITRAIN_INLINE_AVX2 static Vec zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  MINITRAIN_INLINE_AVX2 static Vec set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  MINITRAIN_INLINE_AVX2 static Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  /// 16 bytes as numbers 0 to 255.
  MINITRAIN_INLINE_AVX2 static Vec load(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
  }
  /// The first `count` elements, zero beyond them; nothing past them is read.
  MINITRAIN_INLINE_AVX2 static Vec load(const float* p, int count) {
    return {_mm256_maskload_ps(p, first(count)), _mm256_maskload_ps(p + 8, first(count - 8))};
  }
  MINITRAIN_INLINE_AVX2 void store(float* p) const {
    _mm256_storeu_ps(p, low);
    _mm256_storeu_ps(p + 8, high);
  }
  MINITRAIN_INLINE_AVX2 void store(float* p, int count) const {
    _mm256_maskstore_ps(p, first(count), low);
    _mm256_maskstore_ps(p + 8, first(count - 8), high);
  }
  MINITRAIN_INLINE_AVX2 friend Vec operator+(Vec a, Vec b) {
    return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Vec operator-(Vec a, Vec b) {
    return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Vec operator*(Vec a, Vec b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Vec operator/(Vec a, Vec b) {
    return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Vec min(Vec a, Vec b) {
    return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Vec max(Vec a, Vec b) {
    return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
  }
  /// a·b + c
  MINITRAIN_INLINE_AVX2 friend Vec fma(Vec a, Vec b, Vec c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  /// c - a·b
  MINITRAIN_INLINE_AVX2 friend Vec fnma(Vec a, Vec b, Vec c) {
    return {_mm256_fnmadd_ps(a.low, b.low, c.low), _mm256_fnmadd_ps(a.high, b.high, c.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Mask greater(Vec a, Vec b) {
    return {_mm256_cmp_ps(a.low, b.low, _CMP_GT_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_GT_OQ)};
  }
  MINITRAIN_INLINE_AVX2 friend Mask equal(Vec a, Vec b) {
    return {_mm256_cmp_ps(a.low, b.low, _CMP_EQ_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_EQ_OQ)};
  }
  /// mask ? a : b, lane by lane
  MINITRAIN_INLINE_AVX2 friend Vec select(Mask m, Vec a, Vec b) {
    return {_mm256_blendv_ps(b.low, a.low, m.low), _mm256_blendv_ps(b.high, a.high, m.high)};
  }
  /// low = a0 b0 a1 b1 ..., high = a8 b8 a9 b9 ...
  MINITRAIN_INLINE_AVX2 friend void zip(Vec a, Vec b, Vec& low, Vec& high) {
    low = zip_registers(a.low, b.low);
    high = zip_registers(a.high, b.high);
  }
  MINITRAIN_INLINE_AVX2 friend Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)}; }
  MINITRAIN_INLINE_AVX2 friend Vec abs(Vec a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
  }
  /// Nearest integer, ties to even.
  MINITRAIN_INLINE_AVX2 friend Vec round(Vec a) {
    constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(a.low, nearest), _mm256_round_ps(a.high, nearest)};
  }
  /// The bits of 0x5f3759df - (v >> 1): within 3.5 % of 1/sqrt(v) for positive normal v.
  MINITRAIN_INLINE_AVX2 friend Vec rsqrt_seed(Vec a) {
    const __m256i c = _mm256_set1_epi32(0x5f3759df);
    return {_mm256_castsi256_ps(_mm256_sub_epi32(c, _mm256_srai_epi32(_mm256_castps_si256(a.low), 1))),
            _mm256_castsi256_ps(_mm256_sub_epi32(c, _mm256_srai_epi32(_mm256_castps_si256(a.high), 1)))};
  }
  /// 2^n for integer-valued n in the range of normal numbers.
  MINITRAIN_INLINE_AVX2 friend Vec power_of_two(Vec n) {
    const Vec biased = n + set(12582912.0f + 127.0f);
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(biased.low), 23)),
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(biased.high), 23))};
  }
  /// v = m·2^e with m in [sqrt(1/2), sqrt(2)), for positive normal v.
  MINITRAIN_INLINE_AVX2 friend void split_exponent(Vec v, Vec& m, Vec& e) {
    split(v.low, m.low, e.low);
    split(v.high, m.high, e.high);
  }
  /// Sum over the lanes: across quarters (0+2)+(1+3), then inside the quarter (0+2)+(1+3).
  MINITRAIN_INLINE_AVX2 float sum() const {
    const __m256 pair = _mm256_add_ps(low, high);
    const __m128 quad = _mm_add_ps(_mm256_castps256_ps128(pair), _mm256_extractf128_ps(pair, 1));
    const __m128 half = _mm_add_ps(quad, _mm_movehl_ps(quad, quad));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
  MINITRAIN_INLINE_AVX2 float largest() const {
    const __m256 pair = _mm256_max_ps(low, high);
    const __m128 quad = _mm_max_ps(_mm256_castps256_ps128(pair), _mm256_extractf128_ps(pair, 1));
    const __m128 half = _mm_max_ps(quad, _mm_movehl_ps(quad, quad));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
  }

 private:
  MINITRAIN_INLINE_AVX2 static Vec zip_registers(__m256 a, __m256 b) {
    const __m256 even = _mm256_unpacklo_ps(a, b), odd = _mm256_unpackhi_ps(a, b);
    return {_mm256_permute2f128_ps(even, odd, 0x20), _mm256_permute2f128_ps(even, odd, 0x31)};
  }
  MINITRAIN_INLINE_AVX2 static __m256i first(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  MINITRAIN_INLINE_AVX2 static void split(__m256 v, __m256& m, __m256& e) {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i n = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);
    m = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(n, 23)));
    e = _mm256_cvtepi32_ps(n);
  }
};

/// 8 doubles in two registers.
template <>
struct Vec<double> {
  using value_type = double;
  static constexpr bool is_generic = false;
  static constexpr int lanes = 8;
  static constexpr int registers = 8;
  struct Mask {
    __m256d low, high;
  };
  __m256d low, high;

  MINITRAIN_INLINE_AVX2 static Vec zero() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
  MINITRAIN_INLINE_AVX2 static Vec set(double x) { return {_mm256_set1_pd(x), _mm256_set1_pd(x)}; }
  MINITRAIN_INLINE_AVX2 static Vec load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
  /// The first `count` elements, zero beyond them; nothing past them is read.
  MINITRAIN_INLINE_AVX2 static Vec load(const double* p, int count) {
    return {_mm256_maskload_pd(p, first(count)), _mm256_maskload_pd(p + 4, first(count - 4))};
  }
  /// 8 floats.
  MINITRAIN_INLINE_AVX2 static Vec load(const float* p) {
    return {_mm256_cvtps_pd(_mm_loadu_ps(p)), _mm256_cvtps_pd(_mm_loadu_ps(p + 4))};
  }
  MINITRAIN_INLINE_AVX2 static Vec load(const float* p, int count) {
    const __m128i order = _mm_setr_epi32(0, 1, 2, 3);
    return {_mm256_cvtps_pd(_mm_maskload_ps(p, _mm_cmpgt_epi32(_mm_set1_epi32(count), order))),
            _mm256_cvtps_pd(_mm_maskload_ps(p + 4, _mm_cmpgt_epi32(_mm_set1_epi32(count - 4), order)))};
  }
  MINITRAIN_INLINE_AVX2 void store(double* p) const {
    _mm256_storeu_pd(p, low);
    _mm256_storeu_pd(p + 4, high);
  }
  MINITRAIN_INLINE_AVX2 void store(double* p, int count) const {
    _mm256_maskstore_pd(p, first(count), low);
    _mm256_maskstore_pd(p + 4, first(count - 4), high);
  }
  MINITRAIN_INLINE_AVX2 friend Vec operator+(Vec a, Vec b) {
    return {_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Vec operator-(Vec a, Vec b) {
    return {_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Vec operator*(Vec a, Vec b) {
    return {_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Vec operator/(Vec a, Vec b) {
    return {_mm256_div_pd(a.low, b.low), _mm256_div_pd(a.high, b.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Vec min(Vec a, Vec b) {
    return {_mm256_min_pd(a.low, b.low), _mm256_min_pd(a.high, b.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Vec max(Vec a, Vec b) {
    return {_mm256_max_pd(a.low, b.low), _mm256_max_pd(a.high, b.high)};
  }
  /// a·b + c
  MINITRAIN_INLINE_AVX2 friend Vec fma(Vec a, Vec b, Vec c) {
    return {_mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high)};
  }
  /// c - a·b
  MINITRAIN_INLINE_AVX2 friend Vec fnma(Vec a, Vec b, Vec c) {
    return {_mm256_fnmadd_pd(a.low, b.low, c.low), _mm256_fnmadd_pd(a.high, b.high, c.high)};
  }
  MINITRAIN_INLINE_AVX2 friend Mask greater(Vec a, Vec b) {
    return {_mm256_cmp_pd(a.low, b.low, _CMP_GT_OQ), _mm256_cmp_pd(a.high, b.high, _CMP_GT_OQ)};
  }
  MINITRAIN_INLINE_AVX2 friend Mask equal(Vec a, Vec b) {
    return {_mm256_cmp_pd(a.low, b.low, _CMP_EQ_OQ), _mm256_cmp_pd(a.high, b.high, _CMP_EQ_OQ)};
  }
  /// mask ? a : b, lane by lane
  MINITRAIN_INLINE_AVX2 friend Vec select(Mask m, Vec a, Vec b) {
    return {_mm256_blendv_pd(b.low, a.low, m.low), _mm256_blendv_pd(b.high, a.high, m.high)};
  }
  /// low = a0 b0 a1 b1 ..., high = a4 b4 a5 b5 ...
  MINITRAIN_INLINE_AVX2 friend void zip(Vec a, Vec b, Vec& low, Vec& high) {
    low = zip_registers(a.low, b.low);
    high = zip_registers(a.high, b.high);
  }
  MINITRAIN_INLINE_AVX2 friend Vec sqrt(Vec a) { return {_mm256_sqrt_pd(a.low), _mm256_sqrt_pd(a.high)}; }
  MINITRAIN_INLINE_AVX2 friend Vec abs(Vec a) {
    const __m256d sign = _mm256_set1_pd(-0.0);
    return {_mm256_andnot_pd(sign, a.low), _mm256_andnot_pd(sign, a.high)};
  }
  /// Nearest integer, ties to even.
  MINITRAIN_INLINE_AVX2 friend Vec round(Vec a) {
    constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_pd(a.low, nearest), _mm256_round_pd(a.high, nearest)};
  }
  /// 2^n for integer-valued n in the range of normal numbers.
  MINITRAIN_INLINE_AVX2 friend Vec power_of_two(Vec n) {
    const Vec biased = n + set(6755399441055744.0 + 1023.0);
    return {_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(biased.low), 52)),
            _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(biased.high), 52))};
  }
  /// v = m·2^e with m in [sqrt(1/2), sqrt(2)), for positive normal v.
  MINITRAIN_INLINE_AVX2 friend void split_exponent(Vec v, Vec& m, Vec& e) {
    split(v.low, m.low, e.low);
    split(v.high, m.high, e.high);
  }
  /// Sum over the lanes: across quarters (0+2)+(1+3), then inside the quarter 0+1.
  MINITRAIN_INLINE_AVX2 double sum() const {
    const __m256d pair = _mm256_add_pd(low, high);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(pair), _mm256_extractf128_pd(pair, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
  MINITRAIN_INLINE_AVX2 double largest() const {
    const __m256d pair = _mm256_max_pd(low, high);
    const __m128d two = _mm_max_pd(_mm256_castpd256_pd128(pair), _mm256_extractf128_pd(pair, 1));
    return _mm_cvtsd_f64(_mm_max_sd(two, _mm_unpackhi_pd(two, two)));
  }

 private:
  MINITRAIN_INLINE_AVX2 static Vec zip_registers(__m256d a, __m256d b) {
    const __m256d even = _mm256_unpacklo_pd(a, b), odd = _mm256_unpackhi_pd(a, b);
    return {_mm256_permute2f128_pd(even, odd, 0x20), _mm256_permute2f128_pd(even, odd, 0x31)};
  }
  MINITRAIN_INLINE_AVX2 static __m256i first(int count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
  }
  MINITRAIN_INLINE_AVX2 static void split(__m256d v, __m256d& m, __m256d& e) {
    // No arithmetic shift of 64-bit integers here: biased exponents are positive, so a logical shift of bits - half +
    // 2^62 serves, and the exponent becomes a double by way of the magic number 1.5·2^52.
    const __m256i bits = _mm256_castpd_si256(v);
    const __m256i offset = _mm256_set1_epi64x(0x4000000000000000 - 0x3fe6a09e667f3bcd);
    const __m256i n = _mm256_sub_epi64(_mm256_srli_epi64(_mm256_add_epi64(bits, offset), 52), _mm256_set1_epi64x(1024));
    m = _mm256_castsi256_pd(_mm256_sub_epi64(bits, _mm256_slli_epi64(n, 52)));
    const __m256d magic = _mm256_set1_pd(6755399441055744.0);
    e = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(n, _mm256_castpd_si256(magic))), magic);
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI::cpu::avx2
