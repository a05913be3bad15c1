#pragma once
// make_accumulator: memory for a model, its loss and its optimizer on a device, or a sentence about how much is
// missing.

#include <minitrain/train/accumulator.hpp>
#include <minitrain/train/memory_plan.hpp>
#include <minitrain/train/options.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Bytes for each sample of a micro-batch: the network's, the loader's and the loss's.
template <class T, class Device>
std::size_t bytes_per_sample(const Network<T, Device>& network) {
  return (network.scalars_per_sample() + network.input_columns() + network.output_columns()) * sizeof(T) +
         3 * sizeof(float);
}

/// Throws ShapeError or OptionError when the parts do not fit together; DeviceError (out_of_memory) with the memory
/// planned and the largest micro-batch that fits.
template <class T, class Device, Model M, class Loss, class Optimizer>
Accumulator<T, Device> make_accumulator(const Device& device, const M& model, const Loss& loss,
                                        const Optimizer& optimizer, const TrainerOptions& options) {
  MemoryPlan plan;
  return with_memory_plan(device, plan, [&] {
    plan.slab = Network<T, Device>::slab_size(describe(model)) * sizeof(T);
    plan.moments = optimizer.moments();
    Network<T, Device> network(device, model, options.seed);
    auto objective = std::make_unique<ObjectiveOf<Loss, T, Device>>(device, loss, network.output_columns());
    auto rule = std::make_unique<UpdateRuleOf<Optimizer, T, Device>>(optimizer);
    plan.per_sample = bytes_per_sample(network);
    plan.rows = options.micro_batch_size != 0 ? std::min(options.micro_batch_size, options.batch_size)
                                              : choose_micro_batch(device, options.batch_size,
                                                                   network.scalars_per_sample() * sizeof(T), plan.slab);
    return Accumulator<T, Device>(device, std::move(network), std::move(objective), std::move(rule), options.seed,
                                  plan.rows, options.clip_norm);
  });
}

/// The plan of one that is there, with a data set beside it.
template <class T, class Device>
MemoryPlan memory_plan(const Device& device, const Accumulator<T, Device>& core, const Dataset& data) {
  const Network<T, Device>& network = core.network();
  return {.slab = network.parameters().size() * sizeof(T),
          .moments = core.moments().size(),
          .per_sample = bytes_per_sample(network),
          .rows = network.capacity(),
          .data_set = data_set_bytes(device, data),
          .held = true};
}

}  // namespace minitrain::inline MINITRAIN_ABI
