#pragma once
// How many samples to have in flight on the CPU when the user leaves it to the library.

#include <minitrain/cpu/device.hpp>

#include <algorithm>
#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI {

/// Since the split never shows in the result, it can be chosen for the caches alone. Small models: as many samples as
/// keep activations and gradients in about 64 KiB, so that a pass finds close by what the pass before it wrote. Models
/// that do not fit a cache: enough samples to read the weights seldom.
inline std::size_t choose_micro_batch(const Cpu& device, std::size_t batch_size, std::size_t bytes_per_sample,
                                      std::size_t parameter_bytes) noexcept {
  constexpr std::size_t activation_budget = 64 * 1024, cached_parameters = 2 * 1024 * 1024;
  constexpr std::size_t smallest = 64, largest = 1024, multiple = 16;
  const std::size_t cached = activation_budget / std::max<std::size_t>(bytes_per_sample, 1) / multiple * multiple;
  const std::size_t rows = parameter_bytes > cached_parameters ? largest : std::clamp(cached, smallest, largest);
  const std::size_t threads = device.threads();
  return std::min(batch_size, threads > 1 ? std::min(2 * threads * rows, largest) : rows);
}

}  // namespace minitrain::inline MINITRAIN_ABI
