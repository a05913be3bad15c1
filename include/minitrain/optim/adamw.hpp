#pragma once
// AdamW: Adam with weight decay apart from the gradient.

#include <minitrain/optim/adam.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// p *= 1 - learning_rate·weight_decay, then the step of Adam on the mean gradient alone. The rules and defaults of
/// torch.optim.AdamW.
/// Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101.
struct AdamW {
  double learning_rate = 1e-3;
  double beta1 = 0.9;          // in [0, 1)
  double beta2 = 0.999;        // in [0, 1)
  double epsilon = 1e-8;       // > 0
  double weight_decay = 0.01;  // >= 0

  /// Throws OptionError for an option outside its range.
  void check() const { check_adam(name(), learning_rate, rule()); }

  static constexpr bool takes_queued_scale = true, replayable = true, takes_groups = true;
  static constexpr const char* name() noexcept { return "AdamW"; }
  static constexpr std::size_t moments() noexcept { return 2; }
  static constexpr const char* moment_name(std::size_t i) noexcept { return i == 0 ? "exp_avg" : "exp_avg_sq"; }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    for_each_group(step, weight_decay, [&](const UpdateStep<T, Device>& part, double decay) {
      AdamRule r = rule();
      r.weight_decay = decay;
      adam_update(device, r, part);
    });
  }

 private:
  AdamRule rule() const noexcept { return {beta1, beta2, epsilon, weight_decay, true}; }
};

static_assert(OptimizerSpec<AdamW>);

}  // namespace minitrain::inline MINITRAIN_ABI
