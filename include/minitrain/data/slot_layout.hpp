#pragma once
// SlotLayout: how the positions of an epoch are cut into slots that are read ahead.

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI {

/// Positions first, ..., first + count - 1 of an epoch.
struct PositionRange {
  std::uint64_t first = 0, count = 0;
  std::uint64_t end() const noexcept { return first + count; }
};

/// Part `rank` of `ranks` of a range; parts differ by one sample at most, and some are empty when there are few.
constexpr PositionRange share_of(const PositionRange& range, std::size_t rank, std::size_t ranks) noexcept {
  const std::uint64_t begin = range.count * rank / ranks, end = range.count * (rank + 1) / ranks;
  return {range.first + begin, end - begin};
}

/// A slot is so many whole batches that it is worth a thread's while; or, of a batch too large for that, a part in
/// whole micro-batches, so that no micro-batch lies in two slots.
class SlotLayout {
 public:
  /// Of an epoch of n samples; `ahead`: threads fill slots for another one.
  SlotLayout(std::uint64_t n, std::uint64_t batch, std::uint64_t micro, std::size_t sample_bytes, bool ahead,
             std::size_t rank = 0, std::size_t ranks = 1) noexcept
      : n_(n), batch_(std::min(batch, n)), rank_(rank), ranks_(ranks) {
    const std::uint64_t bytes = std::max<std::size_t>(sample_bytes, 1), share = (batch_ + ranks - 1) / ranks;
    if (share * bytes > most_bytes && ranks == 1) {
      const std::uint64_t piece = micro == 0 ? batch_ : std::min(micro, batch_);
      part_ = piece * std::max<std::uint64_t>(1, most_bytes / (piece * bytes));
      parts_ = (batch_ + part_ - 1) / part_;
    } else {
      const std::uint64_t most = ahead ? handed_bytes : cached_bytes, thirtieth = n * bytes / ranks / 30;
      batches_ = std::max<std::uint64_t>(
          1, std::clamp(thirtieth, cached_bytes, std::max(most, cached_bytes)) / (share * bytes));
    }
  }

  std::uint64_t slots() const noexcept {
    const std::uint64_t batches = (n_ + batch_ - 1) / batch_;
    return parts_ == 0 ? (batches + batches_ - 1) / batches_
                       : (batches - 1) * parts_ + (n_ - (batches - 1) * batch_ + part_ - 1) / part_;
  }
  /// Most samples in a slot, of this rank.
  std::size_t capacity() const noexcept {
    return static_cast<std::size_t>(parts_ != 0 ? std::min(part_, batch_)
                                                : std::min(batches_ * ((batch_ + ranks_ - 1) / ranks_), n_));
  }
  std::uint64_t slot_of(std::uint64_t position) const noexcept {
    const std::uint64_t batch = position / batch_;
    return parts_ == 0 ? batch / batches_ : batch * parts_ + position % batch_ / part_;
  }
  /// The positions of a slot, of all ranks.
  PositionRange range(std::uint64_t slot) const noexcept {
    if (parts_ == 0) return clipped(slot * batches_ * batch_, batches_ * batch_);
    const std::uint64_t begin = slot / parts_ * batch_, at = slot % parts_ * part_;
    return clipped(begin + at, std::min(part_, batch_ - at));
  }
  /// f(range) for the stretches of a slot that belong to this rank, one behind the other in the slot.
  template <class F>
  void for_each_share(std::uint64_t slot, F&& f) const {
    const PositionRange all = range(slot);
    if (ranks_ == 1) return f(all);
    for (std::uint64_t at = all.first; at < all.end(); at += batch_) {
      f(share_of(clipped(at, std::min(batch_, all.end() - at)), rank_, ranks_));
    }
  }
  /// Whether a range that was asked for lies in one slot, this rank's share of it in one piece; then where.
  bool find(const PositionRange& asked, std::uint64_t& offset) const noexcept {
    const PositionRange slot = range(slot_of(asked.first));
    if (asked.end() > slot.end()) return false;
    offset = asked.first - slot.first;
    if (ranks_ == 1) return true;
    if (offset % batch_ != 0 || (asked.count != batch_ && asked.end() != n_)) return false;
    offset = offset / batch_ * share_of({0, batch_}, rank_, ranks_).count;
    return asked.count <= batch_;
  }

 private:
  // Handing over a slot costs a lock and perhaps a sleep, some microseconds: a few hundredths of copying so many bytes;
  // but no more than a thirtieth of an epoch, since the first slot is waited for. Who fills slots himself had better
  // find in the first cache what he just put there.
  static constexpr std::uint64_t handed_bytes = 512 << 10, cached_bytes = 32 << 10, most_bytes = 8 << 20;

  PositionRange clipped(std::uint64_t first, std::uint64_t count) const noexcept {
    return {first, std::min(count, n_ - std::min(first, n_))};
  }

  std::uint64_t n_ = 0, batch_ = 1;
  std::size_t rank_ = 0, ranks_ = 1;
  std::uint64_t batches_ = 1;           // whole batches of a slot, or
  std::uint64_t parts_ = 0, part_ = 0;  // slots of a batch, and samples of each
};

}  // namespace minitrain::inline MINITRAIN_ABI
