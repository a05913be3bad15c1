#pragma once
// What the tests of io share: a folder that goes away, whole files as strings, hand-made safetensors files.

#include <minitrain/core/error.hpp>

#include "support/catch.hpp"

#include <unistd.h>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

namespace test {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "minitrain-io-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::size_t count() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_all(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// The eight bytes of a safetensors file's length.
inline std::string length_prefix(std::uint64_t length) {
  std::string prefix(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) prefix[i] = static_cast<char>(length >> (8 * i));
  return prefix;
}

/// A safetensors file with this header, right or wrong.
inline std::string file_of(std::string_view header, std::string_view data = {}) {
  return length_prefix(header.size()) + std::string(header) + std::string(data);
}

/// "NAME":{"dtype":"U8","shape":[SIZE],"data_offsets":[BEGIN,END]}
inline std::string entry(std::string_view name, std::size_t begin, std::size_t end) {
  return '"' + std::string(name) + R"(":{"dtype":"U8","shape":[)" + std::to_string(end - begin) +
         R"(],"data_offsets":[)" + std::to_string(begin) + ',' + std::to_string(end) + "]}";
}

/// Calls `call`, which has to throw an Error of this code whose message holds `part`.
template <class Call>
void check_error(Call call, minitrain::ErrorCode code, const std::string& part) {
  try {
    call();
    FAIL_CHECK("no error, expected one with: " << part);
  } catch (const minitrain::Error& error) {
    INFO(error.what());
    CHECK(static_cast<int>(error.code()) == static_cast<int>(code));
    CHECK_THAT(error.what(), ContainsSubstring(part));
  }
}

}  // namespace test
