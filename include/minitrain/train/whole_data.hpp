#pragma once
// What a trainer does with a whole data set when it does not train: evaluate it, predict it.

#include <minitrain/data/loader.hpp>
#include <minitrain/train/accumulator.hpp>
#include <minitrain/train/checks.hpp>
#include <minitrain/train/history.hpp>
#include <minitrain/train/metrics.hpp>

namespace minitrain::inline MINITRAIN_ABI {

template <class T, class Device>
Evaluation mean(const Accumulator<T, Device>& core, const Totals& totals) {
  return mean_of(totals, core.objective().counts_right_answers());
}

/// What is read while it is used has targets that nobody has looked at yet. Throws DataError for one that the loss is
/// not for.
template <class T, class Device>
void check_read_targets(const Device& device, const Objective<T, Device>& objective,
                        const DataLoader<T, Device>& loader, const Batch<T, Device>& batch) {
  if (loader.data().in_memory() || objective.uses_labels()) return;
  check_targets(device, batch, objective.target_range(), [&](std::size_t i) { return loader.samples(batch)[i]; });
}

template <class T, class Device>
Evaluation evaluate_all(const Device& device, Accumulator<T, Device>& core, DataLoader<T, Device>& loader) {
  const auto scope = device.arithmetic_scope();
  const std::size_t rows = core.network().capacity(), samples = loader.samples_per_epoch();
  loader.end_with(0);
  loader.begin_epoch(device, 0);
  Totals totals;
  for (std::size_t at = 0; at < samples; at += rows) {
    const auto& batch = loader.next(device, 0, at, std::min(rows, samples - at));
    check_read_targets(device, core.objective(), loader, batch);
    totals.add(core.evaluate(device, batch));
  }
  return mean(core, totals);
}

/// y = model(x), to host memory [B, outputs].
template <class T, class Device>
void predict_rows(const Device& device, Accumulator<T, Device>& core, const View<const T, Device>& x, T* host) {
  Batch<T, Device> batch;
  batch.features = x;
  for_each_part(batch, core.network().capacity(), [&](const Batch<T, Device>& part) {
    const View<const T, Device> y = core.network().forward(device, part.features, Pass{}, core.network().stages());
    copy_to_host(device, y, host);
    host += y.size();
  });
}

/// Shows every sample to every metric, in the order of the data set.
template <class T, class Device, Metric... Metrics>
void measure_all(const Device& device, Accumulator<T, Device>& core, DataLoader<T, Device>& loader,
                 Metrics&... metrics) {
  const auto scope = device.arithmetic_scope();
  const std::size_t rows = core.network().capacity(), samples = loader.samples_per_epoch();
  loader.end_with(0);
  loader.begin_epoch(device, 0);
  const auto widened = [&](const View<const T, Device>& view) {
    std::vector<T> host(view.size());
    copy_to_host(device, view, host.data());
    return std::vector<double>(host.begin(), host.end());
  };
  for (std::size_t at = 0; at < samples; at += rows) {
    const Batch<T, Device> batch = loader.next(device, 0, at, std::min(rows, samples - at));
    const std::vector<double> targets = widened(batch.targets);
    std::vector<std::int32_t> labels(batch.labels.size());
    copy_to_host(device, batch.labels, labels.data());
    const View<const T, Device> y = core.network().forward(device, batch.features, Pass{}, core.network().stages());
    const std::vector<double> outputs = widened(y);
    Predictions p{.outputs = {outputs.data(), y.shape()}};
    if (!targets.empty()) p.targets = {targets.data(), batch.targets.shape()};
    if (!labels.empty()) p.labels = {labels.data(), batch.labels.shape()};
    (metrics.add(p), ...);
  }
}

/// [samples, outputs]
template <class T, class Device>
Tensor<T> predict_all(const Device& device, Accumulator<T, Device>& core, DataLoader<T, Device>& loader) {
  const auto scope = device.arithmetic_scope();
  const std::size_t rows = core.network().capacity(), samples = loader.samples_per_epoch();
  loader.end_with(0);
  loader.begin_epoch(device, 0);
  Tensor<T> outputs(Shape{samples, core.network().output_columns()});
  for (std::size_t at = 0; at < samples; at += rows) {
    const auto& batch = loader.next(device, 0, at, std::min(rows, samples - at));
    predict_rows(device, core, batch.features, outputs.data() + at * outputs.columns());
  }
  return outputs;
}

}  // namespace minitrain::inline MINITRAIN_ABI
