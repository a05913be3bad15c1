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

/// f(device) with the device of that name; of the processor, `threads` of its threads.
template <class F>
decltype(auto) with_threads(const std::string& name, std::size_t threads, const F& f) {
  return minitrain::with_device(name, [&](const auto& device) -> decltype(auto) {
    if constexpr (std::is_same_v<std::decay_t<decltype(device)>, minitrain::Cpu>) {
      return f(minitrain::Cpu{{.threads = threads}});
    } else {
      return f(device);
    }
  });
}

}  // namespace examples
