#pragma once
// FileSystem: the calls to the operating system that files are read and written with, in one place, so that a test can
// make each of them fail.

#include <minitrain/core/error.hpp>
#include <minitrain/io/text.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// POSIX's calls under their own names: each does what its namesake does, and leaves its error in errno. One that is
/// derived from it may fail, record or pretend; whoever uses it keeps it alive.
class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  /// The operating system's own.
  static const FileSystem& system() noexcept {
    static const FileSystem calls;
    return calls;
  }

  virtual int open(const char* path, int flags, mode_t mode) const { return ::open(path, flags, mode); }
  virtual int close(int file) const { return ::close(file); }
  virtual int fstat(int file, struct stat* status) const { return ::fstat(file, status); }
  virtual int stat(const char* path, struct stat* status) const { return ::stat(path, status); }
  virtual ssize_t pread(int file, void* bytes, std::size_t size, off_t at) const {
    return ::pread(file, bytes, size, at);
  }
  virtual ssize_t write(int file, const void* bytes, std::size_t size) const { return ::write(file, bytes, size); }
  virtual ssize_t pwrite(int file, const void* bytes, std::size_t size, off_t at) const {
    return ::pwrite(file, bytes, size, at);
  }
  /// posix_fallocate from 0 to `size`: returns the error.
  virtual int fallocate(int file, off_t size) const { return ::posix_fallocate(file, 0, size); }
  virtual int fchmod(int file, mode_t mode) const { return ::fchmod(file, mode); }
  virtual int fdatasync(int file) const { return ::fdatasync(file); }
  virtual int fsync(int file) const { return ::fsync(file); }
  /// flock for writing, without waiting.
  virtual int flock(int file) const { return ::flock(file, LOCK_EX | LOCK_NB); }
  /// posix_fadvise: what is in memory of a file is not needed there, so that the next read is one of the disk.
  virtual void forget(int file) const { static_cast<void>(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)); }
  virtual int rename(const char* from, const char* to) const { return ::rename(from, to); }
  virtual int unlink(const char* path) const { return ::unlink(path); }
  virtual int mkdir(const char* path, mode_t mode) const { return ::mkdir(path, mode); }
  /// Signal 0: whether there is such a process.
  virtual int kill(pid_t process) const { return ::kill(process, 0); }
  /// readdir until the end: the names in a directory, in no order. Returns -1 when it cannot be read.
  virtual int list(const char* path, std::vector<std::string>& names) const {
    DIR* const directory = ::opendir(path);
    if (directory == nullptr) return -1;
    const Closing closing{directory};
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(directory);
      if (entry == nullptr) return errno == 0 ? 0 : -1;
      names.emplace_back(entry->d_name);
    }
  }

 private:
  struct Closing {
    DIR* directory;
    ~Closing() {
      const int error = errno;
      ::closedir(directory);
      errno = error;
    }
  };
};

namespace detail::io {

/// Throws DataError (io_error): "PATH: WHAT: the system's words for `error`".
[[noreturn]] inline void fail_io(const std::string& path, const std::string& what, int error) {
  throw DataError(ErrorCode::io_error, {shown(path), ": ", what, ": ", std::strerror(error)});
}

/// Calls again while a signal came in between.
template <class Call>
auto uninterrupted(const Call& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// An open file descriptor, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number, const FileSystem& files = FileSystem::system()) noexcept
      : number_(number), files_(&files) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)), files_(other.files_) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    std::swap(files_, other.files_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) files_->close(number_);
  }
  int get() const noexcept { return number_; }
  bool open() const noexcept { return number_ >= 0; }
  /// Closes now and returns errno, or 0: some file systems report a failed write only here.
  int close() noexcept {
    const int number = std::exchange(number_, -1);
    return files_->close(number) == 0 || errno == EINTR ? 0 : errno;  // interrupted, it is closed all the same
  }

 private:
  int number_;
  const FileSystem* files_;
};

/// Opens, again when a signal comes in between. A failure leaves its reason in errno.
inline Descriptor open_file(const std::string& path, int flags, mode_t mode = 0,
                            const FileSystem& files = FileSystem::system()) {
  if (path.find('\0') != std::string::npos) {  // the system would see another, shorter name
    errno = EINVAL;
    return Descriptor(-1, files);
  }
  return Descriptor(uninterrupted([&] { return files.open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode); }), files);
}

/// The directory that `path` is in: "." or a name that ends in a slash.
inline std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
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

}  // namespace minitrain::inline MINITRAIN_ABI
