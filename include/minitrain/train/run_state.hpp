#pragma once
// What of a trainer goes into a state beside its slabs, and comes back.

#include <minitrain/train/options.hpp>
#include <minitrain/train/progress_metadata.hpp>
#include <minitrain/train/state_file.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// What a run that goes on must share: options that change its bits.
template <class T, class Device>
StateFields run_fields(const Accumulator<T, Device>& core, const TrainerOptions& options) {
  StateFields fields = state_fields(core, options.seed);
  const RateScaling& scaling = options.rate_scaling;
  fields.emplace_back("batch_size", std::to_string(options.batch_size));
  fields.emplace_back("shuffle", options.shuffle ? "true" : "false");
  fields.emplace_back("clip_norm", joined({options.clip_norm}));
  fields.emplace_back("clip_value", joined({options.clip_value}));
  fields.emplace_back("schedule", options.schedule.name());
  fields.emplace_back("rate_scaling", joined({scaling.factor(options.batch_size)}));
  return fields;
}

template <class T, class Device>
StateFields run_metadata(const Accumulator<T, Device>& core, const RunProgress& progress) {
  StateFields metadata = progress_metadata(progress);
  metadata.emplace_back("run.skipped", std::to_string(core.judge().skipped_in_row()));
  return metadata;
}

/// The progress in a state. Throws DataError (bad_header).
inline RunProgress progress_of(const RunState& state, const std::string& path, const LoadOptions& options) {
  RunProgress progress = state.progress;
  read_progress_metadata(state.metadata, path, progress);
  progress.other_data = allows(options, "data");
  progress.window = progress.window && state.window.samples > 0;
  return progress;
}

/// Tells `core` what it has to know of a run that goes on.
template <class T, class Device>
void go_on(Accumulator<T, Device>& core, const RunProgress& progress) {
  core.judge().set_skipped_in_row(progress.skipped_in_row);
  core.judge().rules().rate.plateau = progress.plateau.factor;
}

}  // namespace minitrain::inline MINITRAIN_ABI
