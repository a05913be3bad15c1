#pragma once
// StepRules: what happens to a gradient between its sum and the update.

#include <minitrain/train/learning_rate.hpp>
#include <minitrain/train/non_finite.hpp>

namespace minitrain::inline MINITRAIN_ABI {

struct StepRules {
  double clip_norm = 0;   // 0: none
  double clip_value = 0;  // 0: none
  NonFinitePolicy non_finite{};
  LearningRate rate{};

  /// Whether every step needs the norm of its gradient.
  bool measures_gradient() const noexcept { return clip_norm != 0 || non_finite.measures_gradient(); }
};

}  // namespace minitrain::inline MINITRAIN_ABI
