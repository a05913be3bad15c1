#pragma once
// Verdict: what whole epochs mean for the rate, and for going on.

#include <minitrain/train/audience.hpp>
#include <minitrain/train/options.hpp>
#include <minitrain/train/run_progress.hpp>
#include <minitrain/train/slab.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Of one fit(): plateaus and early stopping. What it remembers is in the progress of the run.
template <class T, class Device>
class Verdict {
 public:
  Verdict(const Device& device, const TrainerOptions& options, Accumulator<T, Device>& core, RunProgress& progress,
          std::vector<T>& best, const Audience& audience)
      : device_(device), options_(options), core_(core), progress_(progress), best_(best), audience_(audience) {}

  /// Throws OptionError when validation data is watched and there is none.
  void check(bool validation) const {
    options_.early_stopping.watched.check("EarlyStopping", validation);
    if (options_.reduce_on_plateau.on()) options_.reduce_on_plateau.watched.check("ReduceOnPlateau", validation);
  }

  /// Before a fit() that does not go on with one that was stopped. Numbers of other data cannot be compared with those
  /// to come, nor does what gave up give up at once.
  void begin_anew(bool same_data) {
    if (same_data && !gave_up()) return;
    progress_.best = {};
    best_.clear();
    if (!same_data) progress_.plateau.best = {};
  }

  /// After an epoch and its validation.
  void judge(const EpochRecord& record) {
    const ReduceOnPlateau& plateau = options_.reduce_on_plateau;
    if (plateau.on() && plateau.update(progress_.plateau, record)) {
      core_.judge().rules().rate.plateau = progress_.plateau.factor;
      audience_.message(Severity::information, joined({"epoch ", record.epoch, " is no better than epoch ",
                                                       progress_.plateau.best.epoch, ": learning rates are ",
                                                       progress_.plateau.factor, " times what they were from now on"}));
    }
    const EarlyStopping& early = options_.early_stopping;
    const Watched& watched = early.watched;
    if (!early.on() && !options_.checkpoint.on()) return;
    const double value = watched.of(record);
    progress_.value = watched.wants_higher() ? -value : value;
    progress_.value_steps = core_.steps();
    if (!early.on()) return;
    if (progress_.best.improve(value, record.epoch, watched.wants_higher(), early.min_change) && early.restore_best) {
      copy_slab(device_, core_.network().parameters(), best_);
      if (const auto moment = core_.rule().averaged_moment()) {
        std::vector<T> averaged;
        copy_slab(device_, core_.moments()[*moment], averaged);
        best_.insert(best_.end(), averaged.begin(), averaged.end());
      }
    }
  }

  bool gave_up() const noexcept {
    return options_.early_stopping.on() && progress_.best.since >= options_.early_stopping.patience;
  }

  /// Of a run that gave up.
  void restore_best() {
    if (!options_.early_stopping.restore_best || best_.empty() || progress_.best.since == 0) return;
    copy_from_host(device_, best_.data(), core_.network().parameters().view());
    if (const auto moment = core_.rule().averaged_moment()) {
      copy_from_host(device_, best_.data() + core_.network().parameters().size(), core_.moments()[*moment].view());
    }
    audience_.message(Severity::information,
                      joined({"no epoch was better than epoch ", progress_.best.epoch, ": its parameters are back"}));
  }

 private:
  const Device& device_;
  const TrainerOptions& options_;
  Accumulator<T, Device>& core_;
  RunProgress& progress_;
  std::vector<T>& best_;
  const Audience& audience_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
