#pragma once
// BlockOrder: an order of samples that reads a file in stretches, for data larger than memory.

#include <minitrain/core/permutation.hpp>

#include <array>
#include <bit>
#include <span>

namespace minitrain::inline MINITRAIN_ABI {

/// How samples are cut: block i is the samples i·samples, ..., (i + 1)·samples - 1, the last one perhaps shorter.
struct Blocks {
  std::uint64_t samples = 1;  // of a block; a power of two
  std::uint64_t window = 1;   // blocks that are mixed with one another, at most `most`
  static constexpr std::uint64_t most = 256;
};

/// The order of one epoch: blocks in the order of a Permutation of all blocks, `window` of them at a time, and the
/// samples of those in the order of a Permutation of the window. Every sample once; a function of (n, blocks, seed,
/// epoch), and any position can be asked for in the time of one window's worth of block numbers. Without shuffling, the
/// samples as they are.
class BlockOrder {
 public:
  /// Throws OptionError for n = 0, and blocks that are none.
  BlockOrder(std::uint64_t n, const Blocks& blocks, bool shuffle, std::uint64_t seed, std::uint64_t epoch)
      : n_(n),
        shuffle_(shuffle),
        window_(blocks.window),
        seed_(seed),
        epoch_(epoch),
        order_(count(n, blocks), seed, epoch, RandomPurpose::blocks) {
    shift_ = std::countr_zero(blocks.samples);
    const std::uint64_t last = order_.size() - 1;
    missing_ = (order_.size() << shift_) - n;
    short_block_ = shuffle ? order_.position_of(last) : last;
  }

  std::uint64_t size() const noexcept { return n_; }
  std::uint64_t windows() const noexcept { return (order_.size() + window_ - 1) / window_; }
  /// Position of the first sample of window w; size() for w = windows().
  std::uint64_t window_begin(std::uint64_t w) const noexcept {
    const std::uint64_t block = std::min(w * window_, order_.size());
    return (block << shift_) - (block > short_block_ ? missing_ : 0);
  }
  /// The window that position p lies in.
  std::uint64_t window_of(std::uint64_t p) const noexcept {
    const std::uint64_t w = (p >> shift_) / window_;  // or the one behind, when a block before p is short
    return w + 1 < windows() && window_begin(w + 1) <= p ? w + 1 : w;
  }

  /// A stretch of samples.
  struct Stretch {
    std::uint64_t first = 0, count = 0;
  };
  std::uint64_t blocks_in(std::uint64_t w) const noexcept { return std::min(window_, order_.size() - w * window_); }
  /// The samples of block i of window w.
  Stretch block(std::uint64_t w, std::uint64_t i) const noexcept {
    const std::uint64_t at = w * window_ + i, first = (shuffle_ ? order_(at) : at) << shift_;
    return {first, std::min(n_ - first, std::uint64_t{1} << shift_)};
  }

  /// The samples at positions first, first + 1, ..., all below size(), by the device's fill_order().
  template <class Device>
  void fill(const Device& device, std::uint64_t first, std::span<std::uint64_t> out) const {
    for (std::size_t count; !out.empty(); first += count, out = out.subspan(count)) {
      const std::uint64_t w = window_of(first), begin = window_begin(w), end = window_begin(w + 1);
      count = std::min<std::uint64_t>(out.size(), end - first);
      const std::span<std::uint64_t> part = out.first(count);
      if (!shuffle_) {
        for (std::size_t i = 0; i < count; ++i) part[i] = first + i;
      } else {
        fill_order(device, inside(w, end - begin), first - begin, part);
        place(w, part);
      }
    }
  }

 private:
  static std::uint64_t count(std::uint64_t n, const Blocks& blocks) {
    if (!std::has_single_bit(blocks.samples) || blocks.window == 0 || blocks.window > Blocks::most) {
      throw OptionError({"BlockOrder: blocks of ", blocks.samples, " samples, ", blocks.window,
                         " to a window: ask for a power of two, and 1 to 256"});
    }
    return (n + blocks.samples - 1) / blocks.samples;
  }
  Permutation inside(std::uint64_t w, std::uint64_t size) const {
    const auto words = Random(seed_, RandomPurpose::window, static_cast<std::uint32_t>(epoch_)).block(epoch_ >> 32);
    return {size, std::uint64_t{words[0]} << 32 | words[1], w, RandomPurpose::window};
  }
  /// Numbers within window w to samples.
  void place(std::uint64_t w, std::span<std::uint64_t> numbers) const {
    std::uint64_t first[Blocks::most];  // std::array of a member constant is beyond nvcc
    const std::uint64_t blocks = blocks_in(w);
    for (std::uint64_t i = 0; i < blocks; ++i) first[i] = block(w, i).first;
    const std::uint64_t mask = (std::uint64_t{1} << shift_) - 1;
    // Behind the short block, numbers lie as if it were whole.
    const bool has_short = short_block_ >= w * window_ && short_block_ < w * window_ + blocks;
    const std::uint64_t whole = has_short ? ((short_block_ - w * window_ + 1) << shift_) - missing_ : ~std::uint64_t{0};
    for (std::uint64_t& number : numbers) {
      const std::uint64_t at = number + (number >= whole ? missing_ : 0);
      number = first[at >> shift_] + (at & mask);
    }
  }

  std::uint64_t n_;
  bool shuffle_;
  std::uint64_t window_, seed_, epoch_;
  Permutation order_;  // of the blocks
  int shift_ = 0;
  std::uint64_t missing_ = 0;      // samples that the last block has fewer than the others
  std::uint64_t short_block_ = 0;  // where it stands in the order
};

}  // namespace minitrain::inline MINITRAIN_ABI
