#pragma once
// InputFile: a regular file read from front to back, and text made fit for messages.

#include <minitrain/core/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// `text` for a message: at most 80 bytes of it, everything but printable ASCII as \xNN.
inline std::string printable(std::string_view text) {
  constexpr std::size_t longest = 80;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '\\') {
      result += c;
    } else {
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return text.size() > longest ? result + "..." : result;
}

/// Throws DataError with "<file>: <message>".
[[noreturn]] inline void fail_file(ErrorCode code, const std::string& path, const std::string& message) {
  throw DataError(code, {printable(path), ": ", message});
}

inline bool file_exists(const std::string& path) noexcept {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

/// An open regular file. Directories, pipes and devices are refused: they have no size, and reading may never end.
/// Throws DataError (io_error) with the operating system's words.
class InputFile {
 public:
  explicit InputFile(const std::string& path) : path_(path) {
    if (path.find('\0') != std::string::npos) {
      fail_file(ErrorCode::io_error, path_, "cannot open: a zero byte in the name");
    }
    // Without O_NONBLOCK the open itself would wait for a pipe's other end.
    number_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (number_ < 0) fail_file(ErrorCode::io_error, path_, std::string("cannot open: ") + std::strerror(errno));
    struct stat status {};
    if (::fstat(number_, &status) != 0 || !S_ISREG(status.st_mode)) {
      ::close(number_);
      fail_file(ErrorCode::io_error, path_,
                S_ISDIR(status.st_mode) ? "is a directory: name a file in it"
                                        : "is not a regular file: copy it to one first");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  ~InputFile() { ::close(number_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const noexcept { return path_; }
  /// Bytes, when the file was opened.
  std::uint64_t size() const noexcept { return size_; }

  /// Reads on; returns fewer than asked for only at the end.
  std::size_t read(std::span<std::uint8_t> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t count = ::read(number_, bytes.data() + done, bytes.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_file(ErrorCode::io_error, path_, std::string("cannot read: ") + std::strerror(errno));
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

 private:
  std::string path_;
  int number_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail
