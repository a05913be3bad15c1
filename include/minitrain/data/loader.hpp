#pragma once
// DataLoader: a data set as batches, in an order that is a function of (seed, epoch, position) and of nothing else.
// To build one, include the header of its device as well: minitrain/cpu.hpp for the default, Cpu.

#include <minitrain/core/permutation.hpp>
#include <minitrain/core/rows.hpp>
#include <minitrain/core/tensor.hpp>
#include <minitrain/data/batch.hpp>
#include <minitrain/data/dataset.hpp>

#include <algorithm>
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
/// On a device with memory of its own, the data set is copied there once, when the loader is built.
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
        features_(device_, data_, data_.storage().features, data_.feature_columns()),
        bytes_(device_, data_, data_.storage().bytes, data_.feature_columns()),
        targets_(device_, data_, data_.storage().targets, data_.target_columns()),
        labels_(device_, data_, data_.storage().labels, data_.is_classification() ? 1 : 0) {
    bytes_.source.scale = data_.storage().scale;
    bytes_.source.offset = data_.storage().offset;
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
    prepare_order(epoch, position, count);
    const std::size_t begin = position - first_;
    const std::size_t behind = std::min(count, order_count_ - begin - count);
    const std::span<const std::uint64_t> order(order_.data() + begin, count + behind);
    const auto rows = order.first(count), then = order.subspan(count);

    batch_.epoch = epoch;
    batch_.position = position;
    if (count != batch_.features.rows()) shape_batch(count);
    if (data_.storage().bytes.empty()) {
      gather(device, features_.source, rows, then, batch_features_);
    } else {
      gather(device, bytes_.source, rows, then, batch_features_);
    }
    if (data_.is_classification()) {
      gather(device, labels_.source, rows, then, batch_labels_);
    } else if (data_.has_answers()) {
      gather(device, targets_.source, rows, then, batch_targets_);
    }
    return batch_;
  }
  const Batch<T, Device>& next(std::size_t epoch, std::size_t position, std::size_t count) {
    return next(device_, epoch, position, count);
  }

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

  /// One array of the data set where the device can reach it: as it is on the host, else a copy of the rows in use.
  template <class S>
  struct Table {
    Table(const Device& device, const Dataset& data, const std::vector<S>& values, std::size_t columns) {
      if (values.empty()) return;
      const Shape shape{data.storage().samples, columns};
      if constexpr (on_host) {
        source.table = {values.data(), shape};
      } else {
        copy = Tensor<S, Device>(device, shape);
        copy_from_host(device, values.data(), copy.view());
        source.table = copy.view();
      }
    }
    RowSource<S, Device> source;
    Tensor<S, Device> copy;
  };

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
    order_.resize(std::max(block, 4 * count));
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

  /// Makes order_ hold the rows of positions [position, position + 2·count), or as many as there are.
  void prepare_order(std::size_t epoch, std::size_t position, std::size_t count) {
    const std::size_t n = data_.size();
    const std::size_t wanted = position + std::min(2 * count, n - position);
    const bool here =
        order_count_ > 0 && epoch == order_epoch_ && position >= first_ && position <= first_ + order_count_;
    if (here && wanted <= first_ + order_count_) return;
    std::size_t kept = 0;
    if (here) {
      const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(position - first_);
      kept = order_count_ - (position - first_);
      std::copy_n(begin, kept, order_.begin());
    }
    first_ = position;
    order_epoch_ = epoch;
    order_count_ = std::min(order_.size(), n - position);
    const std::span<std::uint64_t> fresh(order_.data() + kept, order_count_ - kept);
    if (options_.shuffle) {
      fill_order(device_, Permutation(n, options_.seed, epoch), first_ + kept, fresh);
    } else {
      for (std::size_t i = 0; i < fresh.size(); ++i) fresh[i] = first_ + kept + i;
    }
    if (!data_.rows().empty()) {
      for (std::uint64_t& row : fresh) row = data_.row(row);
    }
  }

  static constexpr std::size_t block = 1024;

  Dataset data_;
  DataLoaderOptions options_;
  Device device_;
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

  std::vector<std::uint64_t> order_;  // storage rows of positions first_, first_ + 1, ... of epoch order_epoch_
  std::size_t order_count_ = 0, order_epoch_ = 0, first_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI
