#pragma once
// What the tests of data/ share: files made on the spot, and where the real data sets are.

#include "support/errors.hpp"

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace test {

/// A file that is there as long as this object.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    std::string name = "/tmp/minitrain_data_XXXXXX";
    const int file = ::mkstemp(name.data());
    REQUIRE(file >= 0);
    ::close(file);
    path_ = name;
    write(content);
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(std::string_view content) const {
    std::FILE* const file = std::fopen(path_.c_str(), "wb");
    REQUIRE(file != nullptr);
    const std::size_t written = std::fwrite(content.data(), 1, content.size(), file);
    std::fclose(file);
    REQUIRE(written == content.size());
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The directory of the real data sets, as MINITRAIN_DATA names it; empty where there is none.
inline std::string data_directory() {
  const char* const path = std::getenv("MINITRAIN_DATA");
  return path == nullptr || ::access(path, R_OK) != 0 ? std::string() : std::string(path);
}

}  // namespace test
