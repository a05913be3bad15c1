#pragma once
// StepCount: where a run is, for an observer that need not hear of every step.

#include <minitrain/train/callbacks.hpp>

#include <algorithm>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// Counts optimizer steps over the trainer's life, from steps where they are heard of, else from epochs.
class StepCount {
 public:
  void begin(const RunInfo& info) {
    steps_ = info.steps;
    epoch_ = info.first_epoch;
    // A record counts all steps of its epoch, those from before a stop too.
    before_epoch_ = info.steps - std::min(info.steps, info.steps_in_epoch);
  }
  void step(const StepEvent& event) {
    steps_ = event.step;
    epoch_ = event.epoch;
  }
  void epoch(const EpochRecord& record) {
    steps_ = std::max(steps_, before_epoch_ + record.steps);
    epoch_ = record.epoch;
    before_epoch_ = steps_;
  }

  /// What was done of an epoch that was stopped, which nobody was told of.
  void end(const History& history) {
    if (!history.epochs.empty() && !history.epochs.back().finished) epoch(history.epochs.back());
  }

  std::size_t steps() const noexcept { return steps_; }
  std::size_t epoch() const noexcept { return epoch_; }

 private:
  std::size_t steps_ = 0, epoch_ = 0, before_epoch_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail
