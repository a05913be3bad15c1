#pragma once
// make_accumulator: memory for a model, its loss and its optimizer on a device, or a sentence about how much is
// missing.

#include <minitrain/train/accumulator.hpp>
#include <minitrain/train/memory_plan.hpp>
#include <minitrain/train/options.hpp>
#include <minitrain/train/slab.hpp>

namespace minitrain::inline MINITRAIN_ABI {

template <class Loss>
std::size_t class_weights_of(const Loss& loss) {
  if constexpr (requires { loss.class_weights; }) {
    return loss.class_weights.size();
  } else {
    return 0;
  }
}

/// Throws ShapeError or OptionError when the parts do not fit together; DeviceError (out_of_memory) with the memory
/// planned and the largest micro-batch that fits.
template <class T, class Device, Model M, class Loss, class Optimizer>
Accumulator<T, Device> make_accumulator(const Device& device, const M& model, const Loss& loss,
                                        const Optimizer& optimizer, const TrainerOptions& options) {
  const MemoryPlan plan =
      plan_trainer<T>(device, Network<T, Device>::size_of(model), moment_bytes<T, Device>(model, optimizer),
                      Loss::uses_labels, class_weights_of(loss), options);
  return with_memory_plan(device, plan, [&] {
    Network<T, Device> network(device, model, options.seed);
    auto objective = std::make_unique<ObjectiveOf<Loss, T, Device>>(device, loss, network.output_columns());
    auto rule = std::make_unique<UpdateRuleOf<Optimizer, T, Device>>(optimizer);
    Accumulator<T, Device> core(device, std::move(network), std::move(objective), std::move(rule), options.seed,
                                plan.micro_batch, options.step_rules(optimizer.learning_rate));
    refresh_copies(device, core);
    return core;
  });
}

/// The plan of one that is there, with a data set beside it, shuffled or not.
template <class T, class Device>
MemoryPlan memory_plan(const Device& device, const Accumulator<T, Device>& core, const Dataset& data,
                       const TrainerOptions& options, bool shuffle) {
  TrainerOptions asked = options;
  asked.micro_batch_size = core.network().capacity();
  MemoryPlan plan = plan_trainer<T>(device, core.network().size(), core.optimizer_state().bytes(),
                                    core.objective().uses_labels(), core.objective().class_weights().size(), asked);
  plan.held = true;
  plan_data<T>(device, size_of(data), shuffle, options.loading, plan);
  return plan;
}

}  // namespace minitrain::inline MINITRAIN_ABI
