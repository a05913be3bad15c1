#pragma once
// plan(): the memory a run takes and the micro-batch that fits, before anything is allocated.

#include <minitrain/train/make_accumulator.hpp>

#include <cstdio>

namespace minitrain::inline MINITRAIN_ABI {

/// What Trainer{device, model, loss, optimizer, options} and its fit() on such data will take of the device's memory;
/// without data, the trainer alone. `limit`: as if the device had no more bytes free than that; 0: what it has, where
/// it can tell (a GPU can). So the micro-batch that fits a budget is plan(...).largest_micro_batch(). What operations
/// take as working memory is not in it: that is what 5 % of the memory are left for. Throws as the trainer does.
template <class T = float, Model M, class Loss, OptimizerSpec Optimizer, class Device>
MemoryPlan plan(const M& model, const Loss& loss, const Optimizer& optimizer, const TrainerOptions& options,
                const Device& device, const DataSize& data = {}, std::size_t limit = 0) {
  options.check();
  MemoryPlan result =
      plan_trainer<T>(device, Network<T, Device>::size_of(model), moment_bytes<T, Device>(model, optimizer),
                      Loss::uses_labels, class_weights_of(loss), options, limit);
  if (!data.empty()) plan_data<T>(device, data, options.shuffle, options.loading, result);
  return result;
}
/// The same for a regression, with an optimizer that has no moments.
template <class T = float, Model M, class Device>
MemoryPlan plan(const M& model, const TrainerOptions& options, const Device& device, const DataSize& data = {},
                std::size_t limit = 0) {
  options.check();
  MemoryPlan result = plan_trainer<T>(device, Network<T, Device>::size_of(model), 0, false, 0, options, limit);
  if (!data.empty()) plan_data<T>(device, data, options.shuffle, options.loading, result);
  return result;
}

/// A line for each owner, and what fits.
inline std::string to_string(const MemoryPlan& plan) {
  std::string text;
  char line[160];
  const auto row = [&](const char* owner, std::size_t bytes, const char* note = "") {
    std::snprintf(line, sizeof line, "%-28s %16zu bytes%s\n", owner, bytes, note);
    text += line;
  };
  row("parameters", plan.parameters);
  row("gradient sums", plan.gradients);
  row("optimizer moments", plan.moments);
  row("activations", plan.micro_batch * plan.activations);
  row("batch", plan.micro_batch * (plan.batch + plan.working));
  if (plan.staging != 0) row("rows on their way", plan.micro_batch * plan.staging);
  row("data set", plan.data_set, plan.resident ? "" : ", as it comes batch by batch");
  row("other", plan.other);
  row("together", plan.total());
  if (plan.free) row("free", *plan.free);
  text += joined({"batch of ", plan.batch_size, " = ", plan.accumulations(), " micro-batches of ", plan.micro_batch,
                  ", ", plan.per_sample(), " bytes for each sample of them"});
  if (!plan.free) return text + "\n";
  const std::size_t most = plan.largest_micro_batch();
  if (most == 0) return text + "; no micro-batch fits beside the rest\n";
  return text + joined({"; up to ", most, " fit, ", plan.least_accumulations(), " to a batch\n"});
}

}  // namespace minitrain::inline MINITRAIN_ABI
