#pragma once
// GrowingFile: a file that a run adds to, and never ends in half of an entry if it can be helped.

#include <minitrain/io/file.hpp>

#include <functional>
#include <string_view>

namespace minitrain::inline MINITRAIN_ABI::detail::io {

/// A regular file opened for adding to its end. What is added is held until flush(), which writes it with one call of
/// the system; when that fails, the file is cut back to where it was. The constructor throws DataError (io_error);
/// nothing else throws, for what is logged is worth less than the run that logs it.
class GrowingFile {
 public:
  /// `flags`: O_CREAT, O_EXCL and their kin.
  GrowingFile(const std::string& path, int flags)
      : path_(path), file_(open_file(path, O_RDWR | O_NONBLOCK | flags, 0666)) {
    struct stat status {};
    if (!file_.open() || ::fstat(file_.get(), &status) != 0) fail_io(path_, "cannot open to add to it", errno);
    if (!S_ISREG(status.st_mode)) {
      throw DataError(ErrorCode::io_error, {shown(path_), ": expected a regular file to add to, found ",
                                            kind_of_file(status.st_mode), ": give the name of a file"});
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  const std::string& path() const noexcept { return path_; }
  /// Bytes in the file, without those that are held.
  std::uint64_t size() const noexcept { return size_; }
  std::size_t held() const noexcept { return held_.size(); }

  /// Calls keep(line), without its newline, for each line there is, and ends the file before the first one that is not
  /// to be kept, and in any case after the last newline. Of a file without a newline, or whose line does not end,
  /// keep() sees what there is; of a line that is longer than `longest` bytes, the beginning. Throws DataError
  /// (io_error) and what keep() throws; the file is as it was then.
  void keep_lines(const std::function<bool(std::string_view)>& keep, std::size_t longest = 1 << 20) {
    std::string text;
    std::uint64_t kept = 0, read = 0;  // bytes; `text` is what lies between
    bool all = true;
    while (all && read < size_) {
      constexpr std::uint64_t piece = 1 << 16;
      const std::size_t before = text.size();
      text.resize(before + static_cast<std::size_t>(std::min(piece, size_ - read)));
      const ssize_t count = ::pread(file_.get(), text.data() + before, text.size() - before, static_cast<off_t>(read));
      if (count < 0 && errno != EINTR) fail_io(path_, joined({"cannot read at byte ", read}), errno);
      text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
      if (count == 0) break;
      read += text.size() - before;
      std::size_t begin = 0;
      for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
        all = keep(std::string_view(text).substr(begin, end - begin));
        if (!all) break;
        kept += end + 1 - begin;
      }
      text.erase(0, begin);
      if (all && (text.size() > longest || (kept == 0 && read == size_ && !text.empty()))) {
        static_cast<void>(keep(text));
        all = false;
      }
    }
    if (::ftruncate(file_.get(), static_cast<off_t>(kept)) != 0) fail_io(path_, "cannot shorten", errno);
    size_ = kept;
  }

  /// Keeps others that ask for it from the file until this one is closed. Throws DataError (io_error) when somebody has
  /// it; where the file system knows no locks, there is none.
  void lock() {
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      throw DataError(ErrorCode::io_error, {shown(path_),
                                            ": in use by another program, or twice by this one: wait for "
                                            "it to end, or give the name of another file"});
    }
    struct stat status {};  // who had it before may have added to it since it was opened
    if (::fstat(file_.get(), &status) != 0) fail_io(path_, "cannot open to add to it", errno);
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  void add(std::string_view bytes) { held_ += bytes; }

  /// Writes what is held. When the system refuses, what was held is gone; returns why, or 0.
  int flush() noexcept {
    std::string_view rest = held_;
    std::uint64_t at = size_;
    int error = 0;
    while (!rest.empty() && error == 0) {
      const ssize_t count = ::pwrite(file_.get(), rest.data(), rest.size(), static_cast<off_t>(at));
      if (count < 0) {
        error = errno == EINTR ? 0 : errno;
      } else {
        at += static_cast<std::uint64_t>(count);
        rest.remove_prefix(static_cast<std::size_t>(count));
      }
    }
    held_.clear();
    if (error == 0) {
      size_ = at;
    } else {
      static_cast<void>(::ftruncate(file_.get(), static_cast<off_t>(size_)) == 0);
    }
    return error;
  }

  /// Returns when what was written is on the disk. Throws DataError (io_error).
  void sync() {
    if (uninterrupted([&] { return ::fdatasync(file_.get()); }) != 0) fail_io(path_, "cannot write to the disk", errno);
  }

 private:
  std::string path_;
  Descriptor file_;
  std::uint64_t size_ = 0;
  std::string held_;
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail::io
