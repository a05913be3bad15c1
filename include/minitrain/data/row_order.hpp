#pragma once
// HostRowOrder: which rows of the storage an epoch visits, in host memory, a stretch at a time.

#include <minitrain/data/sample_order.hpp>

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// Whether a device keeps the order of an epoch itself (cuda/row_order.hpp), and takes data that does not fit batch by
/// batch (cuda/row_stream.hpp).
template <class Device>
concept KeepsRowOrder = requires {
  typename Device::RowOrder;
  typename Device::RowStream;
};

/// The device's own classes, or nothing where it has none.
template <class Device>
struct DeviceRows {
  struct None {};
  using Order = None;
  using Stream = None;
};
template <KeepsRowOrder Device>
struct DeviceRows<Device> {
  using Order = std::optional<typename Device::RowOrder>;
  using Stream = std::optional<typename Device::RowStream>;
};

/// Rows of the storage in the order of an epoch, computed ahead of where they are asked for.
class HostRowOrder {
 public:
  /// Makes room for stretches of `count` positions.
  void reserve(std::size_t count) { rows_.resize(std::max({block, ahead * count, rows_.size()})); }
  /// Bytes that reserve() takes for each, where there are more than a few.
  static constexpr std::size_t bytes_per_position() noexcept { return ahead * sizeof(std::uint64_t); }

  /// Makes rows() those of positions [position, position + count) and next() the `count` behind them, or as many as
  /// there are.
  template <class Device>
  void prepare(const Device& device, const Dataset& data, const SampleOrder& order, std::size_t epoch,
               std::size_t position, std::size_t count) {
    fill(device, data, order, epoch, position, count);
    const std::size_t begin = position - first_;
    const std::size_t behind = std::min(count, count_ - begin - count);
    stretch_ = {rows_.data() + begin, count + behind};
    taken_ = count;
  }
  std::span<const std::uint64_t> rows() const noexcept { return stretch_.first(taken_); }
  std::span<const std::uint64_t> next() const noexcept { return stretch_.subspan(taken_); }

 private:
  /// Makes rows_ hold positions [position, position + 2·count), or as many as there are.
  template <class Device>
  void fill(const Device& device, const Dataset& data, const SampleOrder& order, std::size_t epoch,
            std::size_t position, std::size_t count) {
    const std::size_t n = data.size();
    const std::size_t wanted = position + std::min(2 * count, n - position);
    const bool here = count_ > 0 && epoch == epoch_ && position >= first_ && position <= first_ + count_;
    if (here && wanted <= first_ + count_) return;
    std::size_t kept = 0;
    if (here) {
      const auto begin = rows_.begin() + static_cast<std::ptrdiff_t>(position - first_);
      kept = count_ - (position - first_);
      std::copy_n(begin, kept, rows_.begin());
    }
    first_ = position;
    epoch_ = epoch;
    count_ = std::min(rows_.size(), n - position);
    const std::span<std::uint64_t> fresh(rows_.data() + kept, count_ - kept);
    order.fill(device, epoch, first_ + kept, fresh);
    if (!data.rows().empty()) {
      for (std::uint64_t& row : fresh) row = data.row(row);
    }
  }

  static constexpr std::size_t block = 1024, ahead = 4;

  std::vector<std::uint64_t> rows_;  // of positions first_, first_ + 1, ... of epoch_
  std::size_t count_ = 0, epoch_ = 0, first_ = 0;
  std::span<const std::uint64_t> stretch_;
  std::size_t taken_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI
