// What the kernels of optimizers share: the scale of a queued step, and one kernel for every rule that is a Form.
#pragma once
#include "rows.cuh"

#include <minitrain/core/tensor_rules.hpp>

namespace minitrain::inline MINITRAIN_ABI::cuda {

/// Of a queued step, where there is one: the gradient scale, and whether to leave everything as it is.
struct QueuedScale {
  const double* state;  // null: the step is not queued

  __device__ bool leaves_all() const { return state != nullptr && state[1] != 0.0; }
  __device__ double scale_or(double scale) const { return state != nullptr ? state[0] : scale; }
  template <class Factors>
  __device__ void apply(Factors& f) const {
    if constexpr (requires { f.scale; }) {
      if (state != nullptr) f.scale = static_cast<float>(state[0]);
    }
  }
  /// As adam_factors() does on the host.
  template <bool L2>
  __device__ void apply(AdamFactors<float>& f, double forget, double root_square_weight) const {
    if (state == nullptr) return;
    f.scale = static_cast<float>(state[0]);
    if constexpr (!L2) {
      f.gradient_weight = static_cast<float>(__dmul_rn(forget, state[0]));
      f.root_square_weight = static_cast<float>(__dmul_rn(root_square_weight, state[0]));
    }
  }
};

__device__ inline void take_planned(RmspropFactors<float>& f, const PlannedStep& s) { f = s.rmsprop; }
__device__ inline void take_planned(AdagradFactors<float>& f, const PlannedStep& s) { f = s.adagrad; }
/// Rules that are never planned are launched.
template <class Factors>
__device__ inline void take_planned(Factors&, const PlannedStep&) {}
__device__ inline void take_planned(AverageFactors<float>& f, const PlannedStep& s) { f = s.average; }

template <class Form, class Factors>
__global__ void __launch_bounds__(quad_threads)
    form_kernel(Factors f, const StepState* replay, const QueuedScale queued, std::size_t count, const double* rate,
                float* parameters, const float* gradients, const MomentPointers<float> moments) {
  if (queued.leaves_all()) return;
  if (replay != nullptr) take_planned(f, replay->factors());
  queued.apply(f);
  if constexpr (requires { f.rate; }) {
    if (rate != nullptr) f.rate = static_cast<float>(*rate);
  }
  const std::size_t step = threads_of_grid();
  for (std::size_t i = thread_of_grid(); i < count; i += step) {
    Lane p{parameters[i]}, s[Form::moments > 0 ? Form::moments : 1];
#pragma unroll
    for (int k = 0; k < Form::moments; ++k) s[k] = Lane{moments.slab[k][i]};
    form_element(Form{}, f, p, Lane{gradients[i]}, s);
    parameters[i] = p.v;
#pragma unroll
    for (int k = 0; k < Form::moments; ++k) moments.slab[k][i] = s[k].v;
  }
}

/// `count` elements by a Form; `rate`: null, or where the GPU has found the learning rate.
template <class Form, class Factors>
void run_form(const Cuda& device, Form, const Factors& f, const QueuedScale& queued, const double* rate,
              std::size_t count, float* p, const float* g, const MomentPointers<float>& moments) {
  launch(form_kernel<Form, Factors>, striding_blocks(device, count, quad_threads), dim3(quad_threads), 0,
         device.context()->stream(), f, device.context()->replay(), queued, count, rate, p, g, moments);
}
/// All elements of a step.
template <class Form, class Factors>
void run_form(const Cuda& device, Form form, const Factors& f, const UpdateStep<float, Cuda>& s) {
  run_form(device, form, f, QueuedScale{s.queued_scale.data()}, nullptr, s.parameters.size(), s.parameters.data(),
           s.gradient_sums.data(), moment_pointers(s, Form::moments));
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
