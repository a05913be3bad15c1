#pragma once
// allocated(): memory in use, as the allocator of a device counts it, to hold a plan against.

#include <minitrain/with_device.hpp>

#include <malloc.h>

#include <cstdint>

namespace examples {

/// Bytes that this process has allocated and not given back.
inline std::uint64_t allocated(const minitrain::Cpu&) {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}
/// Bytes that this device has at most held.
inline std::uint64_t allocated(const minitrain::Cuda& device) { return device.peak_allocated_bytes(); }

/// The same processor, or the same GPU made anew: what was done before with the other is no part of its peak.
inline minitrain::Cpu of_its_own(const minitrain::Cpu& device) { return device; }
inline minitrain::Cuda of_its_own(const minitrain::Cuda& device) { return minitrain::Cuda{device.index()}; }

/// Whether the device of that name is the processor.
inline bool is_host(const std::string& name) {
  return minitrain::with_device(
      name, [](const auto& device) { return std::is_same_v<std::decay_t<decltype(device)>, minitrain::Cpu>; });
}

}  // namespace examples
