#pragma once
// CheckpointOptions: when a run saves itself, where, and how many of its states stay.

#include <minitrain/core/error.hpp>

#include <cstddef>
#include <string>

namespace minitrain::inline MINITRAIN_ABI {

struct CheckpointOptions {
  std::string directory{};       // made when it is not there; empty: no checkpoints
  std::size_t every_steps = 0;   // optimizer steps; 0: not by steps
  std::size_t every_epochs = 1;  // 0: not by epochs
  std::size_t keep_last = 3;     // newest ones that stay; with 2 or more, a damaged one is no loss
  bool keep_best = true;         // and the one of the least value
  std::size_t max_failures = 5;  // checkpoints in a row that could not be written, before the run stops

  bool on() const noexcept { return !directory.empty(); }
  /// Whether one is due after so many optimizer steps of the run, or so many whole epochs.
  bool due_after_step(std::size_t steps) const noexcept { return on() && every_steps != 0 && steps % every_steps == 0; }
  bool due_after_epoch(std::size_t epochs) const noexcept {
    return on() && every_epochs != 0 && epochs % every_epochs == 0;
  }

  /// Throws OptionError for an option outside its range.
  void check(const char* owner = "CheckpointOptions") const {
    const auto positive = [&](std::size_t value, const char* name, const char* why) {
      if (value == 0) throw OptionError({owner, ": ", name, " is 0, but it must be at least 1: ", why});
    };
    if (!on()) {
      if (every_steps == 0) return;
      throw OptionError({owner, ": every_steps is ", every_steps, ", but there is no directory: give one"});
    }
    positive(keep_last, "keep_last", "the newest checkpoint always stays");
    positive(max_failures, "max_failures", "1 stops the run at the first that cannot be written");
    if (every_steps == 0 && every_epochs == 0) {
      throw OptionError({owner, ": a directory for checkpoints, but every_steps and every_epochs are 0: set one"});
    }
    if (directory.find('\0') != std::string::npos) {
      throw OptionError({owner, ": the directory has a zero byte in its name"});
    }
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
