#pragma once
// TemporaryFile: a new file beside the one that it is to replace.

#include <minitrain/io/file_system.hpp>

#include <algorithm>
#include <memory>
#include <span>

namespace minitrain::inline MINITRAIN_ABI::detail::io {

/// Between the name of a file and the number of the process that is writing it: PATH.tmp-PID-N.
inline constexpr std::string_view temporary_mark = ".tmp-";

/// A new file beside `path`, with the permissions of the one that it is to replace, deleted at the end unless it was
/// moved to `path`. Locked (flock) as long as it is written, so that others can tell it from one that was left behind.
/// Refuses to replace a directory, pipe or device.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path, const FileSystem& files = FileSystem::system())
      : files_(files), path_(path), file_(-1, files) {
    if (path.empty()) throw DataError(ErrorCode::io_error, "write_file: the file has no name: give a path");
    struct stat status {};
    const bool replaces = files_.stat(path.c_str(), &status) == 0;
    if (replaces && !S_ISREG(status.st_mode)) {
      throw DataError(ErrorCode::io_error,
                      {shown(path), ": expected a regular file to replace, found ", kind_of_file(status.st_mode)});
    }
    // The number keeps threads apart, and steps over what a killed process with our id left behind.
    for (int number = 0; number < 1000 && !file_.open(); ++number) {
      name_ = joined({path, temporary_mark, ::getpid(), "-", number});
      file_ = open_file(name_, O_RDWR | O_CREAT | O_EXCL, 0666, files_);
      if (!file_.open() && errno != EEXIST) break;
    }
    if (const int error = errno; !file_.open())
      fail_io(path_, joined({"cannot create ", quoted(name_), " to write it"}), error);
    // Where the system refuses, it keeps a new file's; and where there are no locks, there is none.
    if (replaces) static_cast<void>(files_.fchmod(file_.get(), status.st_mode & 07777));
    static_cast<void>(files_.flock(file_.get()));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!moved_) static_cast<void>(uninterrupted([&] { return files_.unlink(name_.c_str()); }));
  }

  /// Claims the space, so that a full disk is noticed before the first byte.
  void reserve(std::uint64_t size) {
    int error = 0;
    do {
      error = size == 0 ? 0 : files_.fallocate(file_.get(), static_cast<off_t>(size));
    } while (error == EINTR);
    // Anything else means that the file system cannot claim space: then the writes find out.
    if (error == ENOSPC || error == EDQUOT || error == EFBIG || error == EIO) {
      fail_io(path_, joined({"no room for ", size, " bytes"}), error);
    }
  }

  void write(std::span<const std::byte> bytes) {
    write_all(bytes, [&](std::size_t) { return files_.write(file_.get(), bytes.data(), bytes.size()); });
  }

  /// Writes over what is there from byte `offset` on; write() goes on where it was.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
    write_all(bytes, [&](std::size_t done) {
      return files_.pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset + done));
    });
  }

  /// Makes the bytes durable, then reads the file from the disk and compares it with what it should be. Throws
  /// DataError (checksum_mismatch) where it differs.
  void verify(std::span<const std::span<const std::byte>> pieces) {
    make_durable();
    files_.forget(file_.get());
    constexpr std::size_t most = std::size_t{1} << 18;
    const auto buffer = std::make_unique<std::byte[]>(most);
    std::uint64_t at = 0;
    for (std::span<const std::byte> piece : pieces) {
      while (!piece.empty()) {
        const std::span<std::byte> found(buffer.get(), std::min(most, piece.size()));
        const ssize_t count = uninterrupted(
            [&] { return files_.pread(file_.get(), found.data(), found.size(), static_cast<off_t>(at)); });
        if (count < 0) fail_io(path_, "cannot read what was written", errno);
        if (count == 0 || std::memcmp(found.data(), piece.data(), static_cast<std::size_t>(count)) != 0) {
          throw DataError(ErrorCode::checksum_mismatch,
                          {shown(path_), ": at byte ", at,
                           " the disk does not give back what was written to it: look for its errors in the system's "
                           "log, and write elsewhere"});
        }
        at += static_cast<std::uint64_t>(count);
        piece = piece.subspan(static_cast<std::size_t>(count));
      }
    }
  }

  /// Makes the bytes durable, then the name.
  void move_into_place() {
    const Descriptor directory = open_file(folder_of(path_), O_RDONLY | O_DIRECTORY, 0, files_);
    if (!directory.open()) fail_io(path_, "cannot open its directory", errno);
    make_durable();
    if (const int error = file_.close(); error != 0) fail_io(path_, "cannot close", error);
    if (uninterrupted([&] { return files_.rename(name_.c_str(), path_.c_str()); }) != 0) {
      const int error = errno;
      fail_io(path_, joined({"cannot rename ", quoted(name_), " to it"}), error);
    }
    moved_ = true;
    if (uninterrupted([&] { return files_.fsync(directory.get()); }) != 0 && errno != EINVAL)
      fail_io(path_, "written, but may not outlast a crash", errno);
  }

 private:
  template <class Write>
  void write_all(std::span<const std::byte>& bytes, const Write& write) {
    durable_ = false;
    for (std::size_t done = 0; !bytes.empty();) {
      const ssize_t count = uninterrupted([&] { return write(done); });
      if (count <= 0) fail_io(path_, "cannot write", count == 0 ? EIO : errno);
      done += static_cast<std::size_t>(count);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  void make_durable() {
    if (durable_) return;
    if (uninterrupted([&] { return files_.fdatasync(file_.get()); }) != 0)
      fail_io(path_, "cannot make the data durable", errno);
    durable_ = true;
  }

  const FileSystem& files_;
  std::string path_;
  std::string name_;
  Descriptor file_;
  bool durable_ = false;
  bool moved_ = false;
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail::io
