#pragma once
// EMA: an optimizer, and beside it a running average of the parameters that it goes through.

#include <minitrain/core/check_option.hpp>
#include <minitrain/core/optimizer_factors.hpp>
#include <minitrain/optim/wrapped.hpp>

#include <string>

namespace minitrain::inline MINITRAIN_ABI {

/// After each step of `optimizer`, whose steps it does not change: a += (1 - d)·(p - a), where the average a begins as
/// the parameters after step 1, and
///   d = decay; or, with bias_correction, decay·(1 - decay^(t-1)) / (1 - decay^t) at step t
/// The first is torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(decay); the second weighs the parameters
/// of t steps as decay^0, decay^1, ..., decay^(t-1), as Adam's correction does. The average is a slab beside the
/// moments of the optimizer: averaged_moment(). Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation
/// by Averaging", SIAM J. Control Optim. 30, 1992.
template <OptimizerSpec Optimizer>
struct EMA {
  Optimizer optimizer{};
  double decay = 0.999;  // in [0, 1)
  bool bias_correction = false;
  double learning_rate = optimizer.learning_rate;

  static_assert(
      !requires(const Optimizer& o) { o.averaged_moment(); }, "an EMA in an EMA: one average is enough");

  /// Throws OptionError for an option outside its range.
  void check() const {
    optimizer.check();
    check_option(decay >= 0 && decay < 1, "EMA", "decay", decay, "in [0, 1)");
  }

  static constexpr bool takes_queued_scale = detail::queues<Optimizer>(), replayable = detail::replays<Optimizer>();
  static constexpr bool takes_groups = detail::heeds_groups<Optimizer>();
  std::string name() const { return "EMA of " + std::string(std::string_view(optimizer.name())); }
  std::size_t moments() const { return optimizer.moments() + 1; }
  std::string moment_name(std::size_t i) const {
    return i == averaged_moment() ? "ema" : std::string(std::string_view(optimizer.moment_name(i)));
  }
  /// The slab of state that holds the average.
  std::size_t averaged_moment() const { return optimizer.moments(); }
  bool copies_parameters(std::size_t i) const {
    return i == optimizer.moments() || detail::copies_parameters_of(optimizer, i);
  }
  MomentLayout moment_layout(std::size_t i, std::span<const ParameterTensor> tensors) const {
    return i == averaged_moment() ? MomentLayout{} : detail::layout_of(optimizer, i, tensors);
  }
  void assign_groups(std::span<ParameterTensor> tensors) const { detail::assign_groups_of(optimizer, tensors); }

  /// 1 - d at step t.
  double weight(std::size_t t) const noexcept {
    if (t == 1) return 1;
    if (!bias_correction) return 1 - decay;
    return (1 - decay) / (1 - detail::power(decay, t));
  }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    optimizer.update(device, detail::inner_step(step, averaged_moment()));
    average_update(device, AverageRule{weight(step.step)}, detail::outer_step(step, averaged_moment()));
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
