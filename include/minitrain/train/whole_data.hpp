#pragma once
// What a trainer does with a whole data set when it does not train: evaluate it, predict it.

#include <minitrain/data/loader.hpp>
#include <minitrain/train/accumulator.hpp>
#include <minitrain/train/history.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Means of sums: the loss over the weights, the right answers over the samples.
template <class T, class Device>
Evaluation mean(const Accumulator<T, Device>& core, const Totals& totals) {
  Evaluation result{.samples = totals.samples};
  if (totals.samples == 0) return result;
  result.loss = totals.loss / totals.weight;
  if (core.objective().counts_right_answers()) result.accuracy = totals.right / static_cast<double>(totals.samples);
  return result;
}

template <class T, class Device>
Evaluation evaluate_all(const Device& device, Accumulator<T, Device>& core, DataLoader<T, Device>& loader) {
  const auto scope = device.arithmetic_scope();
  const std::size_t rows = core.network().capacity(), samples = loader.samples_per_epoch();
  loader.begin_epoch(device, 0);
  Totals totals;
  for (std::size_t at = 0; at < samples; at += rows) {
    totals.add(core.evaluate(device, loader.next(device, 0, at, std::min(rows, samples - at))));
  }
  return mean(core, totals);
}

/// [samples, outputs]
template <class T, class Device>
Tensor<T> predict_all(const Device& device, Accumulator<T, Device>& core, DataLoader<T, Device>& loader) {
  const auto scope = device.arithmetic_scope();
  const std::size_t rows = core.network().capacity(), samples = loader.samples_per_epoch();
  loader.begin_epoch(device, 0);
  Tensor<T> outputs(Shape{samples, core.network().output_columns()});
  for (std::size_t at = 0; at < samples; at += rows) {
    const auto& batch = loader.next(device, 0, at, std::min(rows, samples - at));
    core.predict(device, batch.features, outputs.data() + at * outputs.columns());
  }
  return outputs;
}

}  // namespace minitrain::inline MINITRAIN_ABI
