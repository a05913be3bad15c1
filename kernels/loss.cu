// Losses against targets.  mean_squared_error Σ (y - t)²/out, huber_loss, binary_cross_entropy_with_logits: loss, right
// answers and gradient; see cpu/loss.hpp.
// Bytes per element: 8, and 4 for the gradient; 8 per row for its results, read again for the totals. FLOPs per
// element: 4 (squared) to about 60 (binary). Bound by memory, and for outputs of one column by the sum of the rows'
// losses: one addition in double after another, because its order is the CPU's.
//
// A half-warp takes a row (rows.cuh), a thread where rows have one column, as on the CPU: a sum of one term is the
// term. Then one block adds the rows' results to the totals: the same where there is but one, else in a launch of its
// own.
#include "rows.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::Lane;

/// y against targets [rows, columns], and where the rows leave their results.
struct TargetLossRows {
  const float* y;
  const float* targets;
  float* dy;  // null: no gradient wanted
  float* loss;
  float* right;
  std::size_t rows, columns;
  float delta;
  float scale;  // of dy: 1 / columns
};

template <TargetLoss Loss>
__global__ void __launch_bounds__(256)
    single_target_loss_kernel(const TargetLossRows a, const cuda::RowResults results, double* totals) {
  for (std::size_t row = cuda::thread_of_grid(); row < a.rows; row += cuda::threads_of_grid()) {
    Lane sum = Lane::zero(), wrong = Lane::zero(), d;
    cuda::target_element<Loss>(Lane{a.y[row]}, Lane{a.targets[row]}, Lane{a.delta}, sum, d, wrong);
    a.loss[row] = sum.v;
    if constexpr (Loss == TargetLoss::binary) a.right[row] = (Lane::set(1.0f) - wrong).v;
    if (a.dy != nullptr) a.dy[row] = (d * Lane{a.scale}).v;
  }
  cuda::add_results_of_one_block(results, totals);
}

template <TargetLoss Loss>
__global__ void __launch_bounds__(cuda::row_threads)
    target_loss_kernel(const TargetLossRows a, const cuda::RowResults results, double* totals) {
  const unsigned lane = cuda::row_lane();
  cuda::for_each_row(a.rows, a.columns, [&](std::size_t row, std::size_t n) {
    const std::size_t begin = row * a.columns;
    Lane sum = Lane::zero(), wrong = Lane::zero(), d;
#pragma unroll 2
    for (std::size_t j = lane; j < n; j += 16) {
      const std::size_t i = begin + j;
      cuda::target_element<Loss>(Lane{a.y[i]}, Lane{a.targets[i]}, Lane{a.delta}, sum, d, wrong);
      if (a.dy != nullptr) a.dy[i] = (d * Lane{a.scale}).v;
    }
    sum = cuda::row_sum(sum);
    if constexpr (Loss == TargetLoss::binary) wrong = cuda::row_largest(wrong);
    if (row >= a.rows || lane != 0) return;
    a.loss[row] = sum.v;
    if constexpr (Loss == TargetLoss::binary) a.right[row] = (Lane::set(1.0f) - wrong).v;
  });
  cuda::add_results_of_one_block(results, totals);
}

template <TargetLoss Loss>
void run_target_loss(const Cuda& device, double delta, const LossArguments<float, Cuda>& a) {
  const std::size_t rows = a.y.rows(), columns = a.y.columns();
  if (rows == 0) return;
  float* const results = device.context()->scratch<float>(2, 2 * rows);
  const TargetLossRows work{a.y.data(),
                            a.targets.data(),
                            a.dy.empty() ? nullptr : a.dy.data(),
                            results,
                            results + rows,
                            rows,
                            columns,
                            static_cast<float>(delta),
                            1.0f / static_cast<float>(static_cast<double>(columns))};
  const float* const right = Loss == TargetLoss::binary ? work.right : nullptr;
  const cuda::RowResults written{work.loss, nullptr, right, rows, static_cast<double>(columns)};
  double* const totals = a.totals.data();
  const cuda::Stream stream = device.context()->stream();
  const dim3 blocks = columns == 1 ? cuda::striding_blocks(device, rows, 256) : cuda::row_blocks(device, rows);
  if (columns == 1) {
    cuda::launch(single_target_loss_kernel<Loss>, blocks, dim3(256), 0, stream, work, written, totals);
  } else {
    cuda::launch(target_loss_kernel<Loss>, blocks, dim3(cuda::row_threads), 0, stream, work, written, totals);
  }
  cuda::add_results(device, blocks, written, totals);
}

}  // namespace

void mean_squared_error(const Cuda& device, const LossArguments<float, Cuda>& a) {
  run_target_loss<TargetLoss::squared>(device, 0, a);
}

void huber_loss(const Cuda& device, double delta, const LossArguments<float, Cuda>& a) {
  run_target_loss<TargetLoss::huber>(device, delta, a);
}

void binary_cross_entropy_with_logits(const Cuda& device, const LossArguments<float, Cuda>& a) {
  run_target_loss<TargetLoss::binary>(device, 0, a);
}

}  // namespace minitrain::inline MINITRAIN_ABI
