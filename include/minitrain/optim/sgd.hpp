#pragma once
// SGD: stochastic gradient descent, plain or with momentum.

#include <minitrain/core/check_option.hpp>
#include <minitrain/optim/each_group.hpp>
#include <minitrain/optim/optimizer.hpp>

#include <limits>

namespace minitrain::inline MINITRAIN_ABI {

/// With g the mean gradient plus weight_decay·p:
///   momentum 0    p -= learning_rate·g
///   momentum mu   b = mu·b + g,  p -= learning_rate·b, or with nesterov p -= learning_rate·(g + mu·b)
/// The rules and defaults of torch.optim.SGD without dampening (there the learning rate has no default in older
/// versions, and 0.001 in newer ones).
struct SGD {
  double learning_rate = 0.01;
  double momentum = 0;      // >= 0
  bool nesterov = false;    // needs momentum
  double weight_decay = 0;  // of the L2 kind: added to the gradient

  /// Throws OptionError for an option outside its range.
  void check() const {
    constexpr double largest = std::numeric_limits<double>::max();
    check_option(learning_rate >= 0 && learning_rate <= largest, name(), "learning_rate", learning_rate,
                 "finite and not negative");
    check_option(momentum >= 0 && momentum <= largest, name(), "momentum", momentum, "finite and not negative");
    check_option(weight_decay >= 0 && weight_decay <= largest, name(), "weight_decay", weight_decay,
                 "finite and not negative");
    check_option(!nesterov || momentum > 0, name(), "momentum", momentum, "positive for nesterov");
  }

  static constexpr const char* name() noexcept { return "SGD"; }
  std::size_t moments() const noexcept { return momentum > 0 ? 1 : 0; }
  static constexpr const char* moment_name(std::size_t) noexcept { return "momentum_buffer"; }

  static constexpr bool takes_queued_scale = true, replayable = true, takes_groups = true;
  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    for_each_group(step, weight_decay, [&](const UpdateStep<T, Device>& part, double decay) {
      sgd_update(device, SgdRule{momentum, nesterov, decay}, part);
    });
  }
};

static_assert(OptimizerSpec<SGD>);

}  // namespace minitrain::inline MINITRAIN_ABI
