// Half precision by integer arithmetic: the same bits whatever the compiler and the processor's mode, denormals
// included.

#include <simt/kernel.hpp>

#include <bit>

namespace simt {

std::uint16_t float_to_half(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0x7fff;                                       // NaN, as the device has it
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // rounds to 65536 or more
  if (magnitude < 0x33000001u) return static_cast<std::uint16_t>(sign);             // at most half of the least
  const std::uint32_t exponent = magnitude >> 23;
  std::uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;
  std::uint32_t half = 0, dropped = 13;
  if (exponent < 113) {  // denormal: the unit is 2^-24
    dropped = 126 - exponent;
    half = significand >> dropped;
  } else {
    half = ((exponent - 112) << 10) + ((significand & 0x7fffffu) >> 13);
  }
  const std::uint32_t rest = significand & ((1u << dropped) - 1), tie = 1u << (dropped - 1);
  if (rest > tie || (rest == tie && (half & 1u) != 0)) ++half;  // a carry into the exponent is what it should be
  return static_cast<std::uint16_t>(sign | half);
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half} >> 15 << 31, magnitude = half & 0x7fffu;
  if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  if (magnitude >= 0x400u) return std::bit_cast<float>(sign | ((magnitude << 13) + (112u << 23)));
  if (magnitude == 0) return std::bit_cast<float>(sign);
  const auto shift = static_cast<std::uint32_t>(std::countl_zero(magnitude)) - 21;  // makes bit 10 the first
  return std::bit_cast<float>(sign | ((113 - shift) << 23) | (magnitude << (shift + 13) & 0x7fffffu));
}

}  // namespace simt
