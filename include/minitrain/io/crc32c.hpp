#pragma once
// CRC-32C: the checksum of every tensor in a file.

#include <minitrain/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail::io {

/// tables[0][b] is the remainder of byte b; tables[k][b] that of b followed by k zero bytes.
constexpr std::array<std::array<std::uint32_t, 256>, 8> make_crc32c_tables() noexcept {
  constexpr std::uint32_t polynomial = 0x82F63B78u;  // 0x1EDC6F41, lowest bit first
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xFF];
    }
  }
  return tables;
}

inline constexpr auto crc32c_tables = make_crc32c_tables();

/// Four bytes as a little-endian word, on every machine; compilers make one load of it.
constexpr std::uint32_t load_word(const std::byte* at) noexcept {
  return std::to_integer<std::uint32_t>(at[0]) | std::to_integer<std::uint32_t>(at[1]) << 8 |
         std::to_integer<std::uint32_t>(at[2]) << 16 | std::to_integer<std::uint32_t>(at[3]) << 24;
}

}  // namespace detail::io

/// CRC-32C (Castagnoli polynomial 0x1EDC6F41, as in iSCSI, RFC 3720, appendix B.4), eight bytes at a time (Kounavis and
/// Berry, "Novel table lookup-based algorithms for high-performance CRC generation", 2008). Detects every error of up
/// to three bits and every burst of up to 32 bits in up to 2^31 bits, and all but 2^-32 of the rest. To go on where an
/// earlier call ended, hand in its result: crc32c(ab) == crc32c(b, crc32c(a)).
constexpr std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0) noexcept {
  const auto& tables = detail::io::crc32c_tables;
  crc = ~crc;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    const std::uint32_t low = detail::io::load_word(bytes.data() + i) ^ crc;
    const std::uint32_t high = detail::io::load_word(bytes.data() + i + 4);
    crc = tables[7][low & 0xFF] ^ tables[6][(low >> 8) & 0xFF] ^ tables[5][(low >> 16) & 0xFF] ^ tables[4][low >> 24] ^
          tables[3][high & 0xFF] ^ tables[2][(high >> 8) & 0xFF] ^ tables[1][(high >> 16) & 0xFF] ^
          tables[0][high >> 24];
  }
  for (; i < bytes.size(); ++i) crc = (crc >> 8) ^ tables[0][(crc ^ std::to_integer<std::uint32_t>(bytes[i])) & 0xFF];
  return ~crc;
}

}  // namespace minitrain::inline MINITRAIN_ABI
