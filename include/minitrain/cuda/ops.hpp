#pragma once
// The operations of the CUDA device, in float. What each computes is written where the CPU's is (cpu/*.hpp): the same
// formulas in the same order, so the same bits (docs/numerics.md). Defined in kernels/*.cu, one file per group.

#include <minitrain/core/activation.hpp>
#include <minitrain/core/dropout_key.hpp>
#include <minitrain/core/initial_values.hpp>
#include <minitrain/core/loss_arguments.hpp>
#include <minitrain/core/rows.hpp>
#include <minitrain/core/tensor_rules.hpp>
#include <minitrain/core/update_step.hpp>
#include <minitrain/cuda/memory.hpp>
#include <minitrain/cuda/row_order.hpp>
#include <minitrain/cuda/row_stream.hpp>
#include <minitrain/cuda/step_queue.hpp>

#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI {

namespace cuda {
using Input = View<const float, Cuda>;
using Output = View<float, Cuda>;
}  // namespace cuda

// kernels/activation.cu
void activation_forward(const Cuda&, const Activation& f, cuda::Input x, cuda::Output y);
void activation_backward(const Cuda&, const Activation& f, cuda::Input x, cuda::Input y, cuda::Input dy,
                         cuda::Output dx);

// kernels/dense.cu
void dense_forward(const Cuda&, cuda::Input x, cuda::Input w, cuda::Input b, const Activation& f, cuda::Output y);
void dense_backward_input(const Cuda&, cuda::Input dy, cuda::Input w, const Activation& f, cuda::Input x,
                          cuda::Output dx);
void dense_backward_weights(const Cuda&, cuda::Input x, cuda::Input dy, cuda::Output dw, cuda::Output db, bool add);

// kernels/softmax.cu
void softmax_forward(const Cuda&, cuda::Input x, cuda::Output y);
void softmax_backward(const Cuda&, cuda::Input y, cuda::Input dy, cuda::Output dx);

// kernels/loss.cu, kernels/softmax_cross_entropy.cu
void mean_squared_error(const Cuda&, const LossArguments<float, Cuda>&);
void huber_loss(const Cuda&, double delta, const LossArguments<float, Cuda>&);
void binary_cross_entropy_with_logits(const Cuda&, const LossArguments<float, Cuda>&);
void softmax_cross_entropy(const Cuda&, double label_smoothing, const LossArguments<float, Cuda>&);

// kernels/layer_norm.cu
void layer_norm_forward(const Cuda&, double epsilon, cuda::Input x, cuda::Input gain, cuda::Input shift, cuda::Output y,
                        cuda::Output mean_rstd);
void layer_norm_backward(const Cuda&, cuda::Input x, cuda::Input gain, cuda::Input mean_rstd, cuda::Input dy,
                         cuda::Output dx, cuda::Output dgain, cuda::Output dshift, bool add);

// kernels/dropout.cu
void dropout_forward(const Cuda&, const DropoutKey& key, double p, cuda::Input x, cuda::Output y);
void dropout_backward(const Cuda&, const DropoutKey& key, double p, cuda::Input dy, cuda::Output dx);

// kernels/norm.cu
void sum_of_squares(const Cuda&, const View<const float, Cuda>& x, const View<double, Cuda>& result);

// kernels/gradient.cu; loss_scale: on the GPU, what the sums are to be divided by besides; null: nothing
void clip_values(const Cuda&, const View<float, Cuda>& sums, const View<const double, Cuda>& totals, double limit,
                 const double* loss_scale = nullptr);
void add_gradient_squares(const Cuda&, cuda::Input x, cuda::Input dy, bool bias, const View<double, Cuda>& sum);

// kernels/range.cu
std::size_t first_outside(const Cuda&, const View<const float, Cuda>& x, double low, double high);
std::size_t first_outside(const Cuda&, const View<const std::int32_t, Cuda>& x, double low, double high);

// kernels/fill.cu
void fill_initial(const Cuda&, const InitialValues&, cuda::Output y);

// kernels/optimizer.cu
void sgd_update(const Cuda&, const SgdRule&, const UpdateStep<float, Cuda>&);
void adam_update(const Cuda&, const AdamRule&, const UpdateStep<float, Cuda>&);
void rmsprop_update(const Cuda&, const RmspropRule&, const UpdateStep<float, Cuda>&);
void adagrad_update(const Cuda&, const AdagradRule&, const UpdateStep<float, Cuda>&);
void average_update(const Cuda&, const AverageRule&, const UpdateStep<float, Cuda>&);

// kernels/adam8bit.cu
void adam8bit_update(const Cuda&, const AdamRule&, const UpdateStep<float, Cuda>&);

// kernels/tensor_optimizer.cu
void lamb_update(const Cuda&, const LambRule&, const UpdateStep<float, Cuda>&);
void lars_update(const Cuda&, const LarsRule&, const UpdateStep<float, Cuda>&);
void adafactor_update(const Cuda&, const AdafactorRule&, const UpdateStep<float, Cuda>&);

// kernels/gather.cu: out[i, :] = source[row at position rows.first + i, :], out [rows.count, columns]
void gather(const Cuda&, const RowSource<float, Cuda>&, const cuda::Rows& rows, const View<float, Cuda>& out);
void gather(const Cuda&, const RowSource<std::uint8_t, Cuda>&, const cuda::Rows& rows, const View<float, Cuda>& out);
void gather(const Cuda&, const RowSource<std::int32_t, Cuda>&, const cuda::Rows& rows,
            const View<std::int32_t, Cuda>& out);
// The same of a batch's features and its targets or labels, in one launch.
void gather(const Cuda&, const RowSource<float, Cuda>& x, const RowSource<float, Cuda>& targets, const cuda::Rows& rows,
            const View<float, Cuda>& x_out, const View<float, Cuda>& targets_out);
void gather(const Cuda&, const RowSource<float, Cuda>& x, const RowSource<std::int32_t, Cuda>& labels,
            const cuda::Rows& rows, const View<float, Cuda>& x_out, const View<std::int32_t, Cuda>& labels_out);
void gather(const Cuda&, const RowSource<std::uint8_t, Cuda>& x, const RowSource<float, Cuda>& targets,
            const cuda::Rows& rows, const View<float, Cuda>& x_out, const View<float, Cuda>& targets_out);
void gather(const Cuda&, const RowSource<std::uint8_t, Cuda>& x, const RowSource<std::int32_t, Cuda>& labels,
            const cuda::Rows& rows, const View<float, Cuda>& x_out, const View<std::int32_t, Cuda>& labels_out);

}  // namespace minitrain::inline MINITRAIN_ABI
