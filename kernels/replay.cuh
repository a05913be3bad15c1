// StepState: what the GPU knows of the steps it goes through by itself. A graph of a step is captured once and
// replayed; what differs from one replay to the next (where its samples lie, its number, the optimizer's factors) the
// host plans for many steps at a time, and kernels look up in the plan.
#pragma once
#include "launch.cuh"

#include <minitrain/core/optimizer_factors.hpp>

#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI::cuda {

inline constexpr std::size_t queue_capacity = 1024;

/// One step in the plan. Kernels add what it is ahead to what they were captured with; modulo 2^64, so that it may lie
/// behind.
struct PlannedStep {
  std::uint64_t samples_ahead, steps_ahead;
  AverageFactors<float> average;  // of the average that goes with the optimizer, where there is one
  union {
    SgdFactors<float> sgd;
    AdamFactors<float> adam;
    RmspropFactors<float> rmsprop;
    AdagradFactors<float> adagrad;
  };
};

struct StepState {
  double scale;           // of the last closed step's gradient sums
  double leaves_all;      // 1: the last closed step changes no parameter
  double stopped;         // 1: a loss or a gradient was not finite, and no later step changes a parameter
  std::uint64_t slot;     // steps closed since the queue was emptied: the place of the step under way
  std::uint64_t skipped;  // of these, steps that were none: see StepQueue::close()
  double totals[queue_capacity][4];
  PlannedStep plan[queue_capacity];
  std::uint64_t skipped_in_row;  // with OnNonFinite::skip; goes on where the queue is emptied

  // The plan counts on every step; where some were none, those after them come that much earlier.

  /// How far the samples of the step under way are ahead.
  __device__ std::uint64_t samples_ahead() const { return plan[slot].samples_ahead; }
  /// How far the number of the step under way is ahead.
  __device__ std::uint64_t steps_ahead() const { return plan[slot].steps_ahead - skipped; }
  /// Of the step under way, once it is closed.
  __device__ const PlannedStep& factors() const { return plan[slot - 1 - skipped]; }
};

/// Of Math::fp16: what losses are multiplied with, so that small gradients do not vanish.
struct LossScale {
  double scale;         // a power of two
  std::uint64_t clean;  // steps since it changed
};

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
