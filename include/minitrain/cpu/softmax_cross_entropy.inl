// Softmax cross-entropy, once per instruction set; see cpu/for_each_isa.hpp.

#include <minitrain/core/elements/softmax_loss.inl>

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// What the rows of a block, one per lane, have to say before and after the logarithm.
template <class T>
struct SoftmaxBlock {
  static constexpr std::size_t lanes = Vec<T>::lanes;
  alignas(64) T label[lanes];         // the label's number
  alignas(64) T weight[lanes];        // its class weight
  alignas(64) T sum[lanes];           // s
  alignas(64) T label_logit[lanes];   // z' of the label
  alignas(64) T spread_logit[lanes];  // Σ_c w_c·z'_c, with label smoothing
  alignas(64) T scale[lanes];         // Q / s
};

/// The largest of n >= 1 numbers; NaN may be passed over.
template <class V>
MINITRAIN_INLINE typename V::value_type largest_of(const typename V::value_type* z, std::size_t n) {
  const V first = V::set(z[0]);
  V m = first;
  for (std::size_t c = 0; c < n; c += V::lanes) m = max(select_left<V>(load_left<V>(z + c, n - c), first, n - c), m);
  return m.largest();
}

/// exp(z') of a row to dy, their sum, and with label smoothing the sum of z' times the class weights.
template <class T>
MINITRAIN_INLINE void softmax_wide_row(const SoftmaxRows<T>& a, std::size_t row, int lane, SoftmaxBlock<T>& block) {
  using V = Vec<T>;
  const std::size_t n = a.classes;
  const T* const z = a.logits + row * n;
  T* const out = a.dy == nullptr ? nullptr : a.dy + row * n;
  const auto label = static_cast<std::size_t>(a.labels[row]);
  const T largest = largest_of<V>(z, n);
  a.right[row] = T(z[label] == largest && (label == 0 || largest_of<V>(z, label) < largest) ? 1 : 0);
  const V m = V::set(largest);
  V sum = V::zero(), spread = V::zero();
  for (std::size_t c = 0; c < n; c += V::lanes) {
    const V e = exp(V(load_left<V>(z + c, n - c) - m));
    sum = sum + select_left<V>(e, V::zero(), n - c);
    if (out != nullptr) store_left<V>(e, out + c, n - c);
  }
  if (a.factors.spread != T(0)) {
    for (std::size_t c = 0; c < n; c += V::lanes) {
      const V w = a.class_weights == nullptr ? V::set(T(1)) : load_left<V>(a.class_weights + c, n - c);
      spread = select_left<V>(fma(w, load_left<V>(z + c, n - c) - m, spread), spread, n - c);
    }
  }
  block.sum[lane] = sum.sum();
  block.spread_logit[lane] = spread.sum();
  block.label_logit[lane] = z[label] - largest;
}

/// dy_c = exp(z'_c)·scale - q_c of a row whose exponentials stand in dy.
template <class T>
MINITRAIN_INLINE void softmax_wide_gradient(const SoftmaxRows<T>& a, std::size_t row, int lane,
                                            const SoftmaxBlock<T>& block) {
  using V = Vec<T>;
  const std::size_t n = a.classes;
  T* const out = a.dy + row * n;
  const V scale = V::set(block.scale[lane]), weight = V::set(block.weight[lane]);
  // Before the loop, which overwrites the exponential.
  const V at_label = softmax_label_gradient<V>(
      a.factors, softmax_gradient<V>(a.factors, V::load(out + a.labels[row], 1), scale, weight), weight);
  for (std::size_t c = 0; c < n; c += V::lanes) {
    const V w = a.class_weights == nullptr ? V::set(T(1)) : load_left<V>(a.class_weights + c, n - c);
    store_left<V>(softmax_gradient<V>(a.factors, load_left<V>(out + c, n - c), scale, w), out + c, n - c);
  }
  at_label.store(out + a.labels[row], 1);
}

/// Rows with NaN among their outputs are answered wrong. A sum is NaN where an output is, and where infinities were.
template <class T>
MINITRAIN_INLINE void softmax_without_answer(const SoftmaxRows<T>& a, std::size_t row, int count) {
  const T* z = a.logits + row * a.classes;
  for (T* right = a.right + row; right != a.right + row + count; ++right) {
    for (const T* const end = z + a.classes; z != end; ++z) {
      if (!(*z == *z)) *right = T(0);
    }
  }
}

/// From the sums of up to `count` rows to their losses and the factors of their gradients.
template <class T>
MINITRAIN_INLINE void softmax_finish(const SoftmaxRows<T>& a, std::size_t row, int count, SoftmaxBlock<T>& block) {
  using V = Vec<T>;
  const V weight = V::load(block.weight), sum = V::load(block.sum);
  if (const T all = sum.sum(); !(all == all)) softmax_without_answer(a, row, count);
  V loss, scale;
  softmax_loss<V>(a.factors, weight, sum, V::load(block.label_logit), V::load(block.spread_logit), loss, scale);
  loss.store(a.loss + row, count);
  weight.store(a.weight + row, count);
  scale.store(block.scale);
}

/// to[c·to_row + r] = from[r·from_row + c] for r, c < 4.
template <class T>
MINITRAIN_INLINE void transpose_4x4(const T* from, std::size_t from_row, T* to, std::size_t to_row) {
  using Four = FourOf<T>;
  Four a, b, c, d;
  std::memcpy(&a, from, sizeof(Four));
  std::memcpy(&b, from + from_row, sizeof(Four));
  std::memcpy(&c, from + 2 * from_row, sizeof(Four));
  std::memcpy(&d, from + 3 * from_row, sizeof(Four));
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
  std::memcpy(to, &a, sizeof(Four));
  std::memcpy(to + to_row, &b, sizeof(Four));
  std::memcpy(to + 2 * to_row, &c, sizeof(Four));
  std::memcpy(to + 3 * to_row, &d, sizeof(Four));
}

