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
  union {
    SgdFactors<float> sgd;
    AdamFactors<float> adam;
  };
};

struct StepState {
  double scale;        // of the last closed step's gradient sums
  double leaves_all;   // 1: a loss or a gradient was not finite, and no later step changes a parameter
  std::uint64_t slot;  // steps closed since the queue was emptied: the place of the step under way
  double totals[queue_capacity][4];
  PlannedStep plan[queue_capacity];

  /// Of the step under way, until it is closed.
  __device__ const PlannedStep& open() const { return plan[slot]; }
  /// Of the step under way, once it is closed.
  __device__ const PlannedStep& closed() const { return plan[slot - 1]; }
};

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
