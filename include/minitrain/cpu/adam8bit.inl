// Codes of a block, once per instruction set; see cpu/for_each_isa.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// x = number of the code times `largest`, for `count` elements.
template <class T>
MINITRAIN_TARGET void decode(const DynamicCode& c, const std::uint8_t* codes, T largest, std::size_t count, T* x) {
  for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<T>(c.numbers[codes[i]]) * largest;
}

/// Codes of x relative to their largest magnitude, which is returned; NaN if there is one.
template <class T>
MINITRAIN_TARGET T encode(const DynamicCode& c, const T* x, std::size_t count, std::uint8_t* codes) {
  T largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const T size = x[i] < 0 ? -x[i] : x[i];
    if (!(size <= largest)) largest = largest != largest ? largest : size;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const T size = x[i] < 0 ? -x[i] : x[i];
    const unsigned place = c.place(largest > 0 ? static_cast<float>(size / largest) : 0.0f);
    // Below zero there is no 1, and the last place is the one before.
    codes[i] = static_cast<std::uint8_t>(x[i] < 0 ? c.zero - (place < c.zero ? place : c.zero) : c.zero + place);
  }
  return largest;
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
