#pragma once
// Vec for any scalar and any processor: float and double in 16-byte vectors, everything else (dual numbers) one by one.
// Include cpu/simd.hpp, not this file.

#include <cmath>
#include <cstring>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI::cpu::baseline {

/// One element of any scalar type T: what runs kernels on dual numbers.
template <class T>
struct Vec {
  using value_type = T;
  static constexpr bool is_generic = true;  // not a machine number
  static constexpr int lanes = 1;
  static constexpr int registers = 4;  // how many vectors the processor can hold
  using Mask = bool;
  T v;

  static Vec zero() { return {T(0)}; }
  static Vec set(T x) { return {x}; }
  static Vec load(const T* p) { return {*p}; }
  static Vec load(const T* p, int count) { return {count > 0 ? *p : T(0)}; }
  void store(T* p) const { *p = v; }
  void store(T* p, int count) const {
    if (count > 0) *p = v;
  }

  friend Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
  friend Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
  friend Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
  friend Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
  /// a·b + c
  friend Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
  /// c - a·b
  friend Vec fnma(Vec a, Vec b, Vec c) { return {c.v - a.v * b.v}; }
  friend Vec min(Vec a, Vec b) { return a.v < b.v ? a : b; }
  friend Vec max(Vec a, Vec b) { return a.v > b.v ? a : b; }
  friend Mask greater(Vec a, Vec b) { return a.v > b.v; }
  friend Mask equal(Vec a, Vec b) { return a.v == b.v; }
  /// mask ? a : b, lane by lane
  friend Vec select(Mask mask, Vec a, Vec b) { return mask ? a : b; }
  friend Vec sqrt(Vec a) {
    using std::sqrt;
    return {sqrt(a.v)};
  }
  /// Sum over the lanes in the one order that all instruction sets share.
  T sum() const { return v; }
  T largest() const { return v; }
};

/// Four (float) or four (double) registers of 16 bytes: 16 or 8 lanes.
template <class T, class Bits>
struct Quad {
  using value_type = T;
  static constexpr bool is_generic = false;
  static constexpr int width = 16 / sizeof(T);
  static constexpr int lanes = 4 * width;
  static constexpr int registers = 4;
  using Register __attribute__((vector_size(16))) = T;
  using Integers __attribute__((vector_size(16))) = Bits;
  using Unsigned __attribute__((vector_size(16))) = std::make_unsigned_t<Bits>;  // whose sums may wrap around
  struct Mask {
    Integers q[4];
  };
  Register q[4];

  MINITRAIN_INLINE_BASELINE static Quad zero() { return set(T(0)); }
  MINITRAIN_INLINE_BASELINE static Quad set(T x) {
    const Register r = x - Register{};
    return {{r, r, r, r}};
  }
  MINITRAIN_INLINE_BASELINE static Quad load(const T* p) {
    Quad r;
    std::memcpy(&r, p, sizeof r);
    return r;
  }
  MINITRAIN_INLINE_BASELINE static Quad load(const T* p, int count) {
    Quad r = zero();
    if (count > 0) std::memcpy(&r, p, static_cast<std::size_t>(count < lanes ? count : lanes) * sizeof(T));
    return r;
  }
  MINITRAIN_INLINE_BASELINE void store(T* p) const { std::memcpy(p, this, sizeof *this); }
  MINITRAIN_INLINE_BASELINE void store(T* p, int count) const {
    if (count > 0) std::memcpy(p, this, static_cast<std::size_t>(count < lanes ? count : lanes) * sizeof(T));
  }

