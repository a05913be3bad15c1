#pragma once
// LearningRate: the rate of each step, out of the optimizer's own, a rule for the batch size, a schedule, and what
// plateaus have made of it.

#include <minitrain/core/check_option.hpp>
#include <minitrain/optim/schedule.hpp>
#include <minitrain/train/watched.hpp>

#include <cmath>

namespace minitrain::inline MINITRAIN_ABI {

enum class RateRule { none, linear, sqrt };

/// The optimizer's learning rate is one for batches of base_batch_size; with others, it is multiplied by
///   linear   batch_size / base_batch_size         Goyal et al. 2017, arXiv:1706.02677 (SGD)
///   sqrt     sqrt(batch_size / base_batch_size)   Krizhevsky 2014, arXiv:1404.5997 (Adam and its kin)
/// Neither holds for every problem, so nothing is done unless asked for, and explain() says what was done.
struct RateScaling {
  RateRule rule = RateRule::none;
  std::size_t base_batch_size = 0;

  void check() const {
    if (rule != RateRule::none && base_batch_size == 0) {
      throw OptionError("RateScaling: base_batch_size is 0: give the batch size that the learning rate was chosen for");
    }
  }
  double factor(std::size_t batch_size) const noexcept {
    if (rule == RateRule::none) return 1;
    const double ratio = static_cast<double>(batch_size) / static_cast<double>(base_batch_size);
    return rule == RateRule::linear ? ratio : std::sqrt(ratio);
  }
};

/// Multiplies the rate by `factor` after `patience` epochs in a row, and one more, of which none was better than the
/// best by more than `threshold` of it; then waits `cooldown` epochs before it counts again. As
/// torch.optim.lr_scheduler.ReduceLROnPlateau (threshold_mode 'rel').
struct ReduceOnPlateau {
  double factor = 1;  // in (0, 1]; 1: off
  std::size_t patience = 10, cooldown = 0;
  double threshold = 1e-4;  // >= 0
  double least_factor = 0;  // of all reductions together, in [0, 1]
  Watched watched{};

  bool on() const noexcept { return factor != 1; }
  void check() const {
    check_option(factor > 0 && factor <= 1, "ReduceOnPlateau", "factor", factor, "in (0, 1]");
    check_option(threshold >= 0 && threshold <= 1, "ReduceOnPlateau", "threshold", threshold, "in [0, 1]");
    check_option(least_factor >= 0 && least_factor <= 1, "ReduceOnPlateau", "least_factor", least_factor, "in [0, 1]");
  }

  /// How far it is.
  struct State {
    BestEpoch best{};
    std::size_t cooling = 0;
    double factor = 1;
  };
  /// After an epoch. Returns whether the rate was reduced.
  bool update(State& state, const EpochRecord& epoch) const {
    const double margin = state.best.value == state.best.value ? threshold * std::abs(state.best.value) : 0;
    state.best.improve(watched.of(epoch), epoch.epoch, watched.wants_higher(), margin);
    if (state.cooling > 0) --state.cooling, state.best.since = 0;
    if (state.best.since <= patience) return false;
    state.best.since = 0;
    state.cooling = cooldown;
    const double before = state.factor;
    state.factor = std::max(state.factor * factor, least_factor);
    return state.factor < before;
  }
};

/// rate(step) = base·schedule(step)·plateau, step = 0, 1, ...
struct LearningRate {
  double base = 0;  // the optimizer's, by the rule for the batch size
  Schedule schedule{};
  double plateau = 1;

  /// Throws OptionError for a schedule whose factor is negative or not finite.
  double at(std::size_t step) const {
    if (schedule.is_constant()) return base * plateau;
    const double factor = schedule.factor(step);
    if (!(factor >= 0 && factor <= std::numeric_limits<double>::max())) fail(factor, step);
    return base * factor * plateau;
  }

 private:
  [[noreturn, gnu::cold]] void fail(double factor, std::size_t step) const {
    throw OptionError({"schedule '", schedule.name(), "': its factor is ", factor, " at step ", step,
                       ", but it must be finite and not negative"});
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
