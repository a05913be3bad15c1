#pragma once
// TemporaryFile: a file name that nobody else has; the file goes when the object does.

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace examples {

/// Makes an empty file in $TMPDIR or /tmp. Throws std::runtime_error when the system refuses.
class TemporaryFile {
 public:
  TemporaryFile() {
    const char* folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr && *folder != '\0' ? folder : "/tmp") + "/minitrain-XXXXXX";
    const int file = mkstemp(path_.data());
    if (file < 0) throw std::runtime_error(path_ + ": " + std::strerror(errno));
    close(file);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::remove(path_.c_str()); }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace examples
