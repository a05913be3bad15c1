// Dynamic codes: bytes for numbers in [-1, 1] or [0, 1], finer the smaller they are; see core/dynamic_code.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// The number at `place` of those that are not negative, in ascending order: 0; then of seven decades, the last one
/// ending at 1, decade i = 0, ..., 6 with n = first·2^i numbers, the middles of n equal parts of it; then 1. Integers,
/// but for the last division: (0.1 + 0.9·(k + 1/2)/n) / 10^(6 - i) = (2n + 18k + 9) / (20n·10^(6 - i)).
MINITRAIN_INLINE float dynamic_number(unsigned place, unsigned first) {
  if (place == 0) return 0.0f;
  const unsigned q = place - 1 + first;
  unsigned n = first, power = 1000000;
  for (; q >= 2 * n && power > 1; power /= 10) n *= 2;
  if (q >= 2 * n) return 1.0f;
  const unsigned k = q - n;
  return static_cast<float>(static_cast<double>(2 * n + 18 * k + 9) / static_cast<double>(20 * n * power));
}

/// The number of a signed code: 127 is 0, and what is above it positive.
MINITRAIN_INLINE float signed_number(unsigned code) {
  return code >= 127 ? dynamic_number(code - 127, 1) : -dynamic_number(127 - code, 1);
}
/// The number of a code for what is never negative.
MINITRAIN_INLINE float unsigned_number(unsigned code) { return dynamic_number(code, 2); }

/// Where one number ends and the next, larger one begins: what lies between is given to the nearer, and the middle to
/// the smaller.
MINITRAIN_INLINE float between(float a, float b) { return (a + b) * 0.5f; }

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
