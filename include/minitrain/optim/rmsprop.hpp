#pragma once
// RMSprop: steps scaled by a running mean of the squared gradient.

#include <minitrain/core/check_option.hpp>
#include <minitrain/optim/each_group.hpp>
#include <minitrain/optim/optimizer.hpp>

#include <limits>

namespace minitrain::inline MINITRAIN_ABI {

/// With g the mean gradient plus weight_decay·p:
///   v = alpha·v + (1 - alpha)·g²,  d = g / (sqrt(v) + epsilon); centered, v less the square of a running mean of g
///   momentum 0    p -= learning_rate·d
///   momentum mu   b = mu·b + d,  p -= learning_rate·b
/// The rules and defaults of torch.optim.RMSprop.
/// Source: Tieleman and Hinton, "Lecture 6.5 - rmsprop", COURSERA: Neural Networks for Machine Learning, 2012;
/// centered: Graves, "Generating Sequences With Recurrent Neural Networks", 2013, arXiv:1308.0850.
struct RMSprop {
  double learning_rate = 0.01;
  double alpha = 0.99;      // in [0, 1)
  double epsilon = 1e-8;    // > 0
  double momentum = 0;      // >= 0
  bool centered = false;    // divide by the standard deviation of the gradient instead
  double weight_decay = 0;  // of the L2 kind: added to the gradient

  /// Throws OptionError for an option outside its range.
  void check() const {
    constexpr double largest = std::numeric_limits<double>::max();
    check_option(learning_rate >= 0 && learning_rate <= largest, name(), "learning_rate", learning_rate,
                 "finite and not negative");
    check_option(alpha >= 0 && alpha < 1, name(), "alpha", alpha, "in [0, 1)");
    check_option(epsilon > 0 && epsilon <= largest, name(), "epsilon", epsilon, "finite and positive");
    check_option(momentum >= 0 && momentum <= largest, name(), "momentum", momentum, "finite and not negative");
    check_option(weight_decay >= 0 && weight_decay <= largest, name(), "weight_decay", weight_decay,
                 "finite and not negative");
  }

  static constexpr bool takes_queued_scale = true, replayable = true, takes_groups = true;
  static constexpr const char* name() noexcept { return "RMSprop"; }
  std::size_t moments() const noexcept { return std::size_t{1} + (momentum > 0 ? 1 : 0) + (centered ? 1 : 0); }
  const char* moment_name(std::size_t i) const noexcept {
    return i == 0 ? "square_avg" : i == 1 && momentum > 0 ? "momentum_buffer" : "grad_avg";
  }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    for_each_group(step, weight_decay, [&](const UpdateStep<T, Device>& part, double decay) {
      rmsprop_update(device, RmspropRule{alpha, epsilon, momentum, centered, decay}, part);
    });
  }
};

static_assert(OptimizerSpec<RMSprop>);

}  // namespace minitrain::inline MINITRAIN_ABI
