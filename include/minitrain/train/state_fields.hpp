#pragma once
// StateFields: what a run must share with the one that it goes on with, field by field.

#include <minitrain/train/accumulator.hpp>

#include <string>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// (name, value): "seed", "7". In a file the keys begin with "minitrain.".
using StateFields = std::vector<std::pair<std::string, std::string>>;

/// Of a state file, to be read by a version that does not know it. 1: minitrain 0.1 before checkpoints. 2: with
/// accumulation windows, fingerprints and the loss scale.
inline constexpr std::size_t state_format = 2;

/// How a state is loaded.
struct LoadOptions {
  /// Fields that may differ from those in the file: "batch_size", "data", "seed", "optimizer.learning_rate", ... With
  /// "optimizer", moments that this one has no place for are left out; all of its own must be there (Adam goes on as
  /// AdamW, or as plain SGD). With "scalar", float widens to double.
  std::vector<std::string> allow{};
};

/// "Dense{5, 7}, ReLU, Dense{7, 3}".
inline std::string model_fingerprint(const ModelDescription& model) {
  std::string text;
  for (const LayerDescription& layer : model.layers) {
    if (!text.empty()) text += ", ";
    text += layer.name;
  }
  return text;
}

/// What is known of a run from its parts alone. The caller adds what it knows: "batch_size", "data", ...
template <class T, class Device>
StateFields state_fields(const Accumulator<T, Device>& core, std::uint64_t seed) {
  StateFields fields{{"model", model_fingerprint(core.network().description())},
                     {"scalar", sizeof(T) == sizeof(float) ? "F32" : "F64"},
                     {"loss", core.objective().name()},
                     {"optimizer", core.rule().name()}};
  for (auto& [name, value] : core.objective().options()) fields.emplace_back("loss." + name, value);
  for (auto& [name, value] : core.rule().options()) fields.emplace_back("optimizer." + name, value);
  fields.emplace_back("seed", std::to_string(seed));
  return fields;
}

}  // namespace minitrain::inline MINITRAIN_ABI
