#pragma once
// What the fuzz targets share.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fuzz {

inline void require(bool condition) {
  if (!condition) __builtin_trap();
}

/// The bytes as a file in memory that has a path; one at a time.
inline std::string file_with(std::string_view bytes) {
  static const int file = ::memfd_create("fuzz", 0);
  require(file >= 0 && ::ftruncate(file, 0) == 0);
  require(::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return "/proc/self/fd/" + std::to_string(file);
}
inline std::string file_with(const std::uint8_t* data, std::size_t size) {
  return file_with({reinterpret_cast<const char*>(data), size});
}

/// A safetensors file of an input that starts with {: a header up to the first line feed, and data after it; the eight
/// bytes of the header's length, which a fuzzer would rarely get right, are put before it. Any other input is a file.
inline std::string safetensors_of(std::string_view input) {
  if (input.empty() || input[0] != '{') return std::string(input);
  const std::string_view header = input.substr(0, input.find('\n'));
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(std::uint64_t{header.size()} >> (8 * i));
  file += header;
  if (header.size() < input.size()) file += input.substr(header.size() + 1);
  return file;
}

}  // namespace fuzz
