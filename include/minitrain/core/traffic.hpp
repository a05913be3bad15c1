#pragma once
// Traffic: bytes that went from one memory to another.

#include <minitrain/config.hpp>

#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI {

/// Bytes, and the copies that they came in: from host memory to the device's, back, and from disk into host memory.
/// A device answers
///
///   Traffic traffic(const Device&)      all copies between host memory and its own since it was made
///
/// which for a CPU, where the two are one, is nothing. What it reads from disk a device does not know.
struct Traffic {
  std::uint64_t to_device_bytes = 0, to_device_copies = 0;
  std::uint64_t from_device_bytes = 0, from_device_copies = 0;
  std::uint64_t disk_read_bytes = 0;

  constexpr void sent(std::uint64_t bytes, std::uint64_t copies = 1) noexcept {
    to_device_bytes += bytes;
    to_device_copies += copies;
  }
  constexpr void received(std::uint64_t bytes, std::uint64_t copies = 1) noexcept {
    from_device_bytes += bytes;
    from_device_copies += copies;
  }

  constexpr Traffic& operator+=(const Traffic& other) noexcept {
    to_device_bytes += other.to_device_bytes;
    to_device_copies += other.to_device_copies;
    from_device_bytes += other.from_device_bytes;
    from_device_copies += other.from_device_copies;
    disk_read_bytes += other.disk_read_bytes;
    return *this;
  }
  /// What came after `before`, an earlier count of the same.
  constexpr Traffic since(const Traffic& before) const noexcept {
    return {to_device_bytes - before.to_device_bytes, to_device_copies - before.to_device_copies,
            from_device_bytes - before.from_device_bytes, from_device_copies - before.from_device_copies,
            disk_read_bytes - before.disk_read_bytes};
  }
  friend constexpr bool operator==(const Traffic&, const Traffic&) = default;
};

}  // namespace minitrain::inline MINITRAIN_ABI
