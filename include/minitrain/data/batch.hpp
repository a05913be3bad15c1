#pragma once
// Batch: the samples of one step, as a loader or a user's own code hands them over.

#include <minitrain/core/view.hpp>

#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI {

/// Views of B samples on a device. Whoever made the batch owns the memory.
template <class T = float, class Device = Cpu>
struct Batch {
  View<const T, Device> features;           // [B, feature columns]
  View<const T, Device> targets;            // [B, target columns]; empty for class labels
  View<const std::int32_t, Device> labels;  // [B]; empty for real targets
  std::size_t epoch = 0;
  std::size_t position = 0;       // of the first sample in the epoch's order
  std::size_t next_position = 0;  // from which the epoch goes on behind this batch, of all ranks
  double weight = 1;              // of the samples that all ranks have in this batch, the share that is here

  /// Number of samples, B.
  std::size_t size() const noexcept { return features.rows(); }
};

}  // namespace minitrain::inline MINITRAIN_ABI
