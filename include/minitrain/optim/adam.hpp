#pragma once
// Adam: steps scaled by running means of the gradient and of its square.

#include <minitrain/core/check_option.hpp>
#include <minitrain/optim/each_group.hpp>
#include <minitrain/optim/optimizer.hpp>

#include <limits>

namespace minitrain::inline MINITRAIN_ABI {

/// Throws OptionError for an option of Adam, or of one of its kin, outside its range.
inline void check_adam(const char* name, double learning_rate, const AdamRule& rule) {
  constexpr double largest = std::numeric_limits<double>::max();
  check_option(learning_rate >= 0 && learning_rate <= largest, name, "learning_rate", learning_rate,
               "finite and not negative");
  check_option(rule.beta1 >= 0 && rule.beta1 < 1, name, "beta1", rule.beta1, "in [0, 1)");
  check_option(rule.beta2 >= 0 && rule.beta2 < 1, name, "beta2", rule.beta2, "in [0, 1)");
  check_option(rule.epsilon > 0 && rule.epsilon <= largest, name, "epsilon", rule.epsilon, "finite and positive");
  check_option(rule.weight_decay >= 0 && rule.weight_decay <= largest, name, "weight_decay", rule.weight_decay,
               "finite and not negative");
}

/// With g the mean gradient plus weight_decay·p, at step t = 1, 2, ...:
///   m += (1 - beta1)·(g - m)          v = beta2·v + (1 - beta2)·g²
///   p -= learning_rate · m/(1 - beta1^t) / (sqrt(v/(1 - beta2^t)) + epsilon)
/// The rules and defaults of torch.optim.Adam; m and v are its exp_avg and exp_avg_sq.
/// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, arXiv:1412.6980.
struct Adam {
  double learning_rate = 1e-3;
  double beta1 = 0.9;       // in [0, 1)
  double beta2 = 0.999;     // in [0, 1)
  double epsilon = 1e-8;    // > 0
  double weight_decay = 0;  // of the L2 kind: added to the gradient

  /// Throws OptionError for an option outside its range.
  void check() const { check_adam(name(), learning_rate, rule()); }

  static constexpr bool takes_queued_scale = true, replayable = true, takes_groups = true;
  static constexpr const char* name() noexcept { return "Adam"; }
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
  AdamRule rule() const noexcept { return {beta1, beta2, epsilon, weight_decay, false}; }
};

static_assert(OptimizerSpec<Adam>);

}  // namespace minitrain::inline MINITRAIN_ABI
