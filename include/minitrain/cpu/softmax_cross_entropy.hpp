#pragma once
// softmax_cross_entropy on the CPU: loss, gradient and right answers in one pass over the rows.

#include <minitrain/core/loss_arguments.hpp>
#include <minitrain/core/softmax_factors.hpp>
#include <minitrain/cpu/dispatch.hpp>
#include <minitrain/cpu/math.hpp>

#include <cstring>
#include <limits>

namespace minitrain::inline MINITRAIN_ABI::cpu {

/// Logits [B, classes] against labels [B], and where the rows leave their results.
template <class T>
struct SoftmaxRows {
  const T* logits;
  const std::int32_t* labels;
  const T* class_weights;  // null: all 1
  T* dy;                   // null: no gradient wanted
  T* loss;
  T* weight;
  T* right;
  std::size_t classes;
  SoftmaxFactors<T> factors;
};

template <class T>
using FourOf __attribute__((vector_size(4 * sizeof(T)))) = T;

/// Up to this many classes, rows go into the lanes of a Vec; beyond it, the classes of one row.
inline constexpr std::size_t few_classes = 15;

}  // namespace minitrain::inline MINITRAIN_ABI::cpu

#define MINITRAIN_KERNELS <minitrain/cpu/softmax_cross_entropy.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// With z' = y - max y, s = Σ_c exp(z'_c), q_c = w_c·(kept·[c = label] + spread), Q = Σ_c q_c:
///   loss Q·log s - Σ_c q_c·z'_c          dy_c = Q·exp(z'_c)/s - q_c          weight w_label
/// where kept = 1 - label_smoothing and spread = label_smoothing / classes; see LossArguments. Labels are not checked.
template <class T>
void softmax_cross_entropy(const Cpu& device, double label_smoothing, const LossArguments<T, Cpu>& a) {
  using Total = typename LossArguments<T, Cpu>::Total;
  const std::size_t rows = a.y.rows(), classes = a.y.columns();
  const bool weighted = !a.class_weights.empty();
  T weights = T(static_cast<double>(classes));
  if (weighted && label_smoothing > 0) {
    weights = T(0);
    for (const T& weight : a.class_weights) weights += weight;
  }
  T* const results = device.template scratch<T>(2, 3 * rows);
  const cpu::SoftmaxRows<T> work{a.y.data(),
                                 a.labels.data(),
                                 weighted ? a.class_weights.data() : nullptr,
                                 a.dy.empty() ? nullptr : a.dy.data(),
                                 results,
                                 results + rows,
                                 results + 2 * rows,
                                 classes,
                                 {label_smoothing, classes, weights}};
  device.parallel(rows, 16, 30.0 * static_cast<double>(rows * classes), [&](std::size_t begin, std::size_t end) {
    MINITRAIN_DISPATCH(device.isa(), T, softmax_cross_entropy_rows<T>(work, begin, end));
  });
  Total loss = a.totals[0], weight = a.totals[1], right = a.totals[2];
  for (std::size_t row = 0; row < rows; ++row) {
    loss += Total(work.loss[row]);
    weight += Total(work.weight[row]);
    right += Total(work.right[row]);
  }
  a.totals[0] = loss;
  a.totals[1] = weight;
  a.totals[2] = right;
}

}  // namespace minitrain::inline MINITRAIN_ABI
