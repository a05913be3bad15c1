#pragma once
// machine_memory(): how much memory this process may count on.

#include <minitrain/io/file.hpp>

#include <charconv>

namespace minitrain::inline MINITRAIN_ABI {

/// Bytes: what the machine has, or what its container is allowed, if that is less.
inline std::uint64_t machine_memory() {
  std::uint64_t bytes =
      static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (const char* const path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const detail::io::Descriptor file = detail::io::open_file(path, O_RDONLY);
    char text[32];
    const ssize_t size = file.open() ? ::read(file.get(), text, sizeof text) : -1;
    std::uint64_t limit = 0;  // "max" is no number
    if (size > 0 && std::from_chars(text, text + size, limit).ec == std::errc() && limit > 0) {
      bytes = std::min(bytes, limit);
    }
  }
  return bytes;
}

}  // namespace minitrain::inline MINITRAIN_ABI
