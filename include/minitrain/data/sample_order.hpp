#pragma once
// SampleOrder: which sample stands at a position of an epoch, and why the order is of that kind.

#include <minitrain/data/block_order.hpp>
#include <minitrain/data/dataset.hpp>
#include <minitrain/data/loading_options.hpp>

#include <optional>

namespace minitrain::inline MINITRAIN_ABI {

/// The order of every epoch: a function of (samples, seed, epoch) and of whether blocks are mixed.
class SampleOrder {
 public:
  SampleOrder(const Dataset& data, bool shuffle, std::uint64_t seed, const LoadingOptions& options)
      : n_(data.size()), shuffle_(shuffle), seed_(seed) {
    if (data.in_memory()) return;
    const std::uint64_t machine = machine_memory(), bytes = data.source()->file_bytes();
    limit_ = options.limit();
    const bool larger = bytes > limit_;
    if (bytes == 0 || options.mixing == Mixing::samples || (!larger && options.mixing == Mixing::automatic)) return;
    keeps_cache_ = bytes <= machine / 2;
    // A subset has its samples here and there in the files, which are read all the same.
    const std::uint64_t per_sample = std::max<std::uint64_t>(1, bytes / n_);
    const std::uint64_t window_bytes = std::min(limit_ / 4, most_window);
    const std::uint64_t block = std::clamp<std::uint64_t>(window_bytes / 64, least_block, most_block);
    blocks_.emplace();
    blocks_->samples = std::bit_floor(std::max<std::uint64_t>(1, block / per_sample));
    blocks_->window = std::clamp<std::uint64_t>(window_bytes / (blocks_->samples * per_sample), 1, Blocks::most);
    block_bytes_ = blocks_->samples * per_sample;
  }

  bool shuffles() const noexcept { return shuffle_; }
  std::uint64_t seed() const noexcept { return seed_; }
  /// Whether files are read block by block; then in which.
  const std::optional<Blocks>& blocks() const noexcept { return blocks_; }
  /// Whether all of the files fit into the system's cache, to be found there in the next epoch.
  bool keeps_cache() const noexcept { return keeps_cache_; }
  BlockOrder of_blocks(std::uint64_t epoch) const { return {n_, *blocks_, shuffle_, seed_, epoch}; }
  /// Of single samples, when they are shuffled.
  std::optional<Permutation> permutation(std::uint64_t epoch) const {
    if (!shuffle_) return std::nullopt;
    return Permutation(n_, seed_, epoch);
  }

  /// The order of one epoch, for whoever asks for more than one stretch of it.
  class Epoch {
   public:
    Epoch(const SampleOrder& order, std::uint64_t epoch) {
      if (order.blocks_) {
        blocks_.emplace(order.of_blocks(epoch));
      } else {
        samples_ = order.permutation(epoch);
      }
    }
    /// out[i] = the sample at position first + i; by the device's fill_order().
    template <class Device>
    void fill(const Device& device, std::uint64_t first, std::span<std::uint64_t> out) const {
      if (blocks_) return blocks_->fill(device, first, out);
      if (samples_) return fill_order(device, *samples_, first, out);
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = first + i;
    }

   private:
    std::optional<BlockOrder> blocks_;
    std::optional<Permutation> samples_;
  };
  template <class Device>
  void fill(const Device& device, std::uint64_t epoch, std::uint64_t first, std::span<std::uint64_t> out) const {
    Epoch(*this, epoch).fill(device, first, out);
  }

  /// The kind as a number: two orders of the same samples and seed are the same if and only if it is.
  std::uint64_t key() const noexcept {
    return shuffle_ ? 1 + (blocks_ ? blocks_->samples * 2 * Blocks::most + blocks_->window : 0) : 0;
  }
  /// "in order", "samples shuffled", "64 blocks of 1024 samples shuffled"
  std::string kind() const {
    if (!shuffle_) return "in order";
    if (!blocks_) return "samples shuffled";
    return joined({blocks_->window, " blocks of ", blocks_->samples, " samples shuffled"});
  }
  /// "samples shuffled", "blocks of 1048576 bytes shuffled, 64 at a time mixed: ..."
  std::string describe(const Dataset& data) const {
    const char* const shuffled = shuffle_ ? "shuffled" : "in order";
    if (!blocks_) return joined({"samples ", shuffled});
    return joined({"blocks of ", block_bytes_, " bytes ", shuffled, ", ", blocks_->window,
                   shuffle_ ? " at a time mixed: " : " at a time: ", data.source()->file_bytes(), " bytes of files, ",
                   limit_, " bytes of memory for them"});
  }

 private:
  static constexpr std::uint64_t most_window = 64 << 20, most_block = 1 << 20, least_block = 4096;

  std::uint64_t n_ = 0;
  bool shuffle_ = false;
  std::uint64_t seed_ = 0;
  std::optional<Blocks> blocks_;
  std::uint64_t limit_ = 0, block_bytes_ = 0;
  bool keeps_cache_ = true;
};

}  // namespace minitrain::inline MINITRAIN_ABI
