#pragma once
// Whether data fits a model: said before anything has changed.

#include <minitrain/data/batch.hpp>
#include <minitrain/data/dataset.hpp>
#include <minitrain/nn/description.hpp>

#include <limits>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

/// Whether a device has operations for a scalar; one that does not say has.
template <class T, class Device>
consteval bool computes() {
  if constexpr (requires { Device::template computes<T>; }) {
    return Device::template computes<T>;
  } else {
    return true;
  }
}

inline void check_columns(std::size_t found, std::size_t wanted) {
  if (found != wanted) {
    throw ShapeError(ErrorCode::shape_mismatch, {"Trainer: the model takes ", wanted, " columns, the data has ", found,
                                                 ": change the first layer or the data"});
  }
}

inline void check_target(double target, std::size_t sample, std::pair<double, double> range) {
  if (!(target >= range.first && target <= range.second)) {
    throw DataError(ErrorCode::invalid_argument,
                    {"Trainer: target ", target, " of sample ", sample, ": this loss wants targets from ", range.first,
                     " to ", range.second});
  }
}

/// Throws ShapeError or DataError unless a model of that description can be trained on the data with labels, or
/// targets.
inline void check_data(const Dataset& data, const ModelDescription& model, bool labels,
                       std::pair<double, double> target_range) {
  if (data.empty()) throw DataError(ErrorCode::empty_data, "Trainer: the data set is empty: give it samples");
  check_columns(data.feature_columns(), model.input_columns());
  if (!data.has_answers()) {
    throw DataError(ErrorCode::count_mismatch,
                    "Trainer: the data set has neither targets nor labels: only predict() can use it");
  }
  if (data.is_classification() != labels) {
    throw DataError(ErrorCode::shape_mismatch,
                    labels
                        ? "Trainer: the loss wants class labels, the data set has real targets: make it from labels, "
                          "or take a regression loss"
                        : "Trainer: the loss wants real targets, the data set has class labels: make it from "
                          "targets, or take SoftmaxCrossEntropy");
  }
  const std::size_t wanted = model.output_columns(), found = labels ? data.classes() : data.target_columns();
  if (labels ? found > wanted : found != wanted) {
    throw ShapeError(ErrorCode::shape_mismatch,
                     {"Trainer: the model has ", wanted, " outputs, the data ", found,
                      (labels ? " classes" : " target columns"), ": change the last layer or the data"});
  }
  // What is read while it is used is checked then.
  if (labels || !data.in_memory() || !(target_range.second < std::numeric_limits<double>::infinity())) return;
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t j = 0; j < found; ++j) check_target(static_cast<double>(data.target(i, j)), i, target_range);
  }
}

/// The first element that is not in [low, high] and its place; the place is view.size() when all are. Looked for where
/// the elements are.
template <class T, class Device>
std::pair<T, std::size_t> find_outside(const Device& device, const View<const T, Device>& view, double low,
                                       double high) {
  const std::size_t at = first_outside(device, view, low, high);
  T value{};
  if (at < view.size()) copy_to_host(device, View<const T, Device>(view.data() + at, Shape{1}), &value);
  return {value, at};
}

/// Throws DataError for a target outside the range; sample_of(i) names sample i of the batch.
template <class T, class Device, class SampleOf>
void check_targets(const Device& device, const Batch<T, Device>& batch, std::pair<double, double> range,
                   const SampleOf& sample_of) {
  if (!(range.second < std::numeric_limits<double>::infinity())) return;
  const auto [target, at] = find_outside(device, batch.targets, range.first, range.second);
  if (at < batch.targets.size())
    check_target(static_cast<double>(target), sample_of(at / batch.targets.columns()), range);
}

/// The same for one batch, whose labels nobody has looked at yet.
template <class T, class Device>
void check_batch(const Device& device, const Batch<T, Device>& batch, const ModelDescription& model, bool labels,
                 std::pair<double, double> target_range) {
  check_columns(batch.features.columns(), model.input_columns());
  const std::size_t rows = batch.features.rows(), outputs = model.output_columns();
  if (labels) {
    if (batch.labels.size() != rows) {
      throw ShapeError(ErrorCode::count_mismatch, {"accumulate: ", rows, " samples with ", batch.labels.size(),
                                                   " labels: give one label per sample"});
    }
    const auto [label, at] = find_outside(device, batch.labels, 0, static_cast<double>(outputs) - 1);
    if (at < rows) {
      throw DataError(ErrorCode::label_out_of_range,
                      {"accumulate: label ", label, " of sample ", at, " of the batch: wanted 0 to ", outputs - 1});
    }
  } else if (batch.targets.rows() != rows || (rows > 0 && batch.targets.columns() != outputs)) {
    throw ShapeError(ErrorCode::shape_mismatch,
                     {"accumulate: targets ", to_string(batch.targets.shape()), ", wanted [", rows, ", ", outputs, "]",
                      (batch.labels.empty() ? "" : ": this loss takes no labels")});
  } else {
    check_targets(device, batch, target_range, [](std::size_t i) { return i; });
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
