#pragma once
// What the fuzz targets share.

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Most of an execution would be keeping the stacks of allocations, which a finding that is run again with
// ASAN_OPTIONS=malloc_context_size=30 shows as well, and a quarantine that fits no cache.
extern "C" const char* __asan_default_options() { return "malloc_context_size=0:quarantine_size_mb=4"; }

namespace fuzz {

inline void require(bool condition) {
  if (!condition) __builtin_trap();
}

/// The bytes as a file in memory that has a path, which ends with the process; one at a time.
inline const std::string& file_with(std::string_view bytes) {
  static const struct File {
    std::string path = "/dev/shm/fuzz-" + std::to_string(::getpid());
    int number = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ~File() { ::unlink(path.c_str()); }
  } file;
  require(file.number >= 0 && ::ftruncate(file.number, 0) == 0);
  require(::pwrite(file.number, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return file.path;
}
inline const std::string& file_with(const std::uint8_t* data, std::size_t size) {
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
