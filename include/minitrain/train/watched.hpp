#pragma once
// Watched: the number by which an epoch is better or worse than another.

#include <minitrain/core/error.hpp>
#include <minitrain/train/history.hpp>

#include <functional>
#include <limits>

namespace minitrain::inline MINITRAIN_ABI {

enum class Watch { automatic, training_loss, validation_loss, validation_accuracy };

/// What of an epoch is looked at. automatic: the validation loss where there is validation data, else the training
/// loss. Or a number of your own, with a metric of your own for one.
struct Watched {
  Watch what = Watch::automatic;
  std::function<double(const EpochRecord&)> value{};  // in place of `what`
  bool higher_is_better = false;                      // of `value`

  bool wants_higher() const noexcept { return value ? higher_is_better : what == Watch::validation_accuracy; }
  /// Throws OptionError when a fit() without validation data is asked for a number of it.
  void check(const char* owner, bool validation) const {
    if (value || validation || (what != Watch::validation_loss && what != Watch::validation_accuracy)) return;
    throw OptionError({owner,
                       ": watches the validation data, and fit() was given none: give it, or watch the training "
                       "loss"});
  }
  double of(const EpochRecord& epoch) const {
    if (value) return value(epoch);
    switch (what) {
      case Watch::training_loss:
        return epoch.training.loss;
      case Watch::validation_loss:
        return epoch.validation.loss;
      case Watch::validation_accuracy:
        return epoch.validation.accuracy;
      case Watch::automatic:
        break;
    }
    return epoch.validation.samples > 0 ? epoch.validation.loss : epoch.training.loss;
  }
};

/// The best epoch so far, and how many came since. A number that is NaN is never better.
struct BestEpoch {
  double value = std::numeric_limits<double>::quiet_NaN();  // NaN: none yet
  std::size_t epoch = 0;
  std::size_t since = 0;  // epochs

  /// Whether `found` is better by more than `margin`, which makes it the best.
  bool improve(double found, std::size_t at, bool higher, double margin) noexcept {
    const bool better =
        found == found && (value != value || (higher ? found > value + margin : found < value - margin));
    if (better) value = found, epoch = at;
    since = better ? 0 : since + 1;
    return better;
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
