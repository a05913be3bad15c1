#pragma once
// What of a trainer goes into a state beside its slabs, and comes back.

#include <minitrain/train/options.hpp>
#include <minitrain/train/progress_metadata.hpp>
#include <minitrain/train/state_file.hpp>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// The arithmetic of a device, where it has more than one.
template <class Device>
std::string math_of([[maybe_unused]] const Device& device) {
  if constexpr (requires { device.math(); }) {
    constexpr const char* names[] = {"fp32", "tf32", "bf16", "fp16"};
    return names[static_cast<std::size_t>(device.math())];
  } else {
    return "fp32";
  }
}

inline std::string watch_text(const Watched& watched) {
  return watched.value ? "a function" : std::to_string(static_cast<int>(watched.what));
}

}  // namespace detail

/// What a run that goes on must share: options that change its bits, or its end.
template <class T, class Device>
StateFields run_fields(const Device& device, const Accumulator<T, Device>& core, const TrainerOptions& options) {
  StateFields fields = state_fields(core, options.seed);
  const auto add = [&](const char* name, std::initializer_list<TextPiece> value) {
    fields.emplace_back(name, joined(value));
  };
  add("math", {detail::math_of(device)});
  add("batch_size", {options.batch_size});
  add("shuffle", {options.shuffle ? "true" : "false"});
  add("clip_norm", {options.clip_norm});
  add("clip_value", {options.clip_value});
  add("schedule", {options.schedule.name()});
  add("rate_scaling", {options.rate_scaling.factor(options.batch_size)});
  const NonFinitePolicy& bad = options.non_finite;
  add("non_finite", {static_cast<int>(bad.action), " ", bad.action == OnNonFinite::skip ? bad.most_skipped : 0});
  const ReduceOnPlateau& plateau = options.reduce_on_plateau;
  if (plateau.on()) {
    add("reduce_on_plateau", {plateau.factor, " ", plateau.patience, " ", plateau.cooldown, " ", plateau.threshold, " ",
                              plateau.least_factor, " ", detail::watch_text(plateau.watched)});
  } else {
    add("reduce_on_plateau", {"off"});
  }
  const EarlyStopping& early = options.early_stopping;
  if (early.on()) {
    add("early_stopping", {early.patience, " ", early.min_change, " ", detail::watch_text(early.watched)});
  } else {
    add("early_stopping", {"off"});
  }
  std::string growth = joined({"times ", options.batch_growth.factor, " to ", options.batch_growth.largest, " at"});
  for (const std::size_t epoch : options.batch_growth.at) growth += joined({" ", epoch});
  add("batch_growth", {options.batch_growth.at.empty() ? "off" : growth});
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
  progress.value = state.value;
  progress.value_steps = state.steps;
  return progress;
}

/// Tells `core` what it has to know of a run that goes on.
template <class T, class Device>
void go_on(Accumulator<T, Device>& core, const RunProgress& progress) {
  core.judge().set_skipped_in_row(progress.skipped_in_row);
  core.judge().rules().rate.plateau = progress.plateau.factor;
}

}  // namespace minitrain::inline MINITRAIN_ABI
