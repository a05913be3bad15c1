#include <minitrain/io/crc32c.hpp>

#include "io/support.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

using minitrain::crc32c;
using test::bytes_of;

namespace {

/// The definition: one bit at a time.
std::uint32_t bit_by_bit(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0u;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1)));
  }
  return ~crc;
}

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 167 + 13) >> 1);
  return bytes;
}

constexpr std::array nine{std::byte{'1'}, std::byte{'2'}, std::byte{'3'}, std::byte{'4'}, std::byte{'5'},
                          std::byte{'6'}, std::byte{'7'}, std::byte{'8'}, std::byte{'9'}};
static_assert(crc32c(nine) == 0xE3069283u, "the check value of CRC-32C, at compile time");

}  // namespace

TEST_CASE("crc32c gives the values of RFC 3720, B.4") {
  std::string rising(32, '\0');
  for (std::size_t i = 0; i < 32; ++i) rising[i] = static_cast<char>(i);
  const std::string falling(rising.rbegin(), rising.rend());
  CHECK(crc32c(bytes_of("")) == 0);
  CHECK(crc32c(bytes_of(std::string(32, '\0'))) == 0x8A9136AAu);
  CHECK(crc32c(bytes_of(std::string(32, '\xFF'))) == 0x62A8AB43u);
  CHECK(crc32c(bytes_of(rising)) == 0x46DD794Eu);
  CHECK(crc32c(bytes_of(falling)) == 0x113FDB5Cu);
}

TEST_CASE("crc32c equals its definition at every size and alignment") {
  const auto bytes = pattern(300);
  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (const std::size_t size : {0, 1, 7, 8, 9, 31, 33, 257}) {
      const auto part = std::span(bytes).subspan(begin, size);
      CHECK(crc32c(part) == bit_by_bit(part));
    }
  }
}

TEST_CASE("crc32c goes on where it ended") {
  const auto bytes = pattern(67);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const auto all = std::span(bytes);
    CHECK(crc32c(all.subspan(cut), crc32c(all.first(cut))) == crc32c(all));
  }
}

TEST_CASE("crc32c tells every flipped bit, and all of them apart") {
  auto bytes = pattern(257);
  std::vector<std::uint32_t> seen{crc32c(bytes)};
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    seen.push_back(crc32c(bytes));
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  std::sort(seen.begin(), seen.end());
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
}
