#pragma once
// Numbers that core/elements/functions.inl is made of: polynomial coefficients and the limits of each scalar type.

#include <minitrain/config.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Coefficients come highest power first. Those of `exponential` and `normal_tail` are least-maximum fits, each rounded
/// to the scalar and the rest fitted again; their errors are 2^-27.3 and 2^-25.7 (float), 2^-54.4 and 2^-54.8 (double)
/// of the value. Those of `logarithm` are from FreeBSD's msun (float) and Sun's fdlibm (double).
template <class T>
struct MathConstants;

template <>
struct MathConstants<float> {
  static constexpr float smallest_normal = 0x1p-126f;
  static constexpr float largest = 0x1.fffffep+127f;
  static constexpr float infinity = __builtin_huge_valf();
  static constexpr float nan = __builtin_nanf("");
  static constexpr float log2_e = 0x1.715476p+0f;
  /// ln 2 in two parts; an exponent times the first is exact.
  static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
  /// exp: below `exp_lowest` the result is 0 (2^-127, not a normal number); powers of two go up to `exponent_max`.
  static constexpr float exp_lowest = -88.0f, exponent_max = 127.0f;
  /// (exp(r) - 1 - r) / r² on [-0.347, 0.694]
  static constexpr float exponential[] = {0x1.ded706p-13f, 0x1.6b9104p-10f, 0x1.10e3e6p-7f,
                                          0x1.55567cp-5f,  0x1.555576p-3f,  0x1p-1f};
  /// (log((1 + s) / (1 - s)) - 2s) / s³ in s², on [-0.1716, 0.1716]
  static constexpr float logarithm[] = {0xf89e26p-26f, 0x91e9eep-25f, 0xccce13p-25f, 0xaaaaaap-24f};
  /// Beyond `tanh_one`, tanh is 1; beyond -`normal_lowest`, the normal density is 0.
  static constexpr float tanh_one = 10.0f, normal_lowest = 13.25f;
  /// Multiples of 1/normal_grid up to normal_lowest have exact squares.
  static constexpr float normal_grid = 64.0f;
  static constexpr float inverse_sqrt_2pi = 0x1.988454p-2f;
  /// Phi(-t)·exp(t²/2)·(t + 4) in (t - 4) / (t + 4), on [0, 14]
  static constexpr float normal_tail[] = {-0x1.0956aep-13f, 0x1.9eb57p-13f, 0x1.9edf9ep-10f, -0x1.cdaa3cp-9f,
                                          -0x1.edcfacp-8f,  0x1.eed7eep-5f, -0x1.7dfef4p-3f, 0x1.8c6d8ep-2f,
                                          -0x1.373e3cp-1f,  0x1.82b4bcp-1f};
};

template <>
struct MathConstants<double> {
  static constexpr double smallest_normal = 0x1p-1022;
  static constexpr double largest = 0x1.fffffffffffffp+1023;
  static constexpr double infinity = __builtin_huge_val();
  static constexpr double nan = __builtin_nan("");
  static constexpr double log2_e = 0x1.71547652b82fep+0;
  static constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
  static constexpr double exp_lowest = -709.0, exponent_max = 1023.0;
  static constexpr double exponential[] = {0x1.4f77a674b7561p-29,
                                           0x1.ab25cd5a0ca56p-26,
                                           0x1.27d6af16364a0p-22,
                                           0x1.71e06cc7c0fe2p-19,
                                           0x1.a019fded2fa59p-16,
                                           0x1.a01a00ae772adp-13,
                                           0x1.6c16c16f6c426p-10,
                                           0x1.111111113ae0dp-7,
                                           0x1.5555555554730p-5,
                                           0x1.55555555554bep-3,
                                           0x1p-1};
  static constexpr double logarithm[] = {0x1.2f112df3e5244p-3, 0x1.39a09d078c69fp-3, 0x1.7466496cb03dep-3,
                                         0x1.c71c51d8e78afp-3, 0x1.2492494229359p-2, 0x1.999999997fa04p-2,
                                         0x1.5555555555593p-1};
  static constexpr double tanh_one = 20.0, normal_lowest = 37.66;
  static constexpr double normal_grid = 0x1p+20;
  static constexpr double inverse_sqrt_2pi = 0x1.9884533d43651p-2;
  static constexpr double normal_tail[] = {
      -0x1.4cb38e7bd0018p-30, -0x1.4db29ce1e1aaap-32, 0x1.fb49eb4bf7e07p-27, 0x1.126c44c90786ap-26,
      -0x1.4d6ebfc77287fp-24, -0x1.5014eed69896bp-23, 0x1.1c498de518d8ap-22, 0x1.124bc96e844d5p-20,
      -0x1.4ff15a13a6142p-21, -0x1.8d495a89a22abp-18, 0x1.7ffee9f963223p-21, 0x1.26d06dd3f960ep-15,
      -0x1.0014326241e3dp-19, -0x1.e4a422a6ee2fep-13, 0x1.17a4a8b1bffdfp-13, 0x1.ab825fb623964p-10,
      -0x1.c81719cef5f13p-9,  -0x1.ee27610458b6bp-8,  0x1.eec4cc3e4a7b6p-5,  -0x1.7dff2bff683fap-3,
      0x1.8c6dbf2cfc2a7p-2,   -0x1.373e3a893c28ap-1,  0x1.82b4bb8c94dcep-1};
};

}  // namespace minitrain::inline MINITRAIN_ABI
