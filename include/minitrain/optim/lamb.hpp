#pragma once
// LAMB: Adam's direction, as long as the tensor is large.

#include <minitrain/core/tensor_rules.hpp>
#include <minitrain/optim/adam.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// With g the mean gradient, at step t = 1, 2, ...:
///   m += (1 - beta1)·(g - m)          v = beta2·v + (1 - beta2)·g²
///   u = m/(1 - beta1^t) / (sqrt(v/(1 - beta2^t)) + epsilon) + weight_decay·p
///   p -= learning_rate · ‖p‖/‖u‖ · u
/// with norms over each tensor; the ratio is 1 where one of them is 0, and for biases, gains and shifts unless
/// adapt_biases. Algorithm 2 of the paper with phi(z) = z.
/// Source: You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2020,
/// arXiv:1904.00962.
struct LAMB {
  double learning_rate = 1e-3;
  double beta1 = 0.9;          // in [0, 1)
  double beta2 = 0.999;        // in [0, 1)
  double epsilon = 1e-6;       // > 0
  double weight_decay = 0.01;  // >= 0
  bool adapt_biases = true;

  /// Throws OptionError for an option outside its range.
  void check() const { check_adam(name(), learning_rate, {beta1, beta2, epsilon, weight_decay, true}); }

  // Norms of tensors are a launch each, with numbers of the step by value, so no GPU replays them.
  static constexpr bool takes_queued_scale = true, replayable = false, takes_groups = true;
  static constexpr const char* name() noexcept { return "LAMB"; }
  static constexpr std::size_t moments() noexcept { return 2; }
  static constexpr const char* moment_name(std::size_t i) noexcept { return i == 0 ? "exp_avg" : "exp_avg_sq"; }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    lamb_update(device, LambRule{beta1, beta2, epsilon, weight_decay, adapt_biases}, step);
  }
};

static_assert(OptimizerSpec<LAMB>);

}  // namespace minitrain::inline MINITRAIN_ABI
