// Optimizer steps over the slabs: sgd_update p, b from g; adam_update p, m, v from g; see core/update_step.hpp.
// rmsprop_update, adagrad_update and average_update the same by one kernel, form_kernel. Bytes per element: 12 (SGD),
// 20 (with momentum, Adagrad, RMSprop), 28 (Adam), 8 more for each further moment. FLOPs per element: 3 to 7, others
// about 30, a square root and a division among them. Bound by memory.
//
// A thread takes four neighbours at a time, 16 bytes of each slab, and strides over the grid; where a slab is not
// aligned for that, and after the last four, single elements. The factors come by value, computed on the host in
// double, or of a replayed step out of its plan (replay.cuh); of a queued step (cuda/step_queue.hpp), the gradient
// scale is found on the GPU.
#include "optimizer.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::Lane;
using cuda::Quads;
using cuda::QueuedScale;
using cuda::run_form;

template <Momentum Kind>
__device__ inline void sgd_single(const SgdFactors<float>& f, float& p, float g, float& b) {
  Lane parameter{p}, momentum{b};
  cuda::sgd_element<Kind>(f, parameter, Lane{g}, momentum);
  p = parameter.v;
  b = momentum.v;
}

template <Momentum Kind>
__global__ void __launch_bounds__(cuda::quad_threads)
    sgd_kernel(SgdFactors<float> f, const cuda::StepState* replay, const QueuedScale queued, const Quads q,
               float* parameters, const float* gradients, float* momentum) {
  constexpr bool moves = Kind != Momentum::none;
  if (queued.leaves_all()) return;
  if (replay != nullptr) f = replay->factors().sgd;
  queued.apply(f);
  const std::size_t first = cuda::thread_of_grid(), step = cuda::threads_of_grid();
  for (std::size_t i = first; i < q.quads; i += step) {
    float4 p = reinterpret_cast<float4*>(parameters)[i], b = make_float4(0, 0, 0, 0);
    const float4 g = reinterpret_cast<const float4*>(gradients)[i];
    if constexpr (moves) b = reinterpret_cast<float4*>(momentum)[i];
    sgd_single<Kind>(f, p.x, g.x, b.x);
    sgd_single<Kind>(f, p.y, g.y, b.y);
    sgd_single<Kind>(f, p.z, g.z, b.z);
    sgd_single<Kind>(f, p.w, g.w, b.w);
    reinterpret_cast<float4*>(parameters)[i] = p;
    if constexpr (moves) reinterpret_cast<float4*>(momentum)[i] = b;
  }
  for (std::size_t i = 4 * q.quads + first; i < q.count; i += step) {
    float b = 0.0f;
    if constexpr (moves) b = momentum[i];
    sgd_single<Kind>(f, parameters[i], gradients[i], b);
    if constexpr (moves) momentum[i] = b;
  }
}

template <bool L2>
__device__ inline void adam_single(const AdamFactors<float>& f, float& p, float g, float& m, float& v) {
  Lane parameter{p}, mean{m}, square{v};
  cuda::adam_element<L2>(f, parameter, Lane{g}, mean, square);
  p = parameter.v;
  m = mean.v;
  v = square.v;
}

template <bool L2>
__global__ void __launch_bounds__(cuda::quad_threads)
    adam_kernel(AdamFactors<float> f, const cuda::StepState* replay, const QueuedScale queued, double forget,
                double root_square_weight, const Quads q, float* parameters, const float* gradients, float* means,
                float* squares) {
  if (queued.leaves_all()) return;
  if (replay != nullptr) f = replay->factors().adam;
  queued.apply<L2>(f, forget, root_square_weight);
  const std::size_t first = cuda::thread_of_grid(), step = cuda::threads_of_grid();
  for (std::size_t i = first; i < q.quads; i += step) {
    float4 p = reinterpret_cast<float4*>(parameters)[i], m = reinterpret_cast<float4*>(means)[i];
    float4 v = reinterpret_cast<float4*>(squares)[i];
    const float4 g = reinterpret_cast<const float4*>(gradients)[i];
    adam_single<L2>(f, p.x, g.x, m.x, v.x);
    adam_single<L2>(f, p.y, g.y, m.y, v.y);
    adam_single<L2>(f, p.z, g.z, m.z, v.z);
    adam_single<L2>(f, p.w, g.w, m.w, v.w);
    reinterpret_cast<float4*>(parameters)[i] = p;
    reinterpret_cast<float4*>(means)[i] = m;
    reinterpret_cast<float4*>(squares)[i] = v;
  }
  for (std::size_t i = 4 * q.quads + first; i < q.count; i += step) {
    adam_single<L2>(f, parameters[i], gradients[i], means[i], squares[i]);
  }
}