/// to[c, r] = from[r, c], both dense. The last 4 by 4 piece of a row or column overlaps the one before it.
template <class T>
MINITRAIN_INLINE void transpose(const T* from, std::size_t rows, std::size_t columns, T* to) {
  if constexpr (std::is_floating_point_v<T>) {
    if (rows >= 4 && columns >= 4) {
      for (std::size_t i = 0; i < rows; i += 4) {
        const std::size_t r = i + 4 <= rows ? i : rows - 4;
        for (std::size_t j = 0; j < columns; j += 4) {
          const std::size_t c = j + 4 <= columns ? j : columns - 4;
          transpose_4x4(from + r * columns + c, columns, to + c * rows + r, rows);
        }
      }
      return;
    }
  }
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
  }
}

/// A block of rows with few classes, one row per lane; `Classes` is their number, or 0 where the compiler need not
/// know.
template <std::size_t Classes, class T>
MINITRAIN_INLINE void softmax_narrow_block(const SoftmaxRows<T>& a, std::size_t row, int count,
                                           SoftmaxBlock<T>& block) {
  using V = Vec<T>;
  constexpr std::size_t lanes = V::lanes;
  const std::size_t n = Classes != 0 ? Classes : a.classes;
  alignas(64) T z[few_classes * lanes], padded[few_classes * lanes];
  const std::size_t elements = static_cast<std::size_t>(count) * n;
  const T* logits = a.logits + row * n;
  if (count < V::lanes) {
    for (std::size_t i = 0; i < lanes * n; ++i) padded[i] = i < elements ? logits[i] : T(0);
    logits = padded;
  }
  transpose(logits, lanes, n, z);
  const V label = V::load(block.label);
  V m = V::set(T(-std::numeric_limits<double>::infinity())), best = V::zero();
  for (std::size_t c = 0; c < n; ++c) {
    const V candidate = V::load(z + c * lanes);
    const auto better = greater(candidate, m);
    m = select(better, candidate, m);
    best = select(better, V::set(T(static_cast<double>(c))), best);
  }
  select(equal(best, label), V::set(T(1)), V::zero()).store(a.right + row, count);
  V sum = V::zero(), spread = V::zero(), label_logit = V::zero();
  for (std::size_t c = 0; c < n; ++c) {
    const V shifted = V::load(z + c * lanes) - m;
    const V e = exp(shifted);
    sum = sum + e;
    if (a.factors.spread != T(0)) {
      spread = fma(V::set(a.class_weights == nullptr ? T(1) : a.class_weights[c]), shifted, spread);
    }
    label_logit = select(equal(V::set(T(static_cast<double>(c))), label), shifted, label_logit);
    e.store(z + c * lanes);
  }
  sum.store(block.sum);
  spread.store(block.spread_logit);
  label_logit.store(block.label_logit);
  softmax_finish(a, row, count, block);
  if (a.dy == nullptr) return;
  const V scale = V::load(block.scale), weight = V::load(block.weight);
  for (std::size_t c = 0; c < n; ++c) {
    const V w = V::set(a.class_weights == nullptr ? T(1) : a.class_weights[c]);
    const V d = softmax_gradient<V>(a.factors, V::load(z + c * lanes), scale, w);
    const V at_label = softmax_label_gradient<V>(a.factors, d, weight);
    select(equal(V::set(T(static_cast<double>(c))), label), at_label, d).store(z + c * lanes);
  }
  T* const dy = a.dy + row * n;
  transpose(z, n, lanes, count < V::lanes ? padded : dy);
  if (count < V::lanes) {
    for (std::size_t i = 0; i < elements; ++i) dy[i] = padded[i];
  }
}

/// Rows [begin, end): losses, weights, right answers, and dy if wanted.
template <class T>
MINITRAIN_TARGET void softmax_cross_entropy_rows(const SoftmaxRows<T>& rows, std::size_t begin, std::size_t end) {
  constexpr int lanes = Vec<T>::lanes;
  const SoftmaxRows<T> a = rows;
  SoftmaxBlock<T> block;
  const Vec<T> one = Vec<T>::set(T(1));  // for lanes without a row
  one.store(block.label);
  one.store(block.weight);
  one.store(block.sum);
  one.store(block.label_logit);
  one.store(block.spread_logit);
  for (std::size_t row = begin; row < end; row += lanes) {
    const int count = static_cast<int>(end - row < lanes ? end - row : lanes);
    for (int lane = 0; lane < count; ++lane) {
      const std::int32_t label = a.labels[row + static_cast<std::size_t>(lane)];
      block.label[lane] = T(static_cast<double>(label));
      block.weight[lane] = a.class_weights == nullptr ? T(1) : a.class_weights[label];
    }
    if (a.classes <= few_classes) {
      a.classes == 2 ? softmax_narrow_block<2>(a, row, count, block) : softmax_narrow_block<0>(a, row, count, block);
      continue;
    }
    for (int lane = 0; lane < count; ++lane) {
      softmax_wide_row(a, row + static_cast<std::size_t>(lane), lane, block);
    }
    softmax_finish(a, row, count, block);
    if (a.dy == nullptr) continue;
    for (int lane = 0; lane < count; ++lane) {
      softmax_wide_gradient(a, row + static_cast<std::size_t>(lane), lane, block);
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