  MINITRAIN_INLINE_BASELINE friend Quad operator+(Quad a, Quad b) {
    return {{a.q[0] + b.q[0], a.q[1] + b.q[1], a.q[2] + b.q[2], a.q[3] + b.q[3]}};
  }
  MINITRAIN_INLINE_BASELINE friend Quad operator-(Quad a, Quad b) {
    return {{a.q[0] - b.q[0], a.q[1] - b.q[1], a.q[2] - b.q[2], a.q[3] - b.q[3]}};
  }
  MINITRAIN_INLINE_BASELINE friend Quad operator*(Quad a, Quad b) {
    return {{a.q[0] * b.q[0], a.q[1] * b.q[1], a.q[2] * b.q[2], a.q[3] * b.q[3]}};
  }
  MINITRAIN_INLINE_BASELINE friend Quad operator/(Quad a, Quad b) {
    return {{a.q[0] / b.q[0], a.q[1] / b.q[1], a.q[2] / b.q[2], a.q[3] / b.q[3]}};
  }
  MINITRAIN_INLINE_BASELINE friend Quad fma(Quad a, Quad b, Quad c) { return a * b + c; }
  MINITRAIN_INLINE_BASELINE friend Quad fnma(Quad a, Quad b, Quad c) { return c - a * b; }
  MINITRAIN_INLINE_BASELINE friend Mask greater(Quad a, Quad b) {
    return {{a.q[0] > b.q[0], a.q[1] > b.q[1], a.q[2] > b.q[2], a.q[3] > b.q[3]}};
  }
  MINITRAIN_INLINE_BASELINE friend Mask equal(Quad a, Quad b) {
    return {{a.q[0] == b.q[0], a.q[1] == b.q[1], a.q[2] == b.q[2], a.q[3] == b.q[3]}};
  }
  MINITRAIN_INLINE_BASELINE friend Quad select(Mask m, Quad a, Quad b) {
    Quad r;
    for (int i = 0; i < 4; ++i) r.q[i] = (Register)(((Integers)a.q[i] & m.q[i]) | ((Integers)b.q[i] & ~m.q[i]));
    return r;
  }
  /// As the instruction: the second operand where either is NaN.
  MINITRAIN_INLINE_BASELINE friend Quad min(Quad a, Quad b) { return select(greater(b, a), a, b); }
  MINITRAIN_INLINE_BASELINE friend Quad max(Quad a, Quad b) { return select(greater(a, b), a, b); }
  /// low = a0 b0 a1 b1 ..., high = the same of the upper halves.
  MINITRAIN_INLINE_BASELINE friend void zip(Quad a, Quad b, Quad& low, Quad& high) {
    T lower[lanes], upper[lanes];
    for (int i = 0; i < lanes; ++i) {
      const int from = i / 2, above = from + lanes / 2;
      lower[i] = (i % 2 == 0 ? a : b).q[from / width][from % width];
      upper[i] = (i % 2 == 0 ? a : b).q[above / width][above % width];
    }
    low = load(lower);
    high = load(upper);
  }
  MINITRAIN_INLINE_BASELINE friend Quad sqrt(Quad a) {
    Quad r;
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < width; ++j) r.q[i][j] = std::sqrt(a.q[i][j]);
    }
    return r;
  }
  /// The bits of 0x5f3759df - (v >> 1): within 3.5 % of 1/sqrt(v) for positive normal v (float only).
  MINITRAIN_INLINE_BASELINE friend Quad rsqrt_seed(Quad a) {
    Quad r;
    for (int i = 0; i < 4; ++i) r.q[i] = (Register)(0x5f3759df - (Unsigned)((Integers)a.q[i] >> 1));
    return r;
  }
  /// Nearest integer, ties to even, for |v| below 2^22 (float) or 2^51 (double).
  MINITRAIN_INLINE_BASELINE friend Quad round(Quad a) {
    const Quad magic = set(sizeof(T) == 4 ? T(12582912.0) : T(6755399441055744.0));
    return (a + magic) - magic;
  }
  /// 2^n for integer-valued n in the range of normal numbers.
  MINITRAIN_INLINE_BASELINE friend Quad power_of_two(Quad n) {
    constexpr int mantissa = sizeof(T) == 4 ? 23 : 52;
    const Quad biased = n + set(sizeof(T) == 4 ? T(12582912.0 + 127) : T(6755399441055744.0 + 1023));
    Quad r;
    for (int i = 0; i < 4; ++i) r.q[i] = (Register)((Integers)biased.q[i] << mantissa);
    return r;
  }
  /// v = m·2^e with m in [sqrt(1/2), sqrt(2)), for positive normal v.
  MINITRAIN_INLINE_BASELINE friend void split_exponent(Quad v, Quad& m, Quad& e) {
    constexpr int mantissa = sizeof(T) == 4 ? 23 : 52;
    constexpr auto half = std::make_unsigned_t<Bits>(sizeof(T) == 4 ? 0x3f3504f3 : 0x3fe6a09e667f3bcd);  // sqrt(1/2)
    for (int i = 0; i < 4; ++i) {
      const Integers shifted = (Integers)((Unsigned)v.q[i] - half) >> mantissa;
      m.q[i] = (Register)((Unsigned)v.q[i] - (Unsigned)(shifted << mantissa));
      e.q[i] = __builtin_convertvector(shifted, Register);
    }
  }
  MINITRAIN_INLINE_BASELINE friend Quad abs(Quad a) {
    constexpr Bits sign = Bits(1) << (sizeof(T) * 8 - 1);
    Quad r;
    for (int i = 0; i < 4; ++i) r.q[i] = (Register)((Integers)a.q[i] & ~sign);
    return r;
  }

  MINITRAIN_INLINE_BASELINE T sum() const {
    // Across registers (0+2)+(1+3), then inside the register (0+2)+(1+3), or 0+1 for doubles.
    const Register s = (q[0] + q[2]) + (q[1] + q[3]);
    if constexpr (width == 4) {
      return (s[0] + s[2]) + (s[1] + s[3]);
    } else {
      return s[0] + s[1];
    }
  }
  MINITRAIN_INLINE_BASELINE T largest() const {
    T m = q[0][0];
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < width; ++j) m = m < q[i][j] ? q[i][j] : m;
    }
    return m;
  }
};

template <>
struct Vec<float> : Quad<float, std::int32_t> {
  Vec() = default;
  MINITRAIN_INLINE_BASELINE Vec(Quad q) : Quad(q) {}
};
template <>
struct Vec<double> : Quad<double, std::int64_t> {
  Vec() = default;
  MINITRAIN_INLINE_BASELINE Vec(Quad q) : Quad(q) {}
  using Quad::load;
  /// 8 floats.
  MINITRAIN_INLINE_BASELINE static Vec load(const float* p) { return load(p, lanes); }
  MINITRAIN_INLINE_BASELINE static Vec load(const float* p, int count) {
    Vec r;
    for (int i = 0; i < lanes; ++i) r.q[i / width][i % width] = i < count ? static_cast<double>(p[i]) : 0.0;
    return r;
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI::cpu::baseline
