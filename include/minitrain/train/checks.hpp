#pragma once
// Whether data fits a model: said before anything has changed.

#include <minitrain/data/batch.hpp>
#include <minitrain/data/dataset.hpp>
#include <minitrain/nn/description.hpp>

#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

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
  if (labels || !(target_range.second < std::numeric_limits<double>::infinity())) return;
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t j = 0; j < found; ++j) check_target(static_cast<double>(data.target(i, j)), i, target_range);
  }
}

/// Elements where the host can read them: those of the view on the CPU, a copy of another device's.
template <class T, class Device>
class OnHost {
 public:
  OnHost(const Device& device, const View<const T, Device>& view) {
    if constexpr (std::is_same_v<Device, Cpu>) {
      data_ = view.data();
    } else if (!view.empty()) {
      copy_.resize(view.size());
      copy_to_host(device, view, copy_.data());
      data_ = copy_.data();
    }
  }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  std::vector<T> copy_;
  const T* data_ = nullptr;
};

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
    const OnHost<std::int32_t, Device> batch_labels(device, batch.labels);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::int32_t label = batch_labels[i];
      if (label < 0 || static_cast<std::size_t>(label) >= outputs) {
        throw DataError(ErrorCode::label_out_of_range,
                        {"accumulate: label ", label, " of sample ", i, " of the batch: wanted 0 to ", outputs - 1});
      }
    }
  } else if (batch.targets.rows() != rows || (rows > 0 && batch.targets.columns() != outputs)) {
    throw ShapeError(ErrorCode::shape_mismatch,
                     {"accumulate: targets ", to_string(batch.targets.shape()), ", wanted [", rows, ", ", outputs, "]",
                      (batch.labels.empty() ? "" : ": this loss takes no labels")});
  } else if (target_range.second < std::numeric_limits<double>::infinity()) {
    const OnHost<T, Device> targets(device, batch.targets);
    for (std::size_t i = 0; i < batch.targets.size(); ++i) {
      check_target(static_cast<double>(targets[i]), i / outputs, target_range);
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
