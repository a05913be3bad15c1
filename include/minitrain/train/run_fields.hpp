#pragma once
// run_fields(): the options of a trainer, as a state remembers them.

#include <minitrain/train/options.hpp>
#include <minitrain/train/state_fields.hpp>

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

}  // namespace minitrain::inline MINITRAIN_ABI
