#pragma once
// StreamFeed: batches of a data set that is read while it is used, by threads that work ahead. Include loader.hpp, not
// this file.

#include <minitrain/data/batch.hpp>
#include <minitrain/data/host_slot.hpp>
#include <minitrain/data/row_order.hpp>
#include <minitrain/data/slot_layout.hpp>
#include <minitrain/data/slot_ring.hpp>
#include <minitrain/data/window_hints.hpp>

#include <cfenv>

namespace minitrain::inline MINITRAIN_ABI {

/// What a feed has done so far.
struct LoaderStats {
  std::size_t workers = 0;    // threads that read ahead
  std::size_t depth = 0;      // slots
  std::uint64_t slots = 0;    // taken
  std::uint64_t samples = 0;  // in them
  double wait_seconds = 0;    // that training has waited for them
  std::uint64_t bytes = 0;    // of host memory for the slots
};

namespace detail {

/// The arithmetic that C++ starts with, whatever mode the thread is in: so a transform gives the same bits in a worker
/// and in a thread that trains, where denormal numbers are zero.
class DefaultArithmetic {
 public:
  DefaultArithmetic() noexcept {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultArithmetic() { std::fesetenv(&before_); }
  DefaultArithmetic(const DefaultArithmetic&) = delete;
  DefaultArithmetic& operator=(const DefaultArithmetic&) = delete;

 private:
  std::fenv_t before_;
};

}  // namespace detail

/// Slots of SlotLayout go round a SlotRing. A batch is a view of a slot: on the host of the slot itself, on another
/// device of its copy there, which is made as a whole.
template <class T, class Device>
class StreamFeed {
 public:
  StreamFeed(const Dataset& data, const SampleOrder& order, const SlotLayout& layout, const LoadingOptions& options,
             const Device& device)
      : data_(data), order_(order), layout_(layout), options_(options), device_(device), odd_(make_slot(0)) {
    const std::size_t depth = options.slots(HostSlot<Device>::bytes(data.shape(), layout.capacity()));
    for (std::size_t i = 0; i < depth; ++i) slots_.push_back(make_slot(layout_.capacity()));
    ring_ = std::make_unique<SlotRing>(
        depth, [this](const SlotRing::Work& work) { fill(work); },
        [this](std::uint64_t ticket, std::uint64_t current) { return name(ticket, current); });
    for (std::size_t i = 0; i < options.first_workers() && add_worker(); ++i) {
    }
    if constexpr (!on_host) {
      if constexpr (streams) {
        features_stream_.emplace(device_);
        answers_stream_.emplace(device_);
      }
    }
  }

  StreamFeed(const StreamFeed&) = delete;
  StreamFeed& operator=(const StreamFeed&) = delete;
  ~StreamFeed() {
    ring_.reset();
    if (order_.blocks()) data_.source()->release(0, data_.source()->size(), false);
  }

  /// Before an epoch. Throws DataError when a file is not what it was.
  void begin_epoch() const {
    if (data_.source() != nullptr) data_.source()->check();
  }

  /// The samples at positions `share` of an epoch, this rank's part of the positions `asked`.
  Batch<T, Device>& next(const Device& device, std::uint64_t epoch, const PositionRange& asked,
                         const PositionRange& share) {
    std::uint64_t offset = 0;
    if (layout_.find(asked, offset)) {
      hold(device, epoch * layout_.slots() + layout_.slot_of(asked.first));
      show(offset, share.count);
    } else {
      read_odd(device, epoch, share);
    }
    return batch_;
  }

  std::uint64_t slots_per_epoch() const noexcept { return layout_.slots(); }
  /// Nothing is read ahead of this epoch's end.
  void end_with(std::uint64_t epoch) {
    last_epoch_ = epoch;
    ring_->end_at((epoch + 1) * layout_.slots());
  }

  LoaderStats stats() const noexcept {
    LoaderStats stats = stats_;
    stats.workers = ring_->workers();
    stats.depth = ring_->slots();
    stats.bytes = stats.depth * HostSlot<Device>::bytes(data_.shape(), layout_.capacity());
    return stats;
  }

 private:
  static constexpr bool on_host = std::is_same_v<Device, Cpu>;
  static constexpr bool streams = KeepsRowOrder<Device>;
  static constexpr std::uint64_t no_ticket = ~std::uint64_t{0};
  using Clock = std::chrono::steady_clock;

