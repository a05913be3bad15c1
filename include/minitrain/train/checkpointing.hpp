#pragma once
// Checkpointing: when a running fit() saves itself, and how it tells of what went wrong.

#include <minitrain/train/audience.hpp>
#include <minitrain/train/checkpoint.hpp>
#include <minitrain/train/run_fields.hpp>

#include <optional>

namespace minitrain::inline MINITRAIN_ABI {

/// Nothing happens unless the options name a directory. Snapshots are taken when the thread that writes them is free,
/// not to be replaced before it is: a step that finds it busy leaves its snapshot to the first one that does not, and
/// so does the end of an epoch while a snapshot waits that is not worse. So the newest state on the disk is, at any
/// time, at most as old as the steps between two checkpoints and two writes, three where the best was kept aside.
template <class T, class Device>
class Checkpointing {
 public:
  /// Throws OptionError when the directory holds later states than the run's: they are of another run, which would be
  /// mixed with this one. Throws DataError (io_error), also when another run writes to it.
  Checkpointing(const Device& device, const TrainerOptions& options, Accumulator<T, Device>& core,
                RunProgress& progress, const std::vector<T>& best, const Audience& audience,
                const FileSystem& files = FileSystem::system())
      : device_(device), options_(options), core_(core), progress_(progress), best_(best), audience_(audience) {
    if (!options.checkpoint.on()) return;
    CheckpointDirectory directory(options.checkpoint, files);
    directory.lock();  // before looking, so that nothing is added after it
    directory.expect_none_after(core.steps());
    fields_ = run_fields(device, core, options);
    writer_.emplace(std::move(directory), options.checkpoint.max_failures);
    if (const std::string why = writer_->statistics().in_place; !why.empty()) {
      audience_.message(Severity::warning,
                        "checkpoints: no thread to write them, so training waits for the disk: " + why);
    }
  }

  /// Whether to submit() after this step.
  bool due_after_step() noexcept {
    overdue_ = overdue_ || options_.checkpoint.due_after_step(core_.steps());
    return overdue_ && writer_->pending() == 0;
  }
  void after_epoch() {
    unsaved_ = true;
    if (!options_.checkpoint.due_after_epoch(progress_.epochs)) return;
    const bool better = options_.checkpoint.keep_best && progress_.value < best_value_;
    if (better || writer_->pending() < 2) {
      submit();
    } else {
      overdue_ = true;
    }
  }
  /// Of a run that comes to its end here, unless that state is saved already.
  void at_end() {
    if (progress_.saved_steps != core_.steps() || core_.accumulated() > 0 || unsaved_) submit();
    finish();
  }
  /// Takes a snapshot, to be written while training goes on. Steps must be settled.
  void submit() {
    if (!writer_) return;
    Snapshot snapshot = writer_->buffer();
    take_snapshot(device_, core_, progress_, fields_, {}, snapshot, best_);
    progress_.saved_steps = core_.steps();
    best_value_ =
        std::min(best_value_, snapshot.state().value);  // if this one cannot be written, the next best may wait
    unsaved_ = overdue_ = false;
    writer_->submit(std::move(snapshot));
    tell();
  }
  /// Waits for what is being written.
  void finish() {
    if (!writer_) return;
    writer_->finish();
    tell();
  }

 private:
  void tell() {
    const CheckpointStatistics now = writer_->statistics();
    if (now.failed > told_) {
      audience_.message(Severity::warning, joined({"checkpoints: ", now.failed - told_,
                                                   " could not be written, training goes on: ", now.last_failure}));
    }
    told_ = now.failed;
  }

  const Device& device_;
  const TrainerOptions& options_;
  Accumulator<T, Device>& core_;
  RunProgress& progress_;
  const std::vector<T>& best_;
  const Audience& audience_;
  StateFields fields_;
  std::optional<CheckpointWriter> writer_;
  bool unsaved_ = false;                                         // an epoch has ended since
  bool overdue_ = false;                                         // one was due, and the writer busy
  double best_value_ = std::numeric_limits<double>::infinity();  // of those submitted
  std::size_t told_ = 0;                                         // failures
};

}  // namespace minitrain::inline MINITRAIN_ABI
