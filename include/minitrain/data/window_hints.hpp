#pragma once
// WindowHints: tells the files behind a data set what will be read, as block by block an epoch goes on.

#include <minitrain/data/sample_order.hpp>

#include <algorithm>
#include <vector>

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
    if (from_nothing) {
      data_->source()->release(0, data_->source()->size(), false);  // what another stretch has left
      const Window window{now, now.window_of(first)};
      for_blocks(window, 0, window.blocks(), &Source::expect);
      for_blocks(window, 0, window.blocks(), &Source::load);
    }
    for_parts(now, first, count, [&](std::uint64_t w, std::uint64_t from, std::uint64_t to, std::uint64_t size) {
      // Who comes to the middle of a window has nothing of the next one yet.
      if (from_nothing && w == now.window_of(first)) from = 0;
      if (w + 1 < now.windows()) {
        read({now, w + 1}, from, to, size);
      } else if (epoch < last_) {
        read({order_->of_blocks(epoch + 1), 0}, from, to, size);
      }
    });
  }
  /// They have been read.
  void after(std::uint64_t epoch, std::uint64_t first, std::uint64_t count) const {
    if (!order_->blocks()) return;
    const BlockOrder now = order_->of_blocks(epoch);
    if (now.windows() < 4) return;
    for_parts(now, first, count, [&](std::uint64_t w, std::uint64_t from, std::uint64_t to, std::uint64_t size) {
      if (w == 0 && epoch == 0) return;
      // Where epochs meet, a block that is done with in one order may be about to come in the other.
      std::vector<std::uint64_t> needed;
      if (w + 2 >= now.windows()) Window{order_->of_blocks(epoch + 1), 0}.append_to(needed);
      if (w != 0) return let_go({now, w - 1}, from, to, size, needed);
      Window{now, 0}.append_to(needed);
      Window{now, 1}.append_to(needed);
      const BlockOrder before = order_->of_blocks(epoch - 1);
      let_go({before, before.windows() - 1}, from, to, size, needed);
    });
  }

 private:
  static constexpr std::uint64_t ahead = 8;  // blocks that the disk is asked for before they are waited for

  struct Window {
    BlockOrder order;
    std::uint64_t w;

    std::uint64_t blocks() const noexcept { return order.blocks_in(w); }
    BlockOrder::Stretch operator[](std::uint64_t i) const noexcept { return order.block(w, i); }
    void append_to(std::vector<std::uint64_t>& firsts) const {
      for (std::uint64_t i = 0; i < blocks(); ++i) firsts.push_back((*this)[i].first);
    }
  };

  /// f(window, from, to, size) for the windows that the positions lie in: places from to to - 1 of its `size`.
  template <class F>
  static void for_parts(const BlockOrder& order, std::uint64_t first, std::uint64_t count, F&& f) {
    for (std::uint64_t w = order.window_of(first); w < order.windows() && order.window_begin(w) < first + count; ++w) {
      const std::uint64_t begin = order.window_begin(w), size = order.window_begin(w + 1) - begin;
      f(w, std::max(first, begin) - begin, std::min(first + count - begin, size), size);
    }
  }

  /// From / size to to / size of the blocks of a window.
  void read(const Window& window, std::uint64_t from, std::uint64_t to, std::uint64_t size) const {
    const std::uint64_t blocks = window.blocks(), begin = from * blocks / size, end = to * blocks / size;
    for_blocks(window, begin == 0 ? 0 : std::min(begin + ahead, blocks), std::min(end + ahead, blocks),
               &Source::expect);
    for_blocks(window, begin, end, &Source::load);
  }
  void let_go(const Window& window, std::uint64_t from, std::uint64_t to, std::uint64_t size,
              const std::vector<std::uint64_t>& needed) const {
    const std::uint64_t blocks = window.blocks();
    for (std::uint64_t i = from * blocks / size; i < to * blocks / size; ++i) {
      const BlockOrder::Stretch block = window[i];
      if (std::find(needed.begin(), needed.end(), block.first) != needed.end()) continue;
      for_rows(block, [&](std::uint64_t row, std::uint64_t rows) {
        data_->source()->release(row, rows, !order_->keeps_cache());
      });
    }
  }

  void for_blocks(const Window& window, std::uint64_t from, std::uint64_t to,
                  void (Source::*hint)(std::uint64_t, std::uint64_t) const) const {
    for (std::uint64_t i = from; i < to; ++i) {
      for_rows(window[i], [&](auto row, auto rows) { (*data_->source().*hint)(row, rows); });
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
