#pragma once
// DataLoader: a data set as batches, in an order that is a function of (seed, epoch, position) and of nothing else.
// To build one, include the header of its device as well: minitrain/cpu.hpp for the default, Cpu.

#include <minitrain/core/rows.hpp>
#include <minitrain/core/tensor.hpp>
#include <minitrain/data/batch.hpp>
#include <minitrain/data/row_order.hpp>

#include <iterator>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI {

struct DataLoaderOptions {
  std::size_t batch_size = 32;  // 1 to 2^31
  bool shuffle = false;         // a new order each epoch; else the order of the data set
  std::uint64_t seed = 0;       // of the orders
  bool drop_last = false;       // leave out a last batch that is not full
};

/// Gathers batches of a Dataset into buffers of its own. Nothing but the options decides what a batch holds: any
/// position of any epoch can be asked for at once, so resuming is asking for where one was.
///
///   DataLoader loader{data, {.batch_size = 32, .shuffle = true, .seed = 11}};
///   for (const auto& batch : loader.epoch(e)) ...
///
/// A batch is valid until the next one is made. Allocates when it is built and when a batch is larger than any before.
/// On a device with memory of its own, the data set is copied there once, when the loader is built; on one that can
/// (Cuda), a data set that does not fit is copied batch by batch instead.
template <class T = float, class Device = Cpu>
class DataLoader {
 public:
  /// Throws OptionError for a batch_size outside 1 to 2^31; DataError (empty_data) for an empty data set, and when
  /// drop_last leaves no batch at all.
  DataLoader(const Dataset& data, const DataLoaderOptions& options) requires std::is_same_v<Device, Cpu>
      : DataLoader(data, options, Device{}) {}
  /// The same on a device. For a trainer's accumulate(), on its own, trainer.device(): another value of the same kind
  /// may be another queue of work, which the trainer does not wait for.
  DataLoader(const Dataset& data, const DataLoaderOptions& options, const Device& device)
      : data_(checked(data, options)),
        options_(options),
        device_(device),
        resident_(decide_resident()),
        features_(device_, data_, data_.storage().features, data_.feature_columns(), resident_),
        bytes_(device_, data_, data_.storage().bytes, data_.feature_columns(), resident_),
        targets_(device_, data_, data_.storage().targets, data_.target_columns(), resident_),
        labels_(device_, data_, data_.storage().labels, data_.is_classification() ? 1 : 0, resident_) {
    bytes_.source.scale = data_.storage().scale;
    bytes_.source.offset = data_.storage().offset;
    if constexpr (keeps_order) {
      if (resident_) device_order_.emplace(device_, data_.size(), data_.rows(), options_.shuffle);
    }
    reserve(std::min(options_.batch_size, samples_per_epoch()));
  }

  const Dataset& data() const noexcept { return data_; }
  const DataLoaderOptions& options() const noexcept { return options_; }
  /// Samples that an epoch hands out: all, or with drop_last those in full batches.
  std::size_t samples_per_epoch() const noexcept {
    return options_.drop_last ? data_.size() / options_.batch_size * options_.batch_size : data_.size();
  }
  std::size_t batches_per_epoch() const noexcept {
    return (samples_per_epoch() + options_.batch_size - 1) / options_.batch_size;
  }

  /// The samples at positions [position, position + count) of an epoch, gathered by `device` (the trainer's own, so
  /// that they share its threads). Fetches the samples behind them into the cache. Throws DataError (count_mismatch)
  /// for positions past the end, empty_data for count = 0.
  const Batch<T, Device>& next(const Device& device, std::size_t epoch, std::size_t position, std::size_t count) {
    const std::size_t n = samples_per_epoch();
    if (count == 0) throw DataError(ErrorCode::empty_data, "DataLoader: a batch of no samples: ask for at least one");
    if (position > n || count > n - position) {
      throw DataError(ErrorCode::count_mismatch, {"DataLoader: samples ", position, " to ", position + count,
                                                  " of an epoch of ", n, ": ask for samples that are there"});
    }
    reserve(count);
    prepare(device, epoch, position, count);
    batch_.epoch = epoch;
    batch_.position = position;
    if (count != batch_.features.rows()) shape_batch(count);
    if (data_.storage().bytes.empty()) {
      fetch_batch(device, features_, position);
    } else {
      fetch_batch(device, bytes_, position);
    }
    return batch_;
  }
  const Batch<T, Device>& next(std::size_t epoch, std::size_t position, std::size_t count) {
    return next(device_, epoch, position, count);
  }