  HostSlot<Device> make_slot(std::size_t capacity) const { return {device_, data_.shape(), capacity}; }

  // --- in workers ---

  void fill(const SlotRing::Work& work) const {
    const detail::DefaultArithmetic arithmetic;
    const std::uint64_t epoch = work.ticket / layout_.slots(), slot = work.ticket % layout_.slots();
    const PositionRange range = layout_.range(slot);
    const WindowHints hints(data_, order_, last_epoch_);
    hints.before(epoch, range.first, range.count, work.first);
    const Reading reading{order_.seed(), epoch, work.stop, work.current};
    std::size_t at = 0;
    layout_.for_each_share(slot, [&](const PositionRange& share) {
      read(reading, share, slots_[work.slot], at);
      at += share.count;
    });
    hints.after(epoch, range.first, range.count);
  }

  /// The samples at positions of an epoch, from place `at` of a slot on.
  void read(const Reading& reading, const PositionRange& positions, const HostSlot<Device>& slot,
            std::size_t at) const {
    const SampleOrder::Epoch order(order_, reading.epoch);
    std::array<std::uint64_t, 512> samples;
    for (std::uint64_t done = 0; done < positions.count && !reading.stop.stop_requested();) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(samples.size(), positions.count - done));
      const std::span<std::uint64_t> part = std::span(samples).first(count);
      order.fill(device_, positions.first + done, part);
      data_.read(reading, part, slot.at(at + done));
      if (data_.is_classification()) check_labels(part, slot.at(at + done).labels);
      done += count;
    }
  }

