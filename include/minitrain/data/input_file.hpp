#pragma once
// InputFile: a regular file read from front to back, and what readers say about files.

#include <minitrain/io/file.hpp>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// `text` for a message: at most 80 bytes of it, without what a terminal would act on.
inline std::string printable(std::string_view text) { return io::shown(text, 80); }

/// Throws DataError with "<file>: <message>".
[[noreturn]] inline void fail_file(ErrorCode code, const std::string& path, const std::string& message) {
  throw DataError(code, {io::shown(path), ": ", message});
}

inline bool file_exists(const std::string& path) noexcept {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

/// A ReadFile with a place where reading goes on.
class InputFile {
 public:
  explicit InputFile(const std::string& path) : file_(path) {}

  const std::string& path() const noexcept { return file_.path(); }
  /// Bytes, when the file was opened.
  std::uint64_t size() const noexcept { return file_.size(); }

  /// Reads on; returns fewer than asked for only at the end.
  std::size_t read(std::span<std::uint8_t> bytes) {
    const std::size_t count = file_.read_some(place_, std::as_writable_bytes(bytes));
    place_ += count;
    return count;
  }

 private:
  ReadFile file_;
  std::uint64_t place_ = 0;
};

/// Bytes in memory, or mapped, that are read as an InputFile is.
class InputBytes {
 public:
  InputBytes(std::span<const std::byte> bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}

  const std::string& path() const noexcept { return path_; }
  std::size_t read(std::span<std::uint8_t> out) noexcept {
    const std::size_t count = std::min(out.size(), bytes_.size());
    if (count != 0) std::memcpy(out.data(), bytes_.data(), count);
    bytes_ = bytes_.subspan(count);
    return count;
  }

 private:
  std::span<const std::byte> bytes_;
  std::string path_;
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail
