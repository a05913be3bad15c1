#pragma once
// disk_read_bytes(): what this process has read from disk.

#include <minitrain/config.hpp>

#include <sys/resource.h>

#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI {

/// Bytes that the system fetched from disk for this process since it began, other threads' included; pages that were in
/// its cache already are none. 0 where the system does not count them (some containers and file systems).
inline std::uint64_t disk_read_bytes() noexcept {
  struct rusage usage {};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  constexpr std::uint64_t block = 512;  // as getrusage(2) counts them, whatever the disk has
  return static_cast<std::uint64_t>(usage.ru_inblock) * block;
}

}  // namespace minitrain::inline MINITRAIN_ABI
