#pragma once
// MemoryFeed: batches of a data set in memory, gathered by the device. Include loader.hpp, not this file.

#include <minitrain/core/rows.hpp>
#include <minitrain/core/tensor.hpp>
#include <minitrain/data/batch.hpp>
#include <minitrain/data/row_order.hpp>

#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// On a device with memory of its own, the data set is copied there once, when the feed is built; on one that can
/// (Cuda), a data set that does not fit is copied batch by batch instead.
template <class T, class Device>
class MemoryFeed {
 public:
  MemoryFeed(const Dataset& data, const SampleOrder& order, const Device& device)
      : data_(data),
        order_(order),
        device_(device),
        resident_(decide_resident()),
        features_(device_, data_, data_.storage().features, data_.feature_columns(), resident_),
        bytes_(device_, data_, data_.storage().bytes, data_.feature_columns(), resident_),
        targets_(device_, data_, data_.storage().targets, data_.target_columns(), resident_),
        labels_(device_, data_, data_.storage().labels, data_.is_classification() ? 1 : 0, resident_) {
    bytes_.source.scale = data_.storage().scale;
    bytes_.source.offset = data_.storage().offset;
    if constexpr (keeps_order) {
      if (resident_) device_order_.emplace(device_, data_.size(), data_.rows(), order_.shuffles());
    }
  }

  bool is_resident() const noexcept { return resident_; }

  /// Makes room for batches of `count` samples.
  void reserve(std::size_t count) {
    if (count <= capacity_) return;
    Tensor<T, Device> features(device_, Shape{count, data_.feature_columns()});
    Tensor<T, Device> targets(device_, Shape{count, data_.target_columns()});
    Tensor<std::int32_t, Device> labels(device_, Shape{data_.is_classification() ? count : 0});
    host_order_.reserve(count);
    features_buffer_ = std::move(features);
    targets_buffer_ = std::move(targets);
    labels_buffer_ = std::move(labels);
    batch_ = {};  // the next batch gets new views
    rows_ = 0;
    capacity_ = count;
  }

  void prepare(const Device& device, std::size_t epoch, std::size_t position, std::size_t count) {
    if constexpr (keeps_order) {
      if (resident_) {
        if (epoch != device_order_epoch_) device_order_->fill(device, order_.permutation(epoch));
        device_order_epoch_ = epoch;
        return;
      }
    }
    if (count > 0) host_order_.prepare(device, data_, order_, epoch, position, count);
  }

  /// The samples at positions [position, position + count) of an epoch.
  Batch<T, Device>& next(const Device& device, std::size_t epoch, std::size_t position, std::size_t count) {
    reserve(count);
    prepare(device, epoch, position, count);
    if (count != rows_ || count == 0) shape_batch(count);
    if (count == 0) return batch_;
    if (data_.storage().bytes.empty()) {
      fetch_batch(device, features_, position);
    } else {
      fetch_batch(device, bytes_, position);
    }
    return batch_;
  }

 private:
  static constexpr bool on_host = std::is_same_v<Device, Cpu>;
  static constexpr bool keeps_order = KeepsRowOrder<Device>;

  /// One array of the data set: where the device can reach it, or in host memory with a way from there.
  template <class S>
  struct Table {
    Table(const Device& device, const Dataset& data, const std::vector<S>& values, std::size_t columns, bool resident) {
      if (values.empty()) return;
      const Shape shape{data.storage().samples, columns};
      host = {values.data(), shape};
      if constexpr (on_host) {
        source.table = host;
      } else if (resident) {
        copy = Tensor<S, Device>(device, shape);
        copy_from_host(device, values.data(), copy.view());
        source.table = copy.view();
      } else if constexpr (keeps_order) {
        stream.emplace(device);
      }
    }
    View<const S> host;
    RowSource<S, Device> source;
    Tensor<S, Device> copy;
    typename DeviceRows<Device>::Stream stream{};
  };

  bool decide_resident() const {
    if constexpr (keeps_order) {
      return keeps_resident(device_, data_.bytes() + 2 * data_.size() * sizeof(std::uint64_t));
    } else {
      return true;
    }
  }

  /// Views of the buffers for `count` samples; they stay from batch to batch while the number does.
  void shape_batch(std::size_t count) {
    rows_ = count;
    batch_ = {};
    batch_features_ = {features_buffer_.data(), Shape::matrix(count, data_.feature_columns())};
    batch_.features = batch_features_;
    if (data_.is_classification()) {
      batch_labels_ = {labels_buffer_.data(), Shape{count}};
      batch_.labels = batch_labels_;
    } else if (data_.has_answers()) {
      batch_targets_ = {targets_buffer_.data(), Shape::matrix(count, data_.target_columns())};
      batch_.targets = batch_targets_;
    }
  }

  /// What prepare() has made ready: features out of `features`, and targets or labels.
  template <class S>
  void fetch_batch(const Device& device, Table<S>& features, std::size_t position) {
    if constexpr (keeps_order) {
      if (resident_ && data_.has_answers()) {
        const auto rows = device_order_->rows(position, batch_.features.rows());
        if (!data_.is_classification()) {
          return gather(device, features.source, targets_.source, rows, batch_features_, batch_targets_);
        }
        return gather(device, features.source, labels_.source, rows, batch_features_, batch_labels_);
      }
    }
    fetch(device, features, position, batch_features_);
    if (data_.is_classification()) {
      fetch(device, labels_, position, batch_labels_);
    } else if (data_.has_answers()) {
      fetch(device, targets_, position, batch_targets_);
    }
  }

  template <class S, class U>
  void fetch(const Device& device, Table<S>& table, [[maybe_unused]] std::size_t position, const View<U, Device>& out) {
    if constexpr (keeps_order) {
      if (resident_) return gather(device, table.source, device_order_->rows(position, out.rows()), out);
      table.source.table = table.stream->stage(device, table.host, host_order_.rows());
      typename Device::RowOrder::Rows all{nullptr, 0, out.rows()};
      gather(device, table.source, all, out);
    } else {
      gather(device, table.source, host_order_.rows(), host_order_.next(), out);
    }
  }

  Dataset data_;
  SampleOrder order_;
  Device device_;
  bool resident_;
  Table<float> features_;
  Table<std::uint8_t> bytes_;
  Table<float> targets_;
  Table<std::int32_t> labels_;

  std::size_t capacity_ = 0, rows_ = 0;
  Tensor<T, Device> features_buffer_, targets_buffer_;
  Tensor<std::int32_t, Device> labels_buffer_;
  View<T, Device> batch_features_, batch_targets_;
  View<std::int32_t, Device> batch_labels_;
  Batch<T, Device> batch_;

  HostRowOrder host_order_;
  typename DeviceRows<Device>::Order device_order_{};
  std::size_t device_order_epoch_ = static_cast<std::size_t>(-1);
};

}  // namespace minitrain::inline MINITRAIN_ABI
