// Bytes to floats, once per instruction set; see cpu/for_each_isa.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// out[i] = scale·bytes[i] + offset, i < count, rounded once. The baseline has no fma() and takes them one by one.
template <class V>
MINITRAIN_TARGET void widen_bytes(const std::uint8_t* bytes, std::size_t count, float scale, float offset, float* out) {
  std::size_t i = 0;
  if constexpr (!std::is_same_v<V, baseline::Vec<float>>) {
    const V a = V::set(scale), b = V::set(offset);
    for (; i + V::lanes <= count; i += V::lanes) fma(V::load(bytes + i), a, b).store(out + i);
  }
  for (; i < count; ++i) out[i] = widen_byte(bytes[i], scale, offset);
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
