#pragma once
// mean_squared_error, huber_loss, binary_cross_entropy_with_logits on the CPU, and softmax_cross_entropy.

#include <minitrain/cpu/softmax_cross_entropy.hpp>

namespace minitrain::inline MINITRAIN_ABI::cpu {

/// A loss of y against targets [B, columns], and where its rows leave their results.
template <class T>
struct TargetLossRows {
  const T* y;
  const T* targets;
  T* dy;  // null: no gradient wanted
  T* loss;
  T* right;
  std::size_t columns;
  T delta;
  T scale;  // of dy: 1 / columns
};

}  // namespace minitrain::inline MINITRAIN_ABI::cpu

#define MINITRAIN_KERNELS <minitrain/cpu/loss.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <TargetLoss Loss, class T>
void run_target_loss(const Cpu& device, double delta, const LossArguments<T, Cpu>& a) {
  const std::size_t rows = a.y.rows(), columns = a.y.columns();
  T* const results = device.template scratch<T>(2, 2 * rows);
  const TargetLossRows<T> work{
      a.y.data(), a.targets.data(), a.dy.empty() ? nullptr : a.dy.data(),  results, results + rows,
      columns,    T(delta),         T(1) / T(static_cast<double>(columns))};
  device.parallel(rows, 16, 10.0 * static_cast<double>(rows * columns), [&](std::size_t begin, std::size_t end) {
    MINITRAIN_DISPATCH(device.isa(), T, target_loss<T, Loss>(work, begin, end));
  });
  using Total = typename LossArguments<T, Cpu>::Total;
  Total loss = a.totals[0], right = a.totals[2];
  for (std::size_t row = 0; row < rows; ++row) loss += Total(work.loss[row]) / Total(static_cast<double>(columns));
  if constexpr (Loss == TargetLoss::binary) {
    for (std::size_t row = 0; row < rows; ++row) right += Total(work.right[row]);
  }
  a.totals[0] = loss;
  a.totals[1] += Total(static_cast<double>(rows));
  a.totals[2] = right;
}

}  // namespace cpu

/// loss (1/out)·Σ_j (y_j - t_j)², dy = (2/out)·(y - t); see LossArguments.
template <class T>
void mean_squared_error(const Cpu& device, const LossArguments<T, Cpu>& a) {
  cpu::run_target_loss<TargetLoss::squared>(device, 0, a);
}

/// loss (1/out)·Σ_j h(y_j - t_j), h(e) = e²/2 for |e| <= delta, else delta·(|e| - delta/2); dy = e/out, e clamped to
/// ±delta; see LossArguments.
template <class T>
void huber_loss(const Cpu& device, double delta, const LossArguments<T, Cpu>& a) {
  cpu::run_target_loss<TargetLoss::huber>(device, delta, a);
}

/// loss (1/out)·Σ_j (max(y_j, 0) - y_j·t_j + log(1 + exp(-|y_j|))), dy = (1/(1 + exp(-y)) - t)/out; see LossArguments.
template <class T>
void binary_cross_entropy_with_logits(const Cpu& device, const LossArguments<T, Cpu>& a) {
  cpu::run_target_loss<TargetLoss::binary>(device, 0, a);
}

}  // namespace minitrain::inline MINITRAIN_ABI
