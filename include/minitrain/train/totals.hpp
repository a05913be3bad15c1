#pragma once
// Totals: what an epoch or a step adds up over its samples.

#include <minitrain/config.hpp>

#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI {

/// Sums over samples: of losses, of weights, of right answers; and how many samples.
struct Totals {
  double loss = 0, weight = 0, right = 0;
  std::size_t samples = 0;

  void add(const Totals& other) noexcept {
    loss += other.loss;
    weight += other.weight;
    right += other.right;
    samples += other.samples;
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
