#pragma once
// DataLoader: a data set as batches, in an order that is a function of (seed, epoch, position) and of nothing else.
// To build one, include the header of its device as well: minitrain/cpu.hpp for the default, Cpu.

#include <minitrain/data/memory_feed.hpp>
#include <minitrain/data/read_all.hpp>
#include <minitrain/data/size.hpp>
#include <minitrain/data/stream_feed.hpp>

#include <iterator>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI {

/// Where a loader is: all there is to know to go on from there.
struct LoaderState {
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
  std::uint64_t position = 0;  // samples of the epoch that were handed out, of all ranks
  std::uint64_t order = 0;     // the kind of it: by samples, by blocks of which size, none

  friend bool operator==(const LoaderState&, const LoaderState&) = default;
};

/// Hands out batches of a Dataset. Nothing but the options decides what a batch holds: any position of any epoch can be
/// asked for at once, so resuming is asking for where one was.
///
///   DataLoader loader{data, {.batch_size = 32, .shuffle = true, .seed = 11}};
///   for (const auto& batch : loader.epoch(e)) ...
///
/// A batch is valid until the next one is made. What is in memory is gathered by the device, into buffers that grow
/// with the largest batch so far; on a device with memory of its own, from a copy there, if it fits. What is not in
/// memory is read ahead by workers (LoadingOptions), in slots of half a megabyte or a batch; on a device with memory of
/// its own, a data set that fits is read into it once.
template <class T = float, class Device = Cpu>
class DataLoader {
 public:
  /// Throws OptionError for a batch_size outside 1 to 2^31 and ranks that are none; DataError (empty_data) for an empty
  /// data set, and when drop_last leaves no batch at all.
  DataLoader(const Dataset& data, const DataLoaderOptions& options) requires std::is_same_v<Device, Cpu>
      : DataLoader(data, options, Device{}) {}
  /// The same on a device. For a trainer's accumulate(), on its own, trainer.device(): another value of the same kind
  /// may be another queue of work, which the trainer does not wait for.
  DataLoader(const Dataset& data, const DataLoaderOptions& options, const Device& device)
      : options_(options),
        device_(device),
        order_(checked(data, options), options.shuffle, options.seed, options.loading),
        data_(reachable(data)) {
    if (data_.in_memory() && options.loading.workers.value_or(0) == 0) {
      memory_.reset(new MemoryFeed<T, Device>(data_, order_, device_));
      const std::size_t most = options.micro_batch_size != 0 ? options.micro_batch_size : options.batch_size;
      memory_->reserve(std::min(most, samples_per_epoch()));
    } else {
      const SlotLayout layout(samples_per_epoch(), options.batch_size, options.micro_batch_size, data_.sample_bytes(),
                              options.loading.first_workers() > 0, options.rank, options.ranks);
      stream_.reset(new StreamFeed<T, Device>(data_, order_, layout, options.loading, device_));
    }
    state_.seed = options.seed;
    state_.order = order_.key();
  }

  const Dataset& data() const noexcept { return data_; }
  const DataLoaderOptions& options() const noexcept { return options_; }
  /// Samples that an epoch hands out, of all ranks: all, or with drop_last those in full batches.
  std::size_t samples_per_epoch() const noexcept {
    return options_.drop_last ? data_.size() / options_.batch_size * options_.batch_size : data_.size();
  }
  std::size_t batches_per_epoch() const noexcept {
    return (samples_per_epoch() + options_.batch_size - 1) / options_.batch_size;
  }

  /// The samples at positions [position, position + count) of an epoch, or this rank's part of them, put together by
  /// `device` (the trainer's own, so that they share its threads). Throws DataError: count_mismatch for positions past
  /// the end, empty_data for count = 0, and what reading the samples throws; then the same can be asked for again.
  const Batch<T, Device>& next(const Device& device, std::size_t epoch, std::size_t position, std::size_t count) {
    const std::size_t n = samples_per_epoch();
    if (count == 0) throw DataError(ErrorCode::empty_data, "DataLoader: a batch of no samples: ask for at least one");
    if (position > n || count > n - position) {
      throw DataError(ErrorCode::count_mismatch, {"DataLoader: samples ", position, " to ", position + count,
                                                  " of an epoch of ", n, ": ask for samples that are there"});
    }
    const PositionRange asked{position, count}, share = share_of(asked, options_.rank, options_.ranks);
    batch_ =
        memory_ ? &memory_->next(device, epoch, share.first, share.count) : &stream_->next(device, epoch, asked, share);
    batch_->epoch = epoch;
    batch_->position = share.first;
    batch_->next_position = position + count;
    batch_->weight = static_cast<double>(share.count) / static_cast<double>(count);
    return *batch_;
  }
  const Batch<T, Device>& next(std::size_t epoch, std::size_t position, std::size_t count) {
    return next(device_, epoch, position, count);
  }

  /// The next batch of batch_size samples, from epoch to epoch without end, and moves state() behind it.
  const Batch<T, Device>& next() {
    if (state_.position >= samples_per_epoch()) state_ = {state_.seed, state_.epoch + 1, 0, state_.order};
    if (state_.position == 0) begin_epoch(device_, state_.epoch);
    const std::size_t left = samples_per_epoch() - state_.position;
    const Batch<T, Device>& batch = next(state_.epoch, state_.position, std::min(left, options_.batch_size));
    state_.position += std::min(left, options_.batch_size);
    return batch;
  }
  /// Where next() goes on.
  const LoaderState& state() const noexcept { return state_; }
  /// Makes next() go on there, at once. Throws OptionError for another seed or kind of order than the loader's, and for
  /// a position past the end.
  void seek(const LoaderState& state) {
    if (state.order != order_.key()) {
      throw OptionError({"DataLoader: seek in an order of another kind: this one has ", order_.kind(),
                         ": give the memory_limit and mixing of the loader that the state is of"});
    }
    if (state.seed != options_.seed || state.position > samples_per_epoch()) {
      throw OptionError({"DataLoader: seek to position ", state.position, " with seed ", state.seed, ": this one has ",
                         samples_per_epoch(), " positions and seed ", options_.seed});
    }
    state_ = state;
  }

