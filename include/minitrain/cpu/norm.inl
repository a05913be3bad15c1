// Sums in 32 lanes, once per instruction set; see cpu/for_each_isa.hpp and core/gradient_norm.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

template <bool Square, class V>
MINITRAIN_INLINE V add_term(V term, V sum) {
  if constexpr (Square) {
    return fma(term, term, sum);
  } else {
    return sum + term;
  }
}

/// Four vectors are the 32 lanes; Vec::sum() ends the tree.
template <bool Squares, class T>
MINITRAIN_TARGET double sum_in_lanes(const T* terms, std::size_t count) {
  using V = Vec<double>;
  static_assert(4 * V::lanes == SumOfSquaresOrder::lanes);
  V a = V::zero(), b = V::zero(), c = V::zero(), d = V::zero();
  std::size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    a = add_term<Squares, V>(V::load(terms + i), a);
    b = add_term<Squares, V>(V::load(terms + i + 8), b);
    c = add_term<Squares, V>(V::load(terms + i + 16), c);
    d = add_term<Squares, V>(V::load(terms + i + 24), d);
  }
  if (const int left = static_cast<int>(count - i); left > 0) {
    a = add_term<Squares, V>(V::load(terms + i, left), a);
    b = add_term<Squares, V>(V::load(terms + i + 8, left - 8), b);
    c = add_term<Squares, V>(V::load(terms + i + 16, left - 16), c);
    d = add_term<Squares, V>(V::load(terms + i + 24, left - 24), d);
  }
  return ((a + c) + (b + d)).sum();
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
