#pragma once
// WindowHints: tells the files behind a data set what will be read, as block by block an epoch goes on.

#include <minitrain/data/sample_order.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// While the samples of one window of blocks are handed out, the next window is read, and the one before is let go; so
/// two windows are in memory, and the disk always has some blocks to work on. Only hints: what was not read by then is
/// read when it is touched.
class WindowHints {
 public:
  /// `last`: no epoch is read behind it.
  WindowHints(const Dataset& data, const SampleOrder& order, std::uint64_t last)
      : data_(&data), order_(&order), last_(last) {}

  /// Positions [first, first + count) of an epoch are about to be read; with `from_nothing`, nothing was read before.
  void before(std::uint64_t epoch, std::uint64_t first, std::uint64_t count, bool from_nothing) const {
    if (!order_->blocks()) return;
    const BlockOrder now = order_->of_blocks(epoch);
    const std::uint64_t w = now.window_of(first);
    if (from_nothing) {
      data_->source()->release(0, data_->source()->size(), false);  // what another stretch has left
      for_blocks(now, w, 0, now.blocks_in(w), &Source::expect);
      for_blocks(now, w, 0, now.blocks_in(w), &Source::load);
    }
    for (std::uint64_t at = w; at < now.windows() && now.window_begin(at) < first + count; ++at) {
      const std::uint64_t begin = now.window_begin(at), size = now.window_begin(at + 1) - begin;
      const std::uint64_t from = std::max(first, begin) - begin, to = std::min(first + count - begin, size);
      const bool last = at + 1 == now.windows();
      if (!last || epoch < last_) read(last ? order_->of_blocks(epoch + 1) : now, last ? 0 : at + 1, from, to, size);
      if (now.windows() < 4 || (at == 0 && epoch == 0)) continue;
      const BlockOrder before = at == 0 ? order_->of_blocks(epoch - 1) : now;
      let_go(before, at == 0 ? before.windows() - 1 : at - 1, from, to, size);
    }
  }

 private:
  static constexpr std::uint64_t ahead = 8;  // blocks that the disk is asked for before they are waited for

  /// From / size to to / size of the blocks of window w.
  void read(const BlockOrder& order, std::uint64_t w, std::uint64_t from, std::uint64_t to, std::uint64_t size) const {
    const std::uint64_t blocks = order.blocks_in(w), begin = from * blocks / size, end = to * blocks / size;
    for_blocks(order, w, begin == 0 ? 0 : std::min(begin + ahead, blocks), std::min(end + ahead, blocks),
               &Source::expect);
    for_blocks(order, w, begin, end, &Source::load);
  }
  void let_go(const BlockOrder& order, std::uint64_t w, std::uint64_t from, std::uint64_t to,
              std::uint64_t size) const {
    const std::uint64_t blocks = order.blocks_in(w);
    for (std::uint64_t i = from * blocks / size; i < to * blocks / size; ++i) {
      for_rows(order.block(w, i), [&](std::uint64_t row, std::uint64_t rows) {
        data_->source()->release(row, rows, !order_->keeps_cache());
      });
    }
  }

  void for_blocks(const BlockOrder& order, std::uint64_t w, std::uint64_t from, std::uint64_t to,
                  void (Source::*hint)(std::uint64_t, std::uint64_t) const) const {
    for (std::uint64_t i = from; i < to; ++i) {
      for_rows(order.block(w, i), [&](auto row, auto rows) { (*data_->source().*hint)(row, rows); });
    }
  }
  /// The rows of the source that the samples are in, where those lie close together.
  template <class F>
  void for_rows(const BlockOrder::Stretch& samples, F&& f) const {
    if (data_->rows().empty()) return f(samples.first, samples.count);
    const std::uint64_t first = data_->row(samples.first), last = data_->row(samples.first + samples.count - 1);
    if (first <= last && last - first < 16 * samples.count) f(first, last - first + 1);
  }

  const Dataset* data_;
  const SampleOrder* order_;
  std::uint64_t last_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