  /// The numbers of the samples in a batch of this loader.
  std::vector<std::uint64_t> samples(const Batch<T, Device>& batch) const {
    std::vector<std::uint64_t> numbers(batch.size());
    order_.fill(device_, batch.epoch, batch.position, numbers);
    return numbers;
  }

  /// Makes ready for an epoch what next() would: after it, asking for samples of this epoch queues nothing but the
  /// gathering of them. Throws DataError when a file is not what it was.
  void begin_epoch(const Device& device, std::size_t epoch) {
    if (memory_) return memory_->prepare(device, epoch, 0, 0);
    stream_->begin_epoch();
  }
  /// Says that no epoch behind this one will be asked for, so that nothing is read ahead in vain.
  void end_with(std::size_t epoch) {
    if (stream_) stream_->end_with(epoch);
  }
  /// Whether the data is in the device's memory. Where it is not, batches are copied there one by one.
  bool is_resident() const noexcept { return memory_ && memory_->is_resident(); }

  /// The kind of the order, for a state to tell it from another: an epoch goes on as it began only in the same one.
  std::string order() const { return order_.kind(); }
  /// Whether threads read the next samples while training uses these.
  bool reads_ahead() const noexcept { return stream_ && stream_->stats().workers > 0; }
  /// Slots of an epoch, where samples are read while they are used; else 0.
  std::uint64_t slots_per_epoch() const noexcept { return stream_ ? stream_->slots_per_epoch() : 0; }
  /// What reading ahead has done and cost; zeros where nothing is read ahead.
  LoaderStats stats() const noexcept { return stream_ ? stream_->stats() : LoaderStats{}; }
  /// How batches come about, in words: the order and why, workers, memory.
  std::string explain() const {
    std::string text = order_.describe(data_) + "; ";
    if (memory_) return text + (is_resident() ? "in the device's memory\n" : "in host memory, copied batch by batch\n");
    const LoaderStats now = stats();
    return text + joined({now.workers, now.workers == 1 ? " worker reads" : " workers read", " ahead, ", now.depth,
                          " slots, ", now.bytes, " bytes\n"});
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
      position_ = batch_.next_position;
      load();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& iterator, std::default_sentinel_t) noexcept {
      return iterator.position_ >= iterator.loader_->samples_per_epoch();
    }

   private:
    friend class DataLoader;
    Iterator(DataLoader& loader, std::size_t epoch, std::size_t position)
        : loader_(&loader), epoch_(epoch), position_(position) {
      loader.begin_epoch(loader.device_, epoch);
      load();
    }
    void load() {
      const std::size_t n = loader_->samples_per_epoch();
      if (position_ < n)
        batch_ = loader_->next(epoch_, position_, std::min(n - position_, loader_->options_.batch_size));
    }

    DataLoader* loader_;
    std::size_t epoch_;
    std::size_t position_;
    Batch<T, Device> batch_;
  };

  /// All batches of an epoch, or those from a position on, the last one as short as it is. The loader must outlive
  /// them: not for a temporary.
  auto epoch(std::size_t epoch, std::size_t position = 0) & {
    struct Range {
      DataLoader& loader;
      std::size_t number, first;
      Iterator begin() const { return Iterator(loader, number, first); }
      std::default_sentinel_t end() const noexcept { return {}; }
    };
    return Range{*this, epoch, position};
  }
  void epoch(std::size_t, std::size_t = 0) && = delete;

 private:
  static const Dataset& checked(const Dataset& data, const DataLoaderOptions& options) {
    options.loading.check("DataLoader");
    if (options.batch_size == 0 || options.batch_size > std::size_t{1} << 31) {
      throw OptionError({"DataLoader: batch_size ", options.batch_size, ": ask for 1 to 2^31"});
    }
    if (options.ranks == 0 || options.rank >= options.ranks) {
      throw OptionError({"DataLoader: rank ", options.rank, " of ", options.ranks, ": ask for 0 to ranks - 1"});
    }
    if (data.empty()) throw DataError(ErrorCode::empty_data, "DataLoader: the data set is empty: give it samples");
    if (options.drop_last && data.size() < options.batch_size) {
      throw DataError(ErrorCode::empty_data,
                      {"DataLoader: 0 batches per epoch: ", data.size(), " samples are fewer than batch_size ",
                       options.batch_size, ": use a smaller batch_size, or drop_last = false"});
    }
    return data;
  }

  /// The data set as it is; or read into memory, to be copied to a device with memory of its own that has room for it.
  Dataset reachable(const Dataset& data) const {
    if constexpr (KeepsRowOrder<Device>) {
      const DataSize size = size_of(data);
      if (!data.in_memory() && size.may_be_read_at_once(options_.loading) &&
          keeps_resident(device_, size.samples_bytes() + 2 * data.size() * sizeof(std::uint64_t))) {
        return read_all(data);
      }
    }
    return data;
  }

  DataLoaderOptions options_;
  Device device_;
  SampleOrder order_;
  Dataset data_;
  std::unique_ptr<MemoryFeed<T, Device>> memory_;  // one of the two
  std::unique_ptr<StreamFeed<T, Device>> stream_;
  Batch<T, Device>* batch_ = nullptr;
  LoaderState state_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
