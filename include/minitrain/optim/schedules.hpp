#pragma once
// Schedules: step, exponential, linear and cosine decay, one cycle, and warm-up before any of them.

#include <minitrain/core/check_option.hpp>
#include <minitrain/core/optimizer_factors.hpp>
#include <minitrain/optim/curves.hpp>
#include <minitrain/optim/schedule.hpp>

#include <algorithm>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

inline void check_schedule_steps(const char* name, std::size_t steps) {
  if (steps == 0) throw OptionError({name, ": steps is 0, but it must be at least 1"});
}
inline void check_schedule_factor(const char* name, const char* option, double value) {
  check_option(value >= 0 && value <= 1, name, option, value, "in [0, 1]");
}

/// steps done / steps, at most 1.
inline double share_done(std::size_t step, std::size_t steps) noexcept {
  return step >= steps ? 1.0 : static_cast<double>(step) / static_cast<double>(steps);
}
}  // namespace detail

/// factor^floor(step / every), or factor^(how many of `at` are <= step). As torch.optim.lr_scheduler.StepLR and
/// MultiStepLR, stepped once per optimizer step.
struct StepDecay {
  std::size_t every = 0;          // steps; or
  std::vector<std::size_t> at{};  // steps, ascending
  double factor_of_step = 0.1;    // in [0, 1]

  void check() const {
    if ((every == 0) == at.empty()) throw OptionError("StepDecay: give either every or at");
    if (!std::is_sorted(at.begin(), at.end())) throw OptionError("StepDecay: at is not in ascending order");
    detail::check_schedule_factor("StepDecay", "factor_of_step", factor_of_step);
  }
  std::string name() const {
    if (every != 0) return joined({"times ", factor_of_step, " every ", every, " steps"});
    std::string text = joined({"times ", factor_of_step, " at step"});
    for (const std::size_t step : at) text += joined({" ", step});
    return text;
  }
  double factor(std::size_t step) const {
    const auto passed = std::upper_bound(at.begin(), at.end(), step) - at.begin();
    const std::size_t times = every != 0 ? step / every : static_cast<std::size_t>(passed);
    return factor_of_step == 1 ? 1.0 : detail::power(factor_of_step, times);
  }
};

/// 0.5^(step / half_life), in equal steps of each optimizer step: torch's ExponentialLR with gamma = 0.5^(1/half_life).
struct ExponentialDecay {
  double half_life = 0;  // steps until the rate is half of what it was; > 0

  void check() const {
    check_option(half_life > 0 && half_life <= 1e300, "ExponentialDecay", "half_life", half_life,
                 "a positive number of steps");
  }
  std::string name() const { return joined({"halved over each ", half_life, " steps"}); }
  double factor(std::size_t step) const { return detail::half_to_the(static_cast<double>(step) / half_life); }
};

/// 1 + (last - 1)·step / steps, and `last` from there on. torch's LinearLR from 1.
struct LinearDecay {
  std::size_t steps = 0;
  double last = 0;  // in [0, 1]

  void check() const {
    detail::check_schedule_steps("LinearDecay", steps);
    detail::check_schedule_factor("LinearDecay", "last", last);
  }
  std::string name() const { return joined({"linear to times ", last, " over ", steps, " steps"}); }
  double factor(std::size_t step) const { return detail::between(1.0, last, detail::share_done(step, steps)); }
};

/// last + (1 - last)·(1 + cos(π·t/T))/2, with t steps done of a cycle of T. The first cycle has `steps`, each later one
/// `growth` times as many; without restarts the rate stays at `last` after the first. As torch's CosineAnnealingLR (in
/// its closed form) and CosineAnnealingWarmRestarts.
/// Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, arXiv:1608.03983.
struct CosineDecay {
  std::size_t steps = 0;
  double last = 0;  // in [0, 1]
  bool restarts = false;
  std::size_t growth = 1;  // of the cycles; >= 1

  void check() const {
    detail::check_schedule_steps("CosineDecay", steps);
    detail::check_schedule_factor("CosineDecay", "last", last);
    if (growth == 0) throw OptionError("CosineDecay: growth is 0, but it must be at least 1");
  }
  std::string name() const {
    return joined({"cosine to times ", last, " over ", steps, " steps", restarts ? ", again and again" : ""}) +
           (restarts && growth > 1 ? joined({", each cycle ", growth, " times as long as the last"}) : std::string());
  }
  double factor(std::size_t step) const {
    std::size_t cycle = steps;
    if (restarts && growth == 1) step %= cycle;
    // A cycle too long for the type is longer than any run.
    while (restarts && growth > 1 && step >= cycle) {
      step -= cycle;
      if (cycle > ~std::size_t{0} / growth) break;
      cycle *= growth;
    }
    return detail::between(last, 1.0, detail::half_cosine(detail::share_done(step, cycle)));
  }
};

/// Up from 1/first_divisor to 1 in the first `rise` of the steps, and down to 1/(first_divisor·last_divisor) in the
/// rest, both along half a cosine; the learning rate of the optimizer is the peak. As torch's OneCycleLR, without its
/// cycling of momentum.
/// Source: Smith and Topin, "Super-Convergence", 2018, arXiv:1708.07120.
struct OneCycle {
  std::size_t steps = 0;      // in all; at least 2
  double rise = 0.3;          // in (0, 1)
  double first_divisor = 25;  // >= 1
  double last_divisor = 1e4;  // >= 1

  void check() const {
    if (steps < 2) throw OptionError({"OneCycle: steps is ", steps, ", but it must be at least 2"});
    check_option(rise > 0 && rise < 1, "OneCycle", "rise", rise, "in (0, 1)");
    check_option(first_divisor >= 1 && first_divisor <= 1e300, "OneCycle", "first_divisor", first_divisor,
                 "at least 1");
    check_option(last_divisor >= 1 && last_divisor <= 1e300, "OneCycle", "last_divisor", last_divisor, "at least 1");
  }
  std::string name() const {
    return joined({"one cycle of ", steps, " steps from 1/", first_divisor, ", the peak at ", rise, " of them, to 1/",
                   first_divisor * last_divisor});
  }
  double factor(std::size_t step) const {
    const double peak = rise * static_cast<double>(steps) - 1, end = static_cast<double>(steps) - 1;
    const double at = std::min(static_cast<double>(step), end), first = 1 / first_divisor;
    if (at < peak) return detail::between(1.0, first, detail::half_cosine(at / peak));
    const double last = first / last_divisor;
    return detail::between(last, 1.0, detail::half_cosine((at - peak) / (end - peak)));
  }
};

/// from + (1 - from)·step / steps for the first `steps` steps, then `then`, which counts from its own beginning. From
/// 1/k for a rate that is k times that of a smaller batch: Goyal et al., "Accurate, Large Minibatch SGD", 2017,
/// arXiv:1706.02677. Equal to torch's SequentialLR of LinearLR and the other.
struct Warmup {
  std::size_t steps = 0;
  double from = 0;  // in [0, 1]
  Schedule then{};

  void check() const {
    detail::check_schedule_steps("Warmup", steps);
    detail::check_schedule_factor("Warmup", "from", from);
  }
  std::string name() const {
    return joined({"linear from times ", from, " over ", steps, " steps, then ", then.name()});
  }
  double factor(std::size_t step) const {
    return step < steps ? detail::between(from, 1.0, detail::share_done(step, steps)) : then.factor(step - steps);
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
