#pragma once
// Lookahead: an optimizer that explores, and slow weights that follow every few steps.

#include <minitrain/core/check_option.hpp>
#include <minitrain/optim/wrapped.hpp>

#include <string>

namespace minitrain::inline MINITRAIN_ABI {

/// After every k-th step of `optimizer`: s += alpha·(p - s), then p = s, where the slow weights s begin as the
/// parameters before step 1. The moments of the optimizer stay as they are. Source: Zhang, Lucas, Hinton and Ba,
/// "Lookahead Optimizer: k steps forward, 1 step back", 2019, arXiv:1907.08610.
template <OptimizerSpec Optimizer>
struct Lookahead {
  Optimizer optimizer{};
  std::size_t k = 5;   // >= 1
  double alpha = 0.5;  // in (0, 1]
  double learning_rate = optimizer.learning_rate;

  /// Throws OptionError for an option outside its range.
  void check() const {
    optimizer.check();
    check_option(k >= 1, "Lookahead", "k", static_cast<double>(k), "at least 1");
    check_option(alpha > 0 && alpha <= 1, "Lookahead", "alpha", alpha, "in (0, 1]");
  }

  // Not every step is the same launches, so no GPU replays them.
  static constexpr bool takes_queued_scale = detail::queues<Optimizer>(), replayable = false;
  static constexpr bool takes_groups = detail::heeds_groups<Optimizer>();
  std::string name() const { return "Lookahead of " + std::string(std::string_view(optimizer.name())); }
  std::size_t moments() const { return optimizer.moments() + 1; }
  std::string moment_name(std::size_t i) const {
    return i == optimizer.moments() ? "slow" : std::string(std::string_view(optimizer.moment_name(i)));
  }
  std::size_t averaged_moment() const requires requires(const Optimizer& o) { o.averaged_moment(); }
  { return optimizer.averaged_moment(); }
  bool copies_parameters(std::size_t i) const {
    return i == optimizer.moments() || detail::copies_parameters_of(optimizer, i);
  }
  MomentLayout moment_layout(std::size_t i, std::span<const ParameterTensor> tensors) const {
    return i == optimizer.moments() ? MomentLayout{} : detail::layout_of(optimizer, i, tensors);
  }
  void assign_groups(std::span<ParameterTensor> tensors) const { detail::assign_groups_of(optimizer, tensors); }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    const auto slow = detail::outer_step(step, optimizer.moments());
    if (step.step == 1) average_update(device, AverageRule{1}, slow);
    optimizer.update(device, detail::inner_step(step, optimizer.moments()));
    if (step.step % k == 0) average_update(device, AverageRule{alpha, true}, slow);
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
