#pragma once
// MappedFile: a file's bytes in the address space, read by the system when they are touched.

#include <minitrain/io/file.hpp>

#include <sys/mman.h>

#include <array>

namespace minitrain::inline MINITRAIN_ABI {

/// A regular file mapped for reading. Bytes that nobody touched cost no memory; bytes that were touched stay in memory
/// until release() or until the system wants it back. Touching bytes of a file that another program has shortened ends
/// the process (SIGBUS; POSIX leaves a reader no other way): check() before a stretch of work finds it earlier, and
/// load() in time. Throws DataError (io_error) as ReadFile does.
class MappedFile {
 public:
  explicit MappedFile(std::string path) : file_(std::move(path)), modified_(modification(file_)) {
    if (file_.size() == 0) return;
    void* const at = ::mmap(nullptr, file_.size(), PROT_READ, MAP_SHARED, file_.descriptor(), 0);
    if (at == MAP_FAILED) detail::io::fail_io(path_name(), joined({"cannot map ", file_.size(), " bytes"}), errno);
    data_ = static_cast<const std::byte*>(at);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), file_.size());
  }

  const std::string& path_name() const noexcept { return file_.path(); }
  std::span<const std::byte> bytes() const noexcept { return {data_, data_ == nullptr ? 0 : file_.size()}; }

  /// Throws DataError when the file is not the one that was opened: truncated when it is shorter, io_error when it was
  /// written to.
  void check() const {
    struct stat status {};
    if (::fstat(file_.descriptor(), &status) != 0) detail::io::fail_io(path_name(), "cannot look at it", errno);
    if (static_cast<std::uint64_t>(status.st_size) < file_.size()) {
      throw DataError(ErrorCode::truncated,
                      {detail::io::shown(path_name()), ": has ", static_cast<std::uint64_t>(status.st_size),
                       " bytes, but had ", file_.size(), " when it was opened: another program has shortened it"});
    }
    if (modification(file_) != modified_) {
      throw DataError(ErrorCode::io_error, {detail::io::shown(path_name()),
                                            ": was written to by another program since it was opened: open it again"});
    }
  }

  /// Asks the system to begin reading bytes [first, first + count), and does not wait.
  void expect(std::uint64_t first, std::uint64_t count) const noexcept { advise(first, count, MADV_WILLNEED); }
  /// Reads them and waits, so that touching them costs nothing more. Throws DataError: truncated, io_error.
  void load(std::uint64_t first, std::uint64_t count) const {
    const int error = advise(first, count, populate_read);
    if (error == 0) return;
    if (error == EFAULT || error == EINVAL) check();  // shortened, or else the disk failed
    if (error == EINVAL) return;                      // a system older than Linux 5.14 reads them when touched
    detail::io::fail_io(path_name(), joined({"cannot read ", count, " bytes at byte ", first}),
                        error == EFAULT ? EIO : error);
  }
  /// Takes them out of the process's memory; with `from_cache`, also out of the system's, which then reads them anew.
  /// Who touches a page is given those around it that the system has, up to a huge page of 2 MiB: they go with it, and
  /// who still needs one of them gets it back, at no other cost than that of a fault.
  void release(std::uint64_t first, std::uint64_t count, bool from_cache) const noexcept {
    constexpr std::uint64_t around = std::uint64_t{2} << 20;
    const std::uint64_t begin = first / around * around;
    if (count != 0) advise(begin, (first + count - 1) / around * around + around - begin, MADV_DONTNEED);
    if (from_cache) {
      ::posix_fadvise(file_.descriptor(), static_cast<off_t>(first), static_cast<off_t>(count), POSIX_FADV_DONTNEED);
    }
  }
  /// How many of the file's bytes are in the system's memory, in whole pages.
  std::uint64_t resident_bytes() const {
    const std::uint64_t page = page_size(), pages = (file_.size() + page - 1) / page;
    std::uint64_t resident = 0;
    std::array<unsigned char, 4096> here{};
    for (std::uint64_t first = 0; first < pages; first += here.size()) {
      const std::uint64_t count = std::min<std::uint64_t>(here.size(), pages - first);
      if (::mincore(const_cast<std::byte*>(data_) + first * page, count * page, here.data()) != 0) return resident;
      for (std::uint64_t i = 0; i < count; ++i) resident += here[i] & 1u;
    }
    return std::min(resident * page, file_.size());
  }

 private:
  static constexpr int populate_read = 22;  // MADV_POPULATE_READ, which older system headers do not name

  static std::uint64_t page_size() noexcept { return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)); }

  static std::pair<std::int64_t, std::int64_t> modification(const ReadFile& file) noexcept {
    struct stat status {};
    ::fstat(file.descriptor(), &status);
    return {status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  }

  /// Advice on the pages that the bytes lie in; returns errno, or 0.
  int advise(std::uint64_t first, std::uint64_t count, int advice) const noexcept {
    if (count == 0 || first >= file_.size()) return 0;
    const std::uint64_t page = page_size(), begin = first / page * page;
    const std::uint64_t end = std::min(first + count, file_.size());
    return ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, advice) == 0 ? 0 : errno;
  }

  ReadFile file_;
  std::pair<std::int64_t, std::int64_t> modified_;
  const std::byte* data_ = nullptr;
};

}  // namespace minitrain::inline MINITRAIN_ABI
