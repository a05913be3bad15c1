#pragma once
// Adagrad: steps scaled by the root of the sum of all squared gradients so far.

#include <minitrain/core/check_option.hpp>
#include <minitrain/optim/each_group.hpp>
#include <minitrain/optim/optimizer.hpp>

#include <limits>

namespace minitrain::inline MINITRAIN_ABI {

/// With g the mean gradient plus weight_decay·p, at step t = 1, 2, ...:
///   s += g²                 where s begins with initial_accumulator_value
///   p -= learning_rate / (1 + (t - 1)·lr_decay) · g / (sqrt(s) + epsilon)
/// The rules and defaults of torch.optim.Adagrad; s is its sum.
/// Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
/// JMLR 12, 2011.
struct Adagrad {
  double learning_rate = 0.01;
  double lr_decay = 0;                   // >= 0
  double initial_accumulator_value = 0;  // >= 0
  double epsilon = 1e-10;                // > 0
  double weight_decay = 0;               // of the L2 kind: added to the gradient

  /// Throws OptionError for an option outside its range.
  void check() const {
    constexpr double largest = std::numeric_limits<double>::max();
    check_option(learning_rate >= 0 && learning_rate <= largest, name(), "learning_rate", learning_rate,
                 "finite and not negative");
    check_option(lr_decay >= 0 && lr_decay <= largest, name(), "lr_decay", lr_decay, "finite and not negative");
    check_option(initial_accumulator_value >= 0 && initial_accumulator_value <= largest, name(),
                 "initial_accumulator_value", initial_accumulator_value, "finite and not negative");
    check_option(epsilon > 0 && epsilon <= largest, name(), "epsilon", epsilon, "finite and positive");
    check_option(weight_decay >= 0 && weight_decay <= largest, name(), "weight_decay", weight_decay,
                 "finite and not negative");
  }

  static constexpr bool takes_queued_scale = true, replayable = true, takes_groups = true;
  static constexpr const char* name() noexcept { return "Adagrad"; }
  static constexpr std::size_t moments() noexcept { return 1; }
  static constexpr const char* moment_name(std::size_t) noexcept { return "sum"; }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    for_each_group(step, weight_decay, [&](const UpdateStep<T, Device>& part, double decay) {
      adagrad_update(device, AdagradRule{lr_decay, initial_accumulator_value, epsilon, decay}, part);
    });
  }
};

static_assert(OptimizerSpec<Adagrad>);

}  // namespace minitrain::inline MINITRAIN_ABI
