#pragma once
// Files on a POSIX system: reading exactly what was asked for, and replacing a file so that it is never half written.

#include <minitrain/core/error.hpp>
#include <minitrain/io/text.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail::io {

/// Throws DataError (io_error): "PATH: WHAT: the system's words for `error`".
[[noreturn]] inline void fail_io(const std::string& path, const std::string& what, int error) {
  throw DataError(ErrorCode::io_error, {shown(path), ": ", what, ": ", std::strerror(error)});
}

/// An open file descriptor, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const noexcept { return number_; }
  bool open() const noexcept { return number_ >= 0; }
  /// Closes now and returns errno, or 0: some file systems report a failed write only here.
  int close() noexcept { return ::close(std::exchange(number_, -1)) == 0 ? 0 : errno; }

 private:
  int number_;
};

/// Opens, again when a signal comes in between. A failure leaves its reason in errno.
inline Descriptor open_file(const std::string& path, int flags, mode_t mode = 0) noexcept {
  if (path.find('\0') != std::string::npos) {  // the system would see another, shorter name
    errno = EINVAL;
    return Descriptor(-1);
  }
  for (;;) {
    const int number = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode);
    if (number >= 0 || errno != EINTR) return Descriptor(number);
  }
}

inline const char* kind_of_file(mode_t mode) noexcept {
  return S_ISDIR(mode)    ? "a directory"
         : S_ISFIFO(mode) ? "a FIFO (named pipe)"
         : S_ISSOCK(mode) ? "a socket"
         : S_ISCHR(mode)  ? "a character device"
         : S_ISBLK(mode)  ? "a block device"
                          : "not a regular file";
}

}  // namespace detail::io

