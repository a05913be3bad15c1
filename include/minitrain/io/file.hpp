#pragma once
// Files on a POSIX system: reading exactly what was asked for, and replacing a file so that it is never half written.

#include <minitrain/io/file_system.hpp>
#include <minitrain/io/temporary_file.hpp>

#include <span>
#include <string>

namespace minitrain::inline MINITRAIN_ABI {

/// A regular file opened for reading, and its size at that moment. Directories, pipes and devices are refused: they
/// have no size, and reading them may never end. Throws DataError (io_error) with the operating system's words.
class ReadFile {
 public:
  explicit ReadFile(std::string path, const FileSystem& files = FileSystem::system())
      : files_(&files),
        path_(std::move(path)),
        // Without O_NONBLOCK the open itself would wait for a pipe's other end.
        descriptor_(detail::io::open_file(path_, O_RDONLY | O_NONBLOCK, 0, files)) {
    struct stat status {};
    if (!descriptor_.open() || files.fstat(descriptor_.get(), &status) != 0) {
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
      const ssize_t count = detail::io::uninterrupted(
          [&] { return files_->pread(descriptor_.get(), bytes.data() + done, bytes.size() - done, at); });
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
  const FileSystem* files_;
  std::string path_;
  detail::io::Descriptor descriptor_;
  std::uint64_t size_ = 0;
};

/// Of write_file().
struct WriteOptions {
  bool verify = false;  // read the file back from the disk, and compare, before it takes its name
};

/// Replaces the file `path` by the pieces, one after the other. Whatever happens, a crash of the machine included,
/// there is then the old file or the new one, whole: the bytes go to a temporary file beside it (PATH.tmp-PID-N), are
/// made durable, and take the name and the permissions of the old file, which is made durable too. A symbolic link is
/// replaced, not followed; a directory, pipe or device is refused. Throws DataError (io_error) and leaves the old file
/// as it was and no temporary one; only when the very last step fails is the new file in place, whole but not yet sure
/// to outlast a crash.
inline void write_file(const std::string& path, std::span<const std::span<const std::byte>> pieces,
                       const WriteOptions& options = {}, const FileSystem& files = FileSystem::system()) {
  std::uint64_t size = 0;
  for (const auto& piece : pieces) size += piece.size();
  detail::io::TemporaryFile file(path, files);
  file.reserve(size);
  for (const auto& piece : pieces) file.write(piece);
  if (options.verify) file.verify(pieces);
  file.move_into_place();
}

}  // namespace minitrain::inline MINITRAIN_ABI
