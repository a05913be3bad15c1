// Dropout, once per instruction set; see cpu/for_each_isa.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// keep[j] = 1 where the word of column 64·group + j reaches the threshold, else 0: philox4x32 of core/random.hpp for
/// 16 blocks at once.
MINITRAIN_INLINE void keep_or_drop(const DropoutKey& key, std::uint64_t row, std::size_t group, std::uint32_t threshold,
                                   float* keep) {
  const DropoutBlock first(key, row, static_cast<std::uint32_t>(16 * group));
  std::uint32_t k0 = first.key[0], k1 = first.key[1];
  Words c0 = Words::count_from(first.counter[0]), c1 = Words::set(first.counter[1]);
  Words c2 = Words::set(first.counter[2]), c3 = Words::set(first.counter[3]);
  for (int round = 0; round < 10; ++round) {
    const Words p0 = multiply(c0, 0xD2511F53u), p1 = multiply(c2, 0xCD9E8D57u);
    c0 = high(p1) ^ c1 ^ Words::set(k0);
    c1 = p1;
    c2 = high(p0) ^ c3 ^ Words::set(k1);
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  c0.store_at_least(threshold, keep);
  c1.store_at_least(threshold, keep + 16);
  c2.store_at_least(threshold, keep + 32);
  c3.store_at_least(threshold, keep + 48);
}

/// y = x·scale where the element's word reaches the threshold, else 0.
template <class T>
MINITRAIN_TARGET void dropout_rows(const DropoutKey& key, std::uint32_t threshold, T scale, const T* x,
                                   std::size_t rows, std::size_t n, T* y) {
  using V = Vec<T>;
  alignas(64) float keep[64];
  for (std::size_t i = 0; i < rows; ++i, x += n, y += n) {
    for (std::size_t begin = 0; begin < n; begin += 64) {
      keep_or_drop(key, i, begin / 64, threshold, keep);
      for (std::size_t j = 0; j < 64 && begin + j < n; j += V::lanes) {
        T stays[V::lanes];
        for (int l = 0; l < V::lanes; ++l) stays[l] = T(keep[j + l]);
        const std::size_t at = begin + j, left = n - at;
        const V scaled = load_left<V>(x + at, left) * V::set(scale);
        store_left<V>(select(greater(V::load(stays), V::zero()), scaled, V::zero()), y + at, left);
      }
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
