#pragma once
// LARS: SGD whose rate for a tensor is relative to the tensor's norm.

#include <minitrain/core/check_option.hpp>
#include <minitrain/core/tensor_rules.hpp>
#include <minitrain/optim/optimizer.hpp>

#include <limits>

namespace minitrain::inline MINITRAIN_ABI {

/// With g the mean gradient, for each tensor:
///   r = trust_coefficient·‖p‖ / (‖g‖ + weight_decay·‖p‖ + epsilon)
///   b = momentum·b + learning_rate·r·(g + weight_decay·p),  p -= b, or with nesterov p -= learning_rate·r·(...) +
///   momentum·b
/// where r is 1 if one of the norms is 0, and for biases, gains and shifts unless adapt_biases. Algorithm 1 of the
/// paper, whose epsilon is 0. Source: You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", 2017,
/// arXiv:1708.03888.
struct LARS {
  double learning_rate = 0.1;
  double momentum = 0.9;             // >= 0
  double trust_coefficient = 0.001;  // > 0
  double epsilon = 0;                // >= 0
  double weight_decay = 0;           // >= 0
  bool nesterov = false;             // needs momentum
  bool adapt_biases = true;

  /// Throws OptionError for an option outside its range.
  void check() const {
    constexpr double largest = std::numeric_limits<double>::max();
    check_option(learning_rate >= 0 && learning_rate <= largest, name(), "learning_rate", learning_rate,
                 "finite and not negative");
    check_option(momentum >= 0 && momentum <= largest, name(), "momentum", momentum, "finite and not negative");
    check_option(trust_coefficient > 0 && trust_coefficient <= largest, name(), "trust_coefficient", trust_coefficient,
                 "finite and positive");
    check_option(epsilon >= 0 && epsilon <= largest, name(), "epsilon", epsilon, "finite and not negative");
    check_option(weight_decay >= 0 && weight_decay <= largest, name(), "weight_decay", weight_decay,
                 "finite and not negative");
    check_option(!nesterov || momentum > 0, name(), "momentum", momentum, "positive for nesterov");
  }

  // Norms of tensors are a launch each, with numbers of the step by value, so no GPU replays them.
  static constexpr bool takes_queued_scale = true, replayable = false, takes_groups = true;
  static constexpr const char* name() noexcept { return "LARS"; }
  std::size_t moments() const noexcept { return momentum > 0 ? 1 : 0; }
  static constexpr const char* moment_name(std::size_t) noexcept { return "momentum_buffer"; }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    lars_update(device, LarsRule{momentum, nesterov, trust_coefficient, epsilon, weight_decay, adapt_biases}, step);
  }
};

static_assert(OptimizerSpec<LARS>);

}  // namespace minitrain::inline MINITRAIN_ABI
