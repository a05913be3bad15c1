// Losses against targets, once per instruction set; see cpu/for_each_isa.hpp.

#include <minitrain/core/elements/target_loss.inl>

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

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

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