  /// Kernels write where a label says.
  void check_labels(std::span<const std::uint64_t> samples, const std::int32_t* labels) const {
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (labels[i] >= 0 && static_cast<std::size_t>(labels[i]) < data_.classes()) continue;
      throw DataError(ErrorCode::label_out_of_range,
                      {"DataLoader: sample ", samples[i], " has ", detail::label_message(labels[i], data_.classes())});
    }
  }

  std::string name(std::uint64_t ticket, std::uint64_t current) const {
    const std::uint64_t epoch = ticket / layout_.slots();
    const PositionRange range = layout_.range(ticket % layout_.slots());
    if (current != SlotRing::nothing_current) return joined({"sample ", current, " (epoch ", epoch, ")"});
    return joined({"the samples at positions ", range.first, " to ", range.end(), " of epoch ", epoch});
  }

  // --- for training ---

  /// Makes the slot with this ticket the one that batches are views of.
  void hold(const Device& device, std::uint64_t ticket) {
    if (ticket == ticket_) return;
    if constexpr (streams) {
      features_stream_->wait();  // until what was copied from the slot held so far has left it
      answers_stream_->wait();
    }
    ticket_ = no_ticket;
    const Clock::time_point start = Clock::now();
    slot_ = ring_->take(ticket, std::chrono::duration<double>(options_.deadline));
    const Clock::time_point end = Clock::now();
    std::uint64_t samples = 0;
    layout_.for_each_share(ticket % layout_.slots(), [&](const PositionRange& share) { samples += share.count; });
    stats_.wait_seconds += std::chrono::duration<double>(end - start).count();
    stats_.samples += samples;
    ++stats_.slots;
    tune(start, end);
    stage(device, slots_[slot_], samples);
    ticket_ = ticket;  // last: after an exception the slot is asked for again
  }

  /// Another worker, or false where the system has no thread for it: who there is goes on.
  bool add_worker() noexcept {
    try {
      ring_->add_worker();
      return true;
    } catch (...) {
      return false;
    }
  }
  /// Starts another worker where training waits for more than 2 % of its time, seen over 16 slots and 20 ms.
  void tune(Clock::time_point start, Clock::time_point end) {
    if (options_.workers || ring_->workers() == 0 || ring_->workers() >= options_.most_workers()) return;
    if (tuned_slots_ == 0) tuned_from_ = start, tuned_wait_ = {};
    tuned_wait_ += end - start;
    if (++tuned_slots_ < 16 || end - tuned_from_ < std::chrono::milliseconds(20)) return;
    if (tuned_wait_ * 50 > end - tuned_from_ && !add_worker()) options_.workers = ring_->workers();
    tuned_slots_ = 0;
  }

  /// Positions that do not lie in one slot, read at once by the thread that asks.
  void read_odd(const Device& device, std::uint64_t epoch, const PositionRange& share) {
    if constexpr (streams) {
      features_stream_->wait();
      answers_stream_->wait();
    }
    ticket_ = no_ticket;
    if (share.count > odd_.capacity()) odd_ = make_slot(share.count);
    const detail::DefaultArithmetic arithmetic;
    read({order_.seed(), epoch, {}, nullptr}, share, odd_, 0);
    stage(device, odd_, share.count);
    show(0, share.count);
  }

  /// Copies the samples of a slot to a device that has memory of its own.
  void stage([[maybe_unused]] const Device& device, const HostSlot<Device>& slot, std::size_t samples) {
    const SampleBuffers from = slot.at(0);
    const SampleShape shape = data_.shape();
    if constexpr (streams) {
      staged_features_ = features_stream_->stage(device, from.features, samples * shape.feature_columns);
      if (from.targets != nullptr) {
        staged_targets_ = answers_stream_->stage(device, from.targets, samples * shape.target_columns);
      }
      if (from.labels != nullptr) staged_labels_ = answers_stream_->stage(device, from.labels, samples);
    } else if constexpr (!on_host || !std::is_same_v<T, float>) {
      convert(device, from.features, samples, shape.feature_columns, features_);
      if (from.targets != nullptr) convert(device, from.targets, samples, shape.target_columns, targets_);
      if (from.labels != nullptr) convert(device, from.labels, samples, 1, labels_);
      staged_features_ = features_.data(), staged_targets_ = targets_.data(), staged_labels_ = labels_.data();
    } else {
      staged_features_ = from.features, staged_targets_ = from.targets, staged_labels_ = from.labels;
    }
  }
  template <class S, class U>
  void convert(const Device& device, const S* from, std::size_t rows, std::size_t columns, Tensor<U, Device>& to) {
    if (to.rows() < rows) to = Tensor<U, Device>(device, Shape{rows, columns});
    if constexpr (on_host) {
      std::copy_n(from, rows * columns, to.data());
    } else if constexpr (std::is_same_v<S, U>) {
      copy_from_host(device, from, View<U, Device>(to.data(), Shape{rows, columns}));
    } else {
      const std::vector<U> values(from, from + rows * columns);
      copy_from_host(device, values.data(), View<U, Device>(to.data(), Shape{rows, columns}));
    }
  }

  /// Makes the batch a view of samples offset, offset + 1, ... of what was staged.
  void show(std::size_t offset, std::size_t count) {
    const SampleShape shape = data_.shape();
    batch_.features = View<const T, Device>(staged_features_ + offset * shape.feature_columns,
                                            Shape::matrix(count, shape.feature_columns));
    if (shape.classes != 0) {
      batch_.labels = View<const std::int32_t, Device>(staged_labels_ + offset, Shape{count});
    } else if (shape.target_columns != 0) {
      batch_.targets = View<const T, Device>(staged_targets_ + offset * shape.target_columns,
                                             Shape::matrix(count, shape.target_columns));
    }
  }

  Dataset data_;
  SampleOrder order_;
  SlotLayout layout_;
  LoadingOptions options_;
  Device device_;
  std::vector<HostSlot<Device>> slots_;
  HostSlot<Device> odd_;
  std::atomic<std::uint64_t> last_epoch_ = ~std::uint64_t{0} - 1;
  std::uint64_t ticket_ = no_ticket;
  std::size_t slot_ = 0;
  Batch<T, Device> batch_;
  const T* staged_features_ = nullptr;
  const T* staged_targets_ = nullptr;
  const std::int32_t* staged_labels_ = nullptr;
  Tensor<T, Device> features_, targets_;  // where the slot itself will not do
  Tensor<std::int32_t, Device> labels_;
  typename DeviceRows<Device>::Stream features_stream_{}, answers_stream_{};
  LoaderStats stats_;
  Clock::time_point tuned_from_;
  Clock::duration tuned_wait_{};
  std::size_t tuned_slots_ = 0;
  std::unique_ptr<SlotRing> ring_;  // whose threads use the others
};

}  // namespace minitrain::inline MINITRAIN_ABI
