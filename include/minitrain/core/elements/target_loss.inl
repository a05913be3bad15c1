// Losses against targets, of one V; see core/elements/functions.inl, which comes first.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// Adds the loss of elements y, t to `sum`, sets d to its derivative by y, and `wrong` to 1 where they are on two
/// sides, or y is NaN, which is on none.
template <TargetLoss Loss, class V>
MINITRAIN_INLINE void target_element(V y, V t, V delta, V& sum, V& d, V& wrong) {
  using T = typename V::value_type;
  const V zero = V::zero(), one = V::set(T(1)), half = V::set(T(0.5));
  if constexpr (Loss == TargetLoss::squared) {
    const V e = y - t;
    sum = fma(e, e, sum);
    d = e + e;
  } else if constexpr (Loss == TargetLoss::huber) {
    const V e = y - t;
    const V size = max(zero - e, e);
    const V inside = min(delta, size);  // e²/2 and delta·(|e| - delta/2) are both inside·(|e| - inside/2)
    sum = fma(inside, fnma(half, inside, size), sum);
    d = max(zero - delta, min(delta, e));
  } else {
    // max(y, 0) - y·t + log(1 + exp(-|y|))
    const V decay = exp(min(y, zero - y));
    sum = sum + (fnma(y, t, max(zero, y)) + log1p(decay));
    d = select(greater(y, zero), one, decay) / (one + decay) - t;
    const V low = select(equal(y, y), zero, one);  // for a target that is not high
    wrong =
        max(wrong, select(greater(y, zero), select(greater(t, half), zero, one), select(greater(t, half), one, low)));
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