/// A regular file opened for reading, and its size at that moment. Directories, pipes and devices are refused: they
/// have no size, and reading them may never end. Throws DataError (io_error) with the operating system's words.
class ReadFile {
 public:
  explicit ReadFile(std::string path)
      // Without O_NONBLOCK the open itself would wait for a pipe's other end.
      : path_(std::move(path)), descriptor_(detail::io::open_file(path_, O_RDONLY | O_NONBLOCK)) {
    struct stat status {};
    if (!descriptor_.open() || ::fstat(descriptor_.get(), &status) != 0) {
      detail::io::fail_io(path_, "cannot open for reading", errno);
    }
    if (!S_ISREG(status.st_mode)) {
      throw DataError(
          ErrorCode::io_error,
          {detail::io::shown(path_), ": expected a regular file, found ", detail::io::kind_of_file(status.st_mode),
           S_ISDIR(status.st_mode) ? ": name a file in it" : ": copy it to one first"});
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  const std::string& path() const noexcept { return path_; }
  /// Bytes, when the file was opened.
  std::uint64_t size() const noexcept { return size_; }
  int descriptor() const noexcept { return descriptor_.get(); }

  /// Fills `bytes` from byte `offset` on, as far as the file goes; returns how many there were. Throws DataError
  /// (io_error) when the system cannot read.
  std::size_t read_some(std::uint64_t offset, std::span<std::byte> bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto at = static_cast<off_t>(offset + done);
      const ssize_t count = ::pread(descriptor_.get(), bytes.data() + done, bytes.size() - done, at);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        const int error = errno;
        detail::io::fail_io(path_, joined({"cannot read at byte ", offset + done}), error);
      }
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }
  /// Fills `bytes` from byte `offset` on. Throws DataError: truncated when the file ends before (it has shrunk since it
  /// was opened), io_error.
  void read(std::uint64_t offset, std::span<std::byte> bytes) const {
    const std::size_t found = read_some(offset, bytes);
    if (found == bytes.size()) return;
    throw DataError(ErrorCode::truncated,
                    {detail::io::shown(path_), ": byte ", offset + found, ": the file ends here, but had ", size_,
                     " bytes when it was opened: another program has shortened it"});
  }

 private:
  std::string path_;
  detail::io::Descriptor descriptor_;
  std::uint64_t size_ = 0;
};

namespace detail::io {

/// A new file beside `path`, with the permissions of the one that it is to replace, deleted at the end unless it was
/// moved to `path`. Refuses to replace a directory, pipe or device.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) : path_(path) {
    if (path.empty()) throw DataError(ErrorCode::io_error, "write_file: the file has no name: give a path");
    struct stat status {};
    const bool replaces = ::stat(path.c_str(), &status) == 0;
    if (replaces && !S_ISREG(status.st_mode)) {
      throw DataError(ErrorCode::io_error,
                      {shown(path), ": expected a regular file to replace, found ", kind_of_file(status.st_mode)});
    }
    // The number keeps threads apart, and steps over what a killed process with our id left behind.
    for (int number = 0; number < 1000 && !file_.open(); ++number) {
      name_ = joined({path, ".tmp-", ::getpid(), "-", number});
      file_ = open_file(name_, O_WRONLY | O_CREAT | O_EXCL, 0666);
      if (!file_.open() && errno != EEXIST) break;
    }
    if (const int error = errno; !file_.open())
      fail_io(path_, joined({"cannot create ", quoted(name_), " to write it"}), error);
    // Where the system refuses, it keeps a new file's.
    if (replaces) static_cast<void>(::fchmod(file_.get(), status.st_mode & 07777));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!moved_) ::unlink(name_.c_str());
  }

  /// Claims the space, so that a full disk is noticed before the first byte.
  void reserve(std::uint64_t size) {
    int error = 0;
    do {
      error = size == 0 ? 0 : ::posix_fallocate(file_.get(), 0, static_cast<off_t>(size));
    } while (error == EINTR);
    // Anything else means that the file system cannot claim space: then the writes find out.
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
      fail_io(path_, joined({"no room for ", size, " bytes"}), error);
    }
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_io(path_, "cannot write", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  /// Writes over what is there from byte `offset` on; write() goes on where it was.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_io(path_, "cannot write", errno);
      offset += static_cast<std::uint64_t>(count);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  /// Makes the bytes durable, then the name.
  void move_into_place() {
    const std::size_t slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const Descriptor directory = open_file(folder, O_RDONLY | O_DIRECTORY);
    if (!directory.open()) fail_io(path_, "cannot open its directory", errno);
    if (::fdatasync(file_.get()) != 0) fail_io(path_, "cannot make the data durable", errno);
    if (const int error = file_.close(); error != 0) fail_io(path_, "cannot close", error);
    if (std::rename(name_.c_str(), path_.c_str()) != 0) {
      const int error = errno;
      fail_io(path_, joined({"cannot rename ", quoted(name_), " to it"}), error);
    }
    moved_ = true;
    if (::fsync(directory.get()) != 0 && errno != EINVAL) fail_io(path_, "written, but may not outlast a crash", errno);
  }

 private:
  std::string path_;
  std::string name_;
  Descriptor file_{-1};
  bool moved_ = false;
};

}  // namespace detail::io

/// Replaces the file `path` by the pieces, one after the other. Whatever happens, a crash of the machine included,
/// there is then the old file or the new one, whole: the bytes go to a temporary file beside it (PATH.tmp-PID-N), are
/// made durable, and take the name and the permissions of the old file, which is made durable too. A symbolic link is
/// replaced, not followed; a directory, pipe or device is refused. Throws DataError (io_error) and leaves the old file
/// as it was and no temporary one; only when the very last step fails is the new file in place, whole but not yet sure
/// to outlast a crash.
inline void write_file(const std::string& path, std::span<const std::span<const std::byte>> pieces) {
  std::uint64_t size = 0;
  for (const auto& piece : pieces) size += piece.size();
  detail::io::TemporaryFile file(path);
  file.reserve(size);
  for (const auto& piece : pieces) file.write(piece);
  file.move_into_place();
}

}  // namespace minitrain::inline MINITRAIN_ABI