template <Momentum Kind>
void run_sgd(const Cuda& device, const SgdFactors<float>& f, const UpdateStep<float, Cuda>& s) {
  float* const b = Kind == Momentum::none ? nullptr : s.moments[0].data();
  const Quads q = cuda::quads_of(s.parameters.size(), s.parameters.data(), s.gradient_sums.data(), b);
  cuda::launch(sgd_kernel<Kind>, cuda::quad_blocks(device, q), dim3(cuda::quad_threads), 0, device.context()->stream(),
               f, device.context()->replay(), QueuedScale{s.queued_scale.data()}, q, s.parameters.data(),
               s.gradient_sums.data(), b);
}

template <bool L2>
void run_adam(const Cuda& device, const AdamRule& rule, const AdamFactors<float>& f, const UpdateStep<float, Cuda>& s) {
  float* const m = s.moments[0].data();
  float* const v = s.moments[1].data();
  const Quads q = cuda::quads_of(s.parameters.size(), s.parameters.data(), s.gradient_sums.data(), m, v);
  cuda::launch(adam_kernel<L2>, cuda::quad_blocks(device, q), dim3(cuda::quad_threads), 0, device.context()->stream(),
               f, device.context()->replay(), QueuedScale{s.queued_scale.data()}, 1 - rule.beta1,
               std::sqrt(1 - rule.beta2), q, s.parameters.data(), s.gradient_sums.data(), m, v);
}

}  // namespace

void sgd_update(const Cuda& device, const SgdRule& rule, const UpdateStep<float, Cuda>& step) {
  if (step.parameters.empty()) return;
  const SgdFactors<float> f{static_cast<float>(step.learning_rate), static_cast<float>(step.gradient_scale),
                            static_cast<float>(rule.momentum), static_cast<float>(rule.weight_decay)};
  if (device.context()->plan(f)) return;
  if (rule.momentum == 0) return run_sgd<Momentum::none>(device, f, step);
  if (rule.nesterov) return run_sgd<Momentum::nesterov>(device, f, step);
  run_sgd<Momentum::classic>(device, f, step);
}

void adam_update(const Cuda& device, const AdamRule& rule, const UpdateStep<float, Cuda>& step) {
  if (step.parameters.empty()) return;
  const auto f = adam_factors<float>(rule, step.learning_rate, step.gradient_scale, step.step);
  if (device.context()->plan(f)) return;
  if (rule.has_l2()) return run_adam<true>(device, rule, f, step);
  run_adam<false>(device, rule, f, step);
}

void rmsprop_update(const Cuda& device, const RmspropRule& rule, const UpdateStep<float, Cuda>& step) {
  if (step.parameters.empty()) return;
  const auto f = rmsprop_factors<float>(rule, step.learning_rate, step.gradient_scale);
  if (device.context()->plan(f)) return;
  const bool moves = rule.momentum != 0;
  if (moves && rule.centered) return run_form(device, RmspropForm<true, true>{}, f, step);
  if (moves) return run_form(device, RmspropForm<true, false>{}, f, step);
  if (rule.centered) return run_form(device, RmspropForm<false, true>{}, f, step);
  run_form(device, RmspropForm<false, false>{}, f, step);
}

void adagrad_update(const Cuda& device, const AdagradRule& rule, const UpdateStep<float, Cuda>& step) {
  if (step.parameters.empty()) return;
  const auto f = adagrad_factors<float>(rule, step.learning_rate, step.gradient_scale, step.step);
  if (device.context()->plan(f)) return;
  run_form(device, AdagradForm{}, f, step);
}

void average_update(const Cuda& device, const AverageRule& rule, const UpdateStep<float, Cuda>& step) {
  if (step.parameters.empty()) return;
  const AverageFactors<float> f{static_cast<float>(rule.weight)};
  if (device.context()->plan(f)) return;
  if (rule.copies_back) return run_form(device, AverageForm<true>{}, f, step);
  run_form(device, AverageForm<false>{}, f, step);
}

}  // namespace minitrain::inline MINITRAIN_ABI
