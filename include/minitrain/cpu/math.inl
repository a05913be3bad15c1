// What kernels that walk along rows share, and the functions of a Vec; once per instruction set, see
// cpu/for_each_isa.hpp.

#include <minitrain/core/elements/functions.inl>

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// Loads, stores and masks for a row of which `left` elements, at least one, are still to come: a whole vector while
/// there is one. So that a loop over a row has one body.
template <class V>
MINITRAIN_INLINE V load_left(const typename V::value_type* p, std::size_t left) {
  return left >= V::lanes ? V::load(p) : V::load(p, static_cast<int>(left));
}
template <class V>
MINITRAIN_INLINE void store_left(V v, typename V::value_type* p, std::size_t left) {
  if (left >= V::lanes) {
    v.store(p);
  } else {
    v.store(p, static_cast<int>(left));
  }
}
/// v, and `other` in the lanes past the end of the row.
template <class V>
MINITRAIN_INLINE V select_left(V v, V other, std::size_t left) {
  using T = typename V::value_type;
  if (left >= V::lanes) return v;
  return select(greater(V::set(T(static_cast<int>(left))), V::load(lane_numbers<T>)), v, other);
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
