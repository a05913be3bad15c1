#pragma once
// StepJudge: whether a step counts, by its loss and its gradient.

#include <minitrain/train/step_rules.hpp>
#include <minitrain/train/totals.hpp>

#include <limits>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

class StepJudge {
 public:
  explicit StepJudge(const StepRules& rules) : rules_(rules) {}

  const StepRules& rules() const noexcept { return rules_; }
  StepRules& rules() noexcept { return rules_; }

  /// What step `number` comes to. One that is not finite throws NumericError, unless the rules let it pass: then it
  /// has no weight. parameters_finite() is asked for the message.
  template <class F>
  Totals judge(const Sums& sums, std::size_t samples, std::size_t number, const F& parameters_finite) {
    const Totals totals = totals_of(sums, samples);
    last_squares_ = sums[3];
    if (is_finite(sums)) {
      if (totals.weight > 0 && !(sums[3] < 0)) skipped_in_row_ = 0;
      return totals;
    }
    const NonFinitePolicy& policy = rules_.non_finite;
    if (policy.action == OnNonFinite::ignore) return totals;
    if (policy.action == OnNonFinite::skip && ++skipped_in_row_ <= policy.most_skipped)
      return {.samples = samples, .left_out = samples};
    fail_non_finite(totals, number, parameters_finite(), skipped_in_row_);
  }

  std::size_t skipped_in_row() const noexcept { return skipped_in_row_; }
  void set_skipped_in_row(std::size_t steps) noexcept {
    skipped_in_row_ = steps;
    give_news();
  }
  /// A device that judges queued steps by itself does not know of those that the host has judged.
  void give_news() noexcept { news_ = rules_.non_finite.action == OnNonFinite::skip; }
  bool take_news() noexcept { return std::exchange(news_, false); }

  /// Of the last step's gradient sum, before clip_norm; NaN where nothing measures it.
  double last_squares() const noexcept {
    return rules_.measures_gradient() ? last_squares_ : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  StepRules rules_;
  std::size_t skipped_in_row_ = 0;  // steps
  bool news_ = false;
  double last_squares_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI
