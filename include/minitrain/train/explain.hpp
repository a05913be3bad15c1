#pragma once
// explain(): what will run, in words.

#include <minitrain/nn/summary.hpp>
#include <minitrain/train/accumulator.hpp>
#include <minitrain/train/options.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// How a device came by the micro-batch that it was left to choose.
template <class T, class Device>
const char* automatic_choice([[maybe_unused]] const Device& device, const Accumulator<T, Device>& core,
                             const TrainerOptions& options) {
  if constexpr (requires { free_bytes(device); }) {  // then the whole batch is best, and memory alone is in the way
    if (core.network().capacity() < options.batch_size) return ", as much as the library found room for";
  }
  return ", the library's choice";
}

/// What becomes of the learning rate, and of the batch in its place.
inline std::string explain_rate(const LearningRate& rate, const TrainerOptions& options) {
  std::string text = joined({"learning rate ", rate.base});
  if (const RateScaling& scaling = options.rate_scaling; scaling.rule != RateRule::none) {
    text += joined({", ", scaling.factor(options.batch_size), " times the optimizer's by the ",
                    scaling.rule == RateRule::linear ? "linear" : "square-root", " rule for a batch of ",
                    options.batch_size, " over ", scaling.base_batch_size});
  }
  text += ", " + options.schedule.name();
  if (options.reduce_on_plateau.on()) text += joined({", times ", options.reduce_on_plateau.factor, " on a plateau"});
  text += "\n";
  if (!options.batch_growth.at.empty()) {
    text += joined({"batch times ", options.batch_growth.factor, " at epoch"});
    for (const std::size_t epoch : options.batch_growth.at) text += joined({" ", epoch});
    if (options.batch_growth.largest != 0) text += joined({", up to ", options.batch_growth.largest});
    text += "\n";
  }
  return text;
}

template <class T, class Device>
std::string explain_run(const Device& device, const Accumulator<T, Device>& core, const TrainerOptions& options) {
  const Network<T, Device>& network = core.network();
  const std::size_t slab = network.parameters().size() * sizeof(T);
  const std::size_t buffers = network.capacity() * network.size().per_sample * sizeof(T);
  const std::size_t granule = split_granule(device);
  std::string text = to_string(network.description(), sizeof(T));
  text +=
      "loss " + core.objective().name() + ", optimizer " + core.rule().name() + ", " + describe_device(device) + "\n";
  text += "batch of " + std::to_string(options.batch_size) + " in micro-batches of " +
          std::to_string(network.capacity()) +
          (options.micro_batch_size != automatic ? ", as asked" : automatic_choice(device, core, options)) + "; " +
          (granule == 1  ? "no split changes a bit"
           : granule > 1 ? "splits at multiples of " + std::to_string(granule) + " change no bit"
                         : "a split may change last bits") +
          "\n";
  text += explain_rate(core.rules().rate, options);
  if (options.clip_value != 0)
    text += joined({"elements of the gradient clipped to a magnitude of ", options.clip_value, "\n"});
  if (options.clip_norm != 0)
    text += joined({"gradient clipped to a norm of ", options.clip_norm, ", all parameters together\n"});
  text += std::to_string(network.stages()) + " operations for " + std::to_string(network.description().layers.size()) +
          " layers; bytes: parameters " + std::to_string(slab) + ", gradient sums " + std::to_string(slab) +
          ", optimizer " + std::to_string(core.optimizer_state().bytes()) + ", buffers " + std::to_string(buffers) +
          "\n";
  return text + describe_choices(device);
}

}  // namespace minitrain::inline MINITRAIN_ABI
