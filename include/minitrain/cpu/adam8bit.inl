// Codes of a block, once per instruction set; see cpu/for_each_isa.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// x = number of the code times `largest`, for `count` elements.
template <class T>
MINITRAIN_TARGET void decode(const DynamicCode& c, const std::uint8_t* codes, T largest, std::size_t count, T* x) {
  for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<T>(c.numbers[codes[i]]) * largest;
}

/// Codes of x relative to their largest magnitude, which is returned; NaN if there is one. At most a block of them.
template <class T>
MINITRAIN_TARGET T encode(const DynamicCode& c, const T* x, std::size_t count, std::uint8_t* codes) {
  using V = Vec<T>;
  V most = V::zero(), bad = V::zero();
  for (std::size_t i = 0; i < count; i += V::lanes) {
    const V size = abs(load_left<V>(x + i, count - i));
    most = max(most, size);
    bad = fma(size, V::zero(), bad);  // NaN, where the size is NaN or infinity
  }
  T largest = most.largest();
  if (const T sum = bad.sum(); sum != sum) {
    for (std::size_t i = 0; i < count; ++i) {
      const T size = x[i] < 0 ? -x[i] : x[i];
      if (!(size <= largest) && largest == largest) largest = size;
    }
  }
  alignas(64) T relative[DynamicCode::block] = {};
  if (largest > 0) {
    for (std::size_t i = 0; i < count; i += V::lanes) {
      const std::size_t left = count - i;
      store_left<V>(abs(load_left<V>(x + i, left)) / V::set(largest), relative + i, left);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned place = c.place(static_cast<float>(relative[i]));
    // Below zero there is no 1, and the last place is the one before.
    codes[i] = static_cast<std::uint8_t>(x[i] < 0 ? c.zero - (place < c.zero ? place : c.zero) : c.zero + place);
  }
  return largest;
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
