#pragma once
// BatchGrowth: a larger batch in place of a lower learning rate.

#include <minitrain/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// From epoch at[k] on, counted from 0 over the trainer's life, the batch is `factor` times what it was, up to
/// `largest`: what a rate divided by `factor` does to the noise of SGD, rate·samples/batch_size, in fewer steps. The
/// micro-batch stays, so memory does. Source: Smith et al., "Don't Decay the Learning Rate, Increase the Batch Size",
/// 2018, arXiv:1711.00489.
struct BatchGrowth {
  std::vector<std::size_t> at{};
  std::size_t factor = 2;   // >= 1
  std::size_t largest = 0;  // samples; 0: no limit

  void check() const {
    if (!std::is_sorted(at.begin(), at.end())) throw OptionError("BatchGrowth: at is not in ascending order");
    if (factor == 0) throw OptionError("BatchGrowth: factor is 0, but it must be at least 1");
  }
  /// Of an epoch, where the first has batches of `first` samples. At most 2^31, and never fewer than `first`.
  std::size_t batch_size(std::size_t first, std::size_t epoch) const noexcept {
    const std::size_t limit = std::max(first, largest != 0 ? largest : std::size_t{1} << 31);
    std::size_t size = first;
    for (const std::size_t start : at) {
      if (start > epoch) break;
      size = size > limit / factor ? limit : size * factor;
    }
    return size;
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