  /// Makes ready for an epoch what next() would: after it, asking for samples of this epoch queues nothing but the
  /// gathering of them.
  void begin_epoch(const Device& device, std::size_t epoch) { prepare(device, epoch, 0, 0); }
  /// Whether the data is in the device's memory. Where it does not fit, batches are copied there one by one.
  bool is_resident() const noexcept { return resident_; }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Batch<T, Device>;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    const value_type& operator*() const noexcept { return batch_; }
    const value_type* operator->() const noexcept { return &batch_; }
    Iterator& operator++() {
      position_ += batch_.size();
      load();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& iterator, std::default_sentinel_t) noexcept {
      return iterator.position_ >= iterator.loader_->samples_per_epoch();
    }

   private:
    friend class DataLoader;
    Iterator(DataLoader& loader, std::size_t epoch) : loader_(&loader), epoch_(epoch) { load(); }
    void load() {
      const std::size_t left = loader_->samples_per_epoch() - position_;
      if (left > 0) batch_ = loader_->next(epoch_, position_, std::min(left, loader_->options_.batch_size));
    }

    DataLoader* loader_;
    std::size_t epoch_;
    std::size_t position_ = 0;
    Batch<T, Device> batch_;
  };

  /// All batches of an epoch, the last one as short as it is. The loader must outlive them: not for a temporary.
  auto epoch(std::size_t epoch) & {
    struct Range {
      DataLoader& loader;
      std::size_t number;
      Iterator begin() const { return Iterator(loader, number); }
      std::default_sentinel_t end() const noexcept { return {}; }
    };
    return Range{*this, epoch};
  }
  void epoch(std::size_t) && = delete;

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

  static const Dataset& checked(const Dataset& data, const DataLoaderOptions& options) {
    if (options.batch_size == 0 || options.batch_size > std::size_t{1} << 31) {
      throw OptionError({"DataLoader: batch_size ", options.batch_size, ": ask for 1 to 2^31"});
    }
    if (data.empty()) throw DataError(ErrorCode::empty_data, "DataLoader: the data set is empty: give it samples");
    if (options.drop_last && data.size() < options.batch_size) {
      throw DataError(ErrorCode::empty_data,
                      {"DataLoader: 0 batches per epoch: ", data.size(), " samples are fewer than batch_size ",
                       options.batch_size, ": use a smaller batch_size, or drop_last = false"});
    }
    return data;
  }

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
    capacity_ = count;
  }

  /// Views of the buffers for `count` samples; they stay from batch to batch while the number does.
  void shape_batch(std::size_t count) {
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

  void prepare(const Device& device, std::size_t epoch, std::size_t position, std::size_t count) {
    const EpochOrder order{options_.shuffle, options_.seed};
    if constexpr (keeps_order) {
      if (resident_) {
        if (epoch != device_order_epoch_) device_order_->fill(device, order.permutation(data_.size(), epoch));
        device_order_epoch_ = epoch;
        return;
      }
    }
    if (count > 0) host_order_.prepare(device, data_, order, epoch, position, count);
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
  DataLoaderOptions options_;
  Device device_;
  bool resident_;
  Table<float> features_;
  Table<std::uint8_t> bytes_;
  Table<float> targets_;
  Table<std::int32_t> labels_;

  std::size_t capacity_ = 0;
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
