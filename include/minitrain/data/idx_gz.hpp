#pragma once
// IDX files, compressed or not. Needs zlib: link with -lz, or minitrain::zlib in CMake.

#include <minitrain/data/idx.hpp>

#include <zlib.h>

namespace minitrain::inline MINITRAIN_ABI {
namespace detail {

/// A gzip file, or any other as it is, read from front to back with its checksum checked.
class GzipFile {
 public:
  explicit GzipFile(const std::string& path) : path_(InputFile(path).path()), file_(::gzopen(path.c_str(), "rb")) {
    if (file_ == nullptr) fail_file(ErrorCode::io_error, path_, std::string("cannot open: ") + std::strerror(errno));
    ::gzbuffer(file_, 1 << 17);
  }
  ~GzipFile() { ::gzclose(file_); }
  GzipFile(const GzipFile&) = delete;
  GzipFile& operator=(const GzipFile&) = delete;

  const std::string& path() const noexcept { return path_; }

  /// Reads on; returns fewer than asked for only at the end. Throws DataError: truncated when the compressed stream
  /// stops short, checksum_mismatch when it is damaged, io_error.
  std::size_t read(std::span<std::uint8_t> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const std::size_t wanted = std::min(bytes.size() - done, std::size_t{1} << 30);
      const int count = ::gzread(file_, bytes.data() + done, static_cast<unsigned>(wanted));
      if (count > 0) done += static_cast<std::size_t>(count);
      if (count < 0 || static_cast<std::size_t>(count) < wanted) {
        check();
        break;
      }
    }
    return done;
  }

 private:
  void check() {
    int status = Z_OK;
    const char* const words = ::gzerror(file_, &status);
    if (status == Z_OK || status == Z_STREAM_END) return;
    if (status == Z_BUF_ERROR) {
      fail_file(ErrorCode::truncated, path_, "gzip: the compressed data end too early: fetch the file again");
    }
    if (status == Z_DATA_ERROR) {
      fail_file(ErrorCode::checksum_mismatch, path_, "gzip: damaged (" + printable(words) + "): fetch the file again");
    }
    fail_file(ErrorCode::io_error, path_, "gzip: " + printable(words));
  }

  std::string path_;
  ::gzFile file_;
};

}  // namespace detail

/// As read_idx(), and the file may be compressed; then also truncated and checksum_mismatch for a damaged stream.
inline IdxArray read_idx_gz(const std::string& path) {
  detail::GzipFile file(path);
  return detail::read_idx_file(file);
}

/// As load_idx(), and each file may be compressed.
inline Dataset load_idx_gz(const std::string& images_path, const std::string& labels_path,
                           const IdxOptions& options = {}) {
  return detail::load_idx_with(read_idx_gz, images_path, labels_path, options);
}

/// As load_mnist(), and each file may be compressed and end in .gz.
inline Split load_mnist_gz(const std::string& directory, const IdxOptions& options = {}) {
  return detail::load_mnist_with(read_idx_gz, directory, options);
}

}  // namespace minitrain::inline MINITRAIN_ABI
