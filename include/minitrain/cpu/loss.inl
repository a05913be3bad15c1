// Losses against targets, once per instruction set; see cpu/for_each_isa.hpp.

namespace minitrain::inline MINITRAIN_ABI::cpu::MINITRAIN_ISA {

/// Adds the loss of elements y, t to `sum`, sets d to its derivative by y, and `wrong` to 1 where they are on two
/// sides.
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
    wrong =
        max(wrong, select(greater(y, zero), select(greater(t, half), zero, one), select(greater(t, half), one, zero)));
  }
}

/// Rows [begin, end): sums over the row to `loss`, and 1 or 0 to `right`.
template <class T, TargetLoss Loss>
MINITRAIN_TARGET void target_loss(const TargetLossRows<T>& rows, std::size_t begin, std::size_t end) {
  using V = Vec<T>;
  const TargetLossRows<T> a = rows;
  const V delta = V::set(a.delta), scale = V::set(a.scale);
  V d = V::zero();
  if (a.columns == 1) {  // rows in lanes: the same sums, of one term each
    for (std::size_t row = begin; row < end; row += V::lanes) {
      const int count = static_cast<int>(end - row < V::lanes ? end - row : V::lanes);
      V sum = V::zero(), wrong = V::zero();
      target_element<Loss, V>(V::load(a.y + row, count), V::load(a.targets + row, count), delta, sum, d, wrong);
      sum.store(a.loss + row, count);
      if constexpr (Loss == TargetLoss::binary) (V::set(T(1)) - wrong).store(a.right + row, count);
      if (a.dy != nullptr) (d * scale).store(a.dy + row, count);
    }
    return;
  }
  for (std::size_t row = begin; row < end; ++row) {
    const std::size_t first = row * a.columns, last = first + a.columns;
    V sum = V::zero(), wrong = V::zero();
    for (std::size_t i = first; i < last; i += V::lanes) {
      const std::size_t left = last - i;
      V longer = sum;
      target_element<Loss, V>(load_left<V>(a.y + i, left), load_left<V>(a.targets + i, left), delta, longer, d, wrong);
      sum = select_left<V>(longer, sum, left);
      if (a.dy != nullptr) store_left<V>(d * scale, a.dy + i, left);
    }
    a.loss[row] = sum.sum();
    if constexpr (Loss == TargetLoss::binary) a.right[row] = T(1) - wrong.largest();
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::cpu::MINITRAIN_ISA
