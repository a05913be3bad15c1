#pragma once
// IDX: the format of MNIST, Fashion-MNIST and their kin. Uncompressed here; idx_gz.hpp reads .gz as well.
//
// Two zero bytes, a type code, the number of axes, each extent as a big-endian 32-bit number, then the elements.
// http://yann.lecun.com/exdb/mnist/

#include <minitrain/data/input_file.hpp>
#include <minitrain/data/split.hpp>

#include <algorithm>
#include <array>

namespace minitrain::inline MINITRAIN_ABI {

/// An array of bytes: values[i, j, ...], row-major.
struct IdxArray {
  std::vector<std::size_t> extents;
  std::vector<std::uint8_t> values;
};

struct IdxOptions {
  float scale = 1 / 255.0f;  // a feature is scale·byte + offset
  float offset = 0;
  std::size_t classes = 0;  // 0: one more than the largest label
};

namespace detail {

[[noreturn]] inline void fail_idx_end(const std::string& path, std::uint64_t wanted, std::uint64_t found) {
  fail_file(
      ErrorCode::truncated, path,
      "IDX: ends after " + std::to_string(found) + " of " + std::to_string(wanted) + " bytes: fetch the file again");
}

/// Reads and checks magic number and extents.
template <class File>
std::vector<std::size_t> read_idx_header(File& file) {
  std::array<std::uint8_t, 4 + 4 * 8> header{};
  const std::size_t found = file.read(std::span(header).first(4));
  if (found >= 2 && header[0] == 0x1F && header[1] == 0x8B) {
    fail_file(ErrorCode::bad_magic, file.path(),
              "file is gzip (1f 8b), not IDX: include <minitrain/data/idx_gz.hpp> and call the function ending in _gz, "
              "or gunzip it first");
  }
  if (found < 4) fail_idx_end(file.path(), 4, found);
  if (header[0] != 0 || header[1] != 0) {
    fail_file(ErrorCode::bad_magic, file.path(),
              "not an IDX file: begins with '" + printable({reinterpret_cast<const char*>(header.data()), 4}) +
                  "', not with two zero bytes");
  }
  if (header[2] != 0x08) {
    const bool known = header[2] == 0x09 || (header[2] >= 0x0B && header[2] <= 0x0E);
    fail_file(known ? ErrorCode::unsupported : ErrorCode::unknown_dtype, file.path(),
              "IDX: element type " + std::to_string(header[2]) +
                  (known ? ", but only unsigned bytes (8) are read: convert the file" : " is none of the format's"));
  }
  const std::size_t axes = header[3];
  if (axes == 0 || axes > 8) {
    fail_file(ErrorCode::bad_shape, file.path(), "IDX: " + std::to_string(axes) + " axes, but 1 to 8 are read");
  }
  const std::size_t more = file.read(std::span(header).subspan(4, 4 * axes));
  if (more < 4 * axes) fail_idx_end(file.path(), 4 + 4 * axes, 4 + more);
  std::vector<std::size_t> extents(axes);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const std::uint8_t* const b = header.data() + 4 + 4 * axis;
    extents[axis] = std::size_t{b[0]} << 24 | std::size_t{b[1]} << 16 | std::size_t{b[2]} << 8 | b[3];
  }
  return extents;
}

/// A whole IDX file. Memory grows with the bytes that are there, whatever the header announces.
template <class File>
IdxArray read_idx_file(File& file) {
  IdxArray array;
  array.extents = read_idx_header(file);
  const std::size_t header = 4 + 4 * array.extents.size();
  std::size_t size = 1;
  for (const std::size_t extent : array.extents) {
    if (extent != 0 && size > (std::size_t{1} << 62) / extent) {
      fail_file(ErrorCode::overflow, file.path(), "IDX: announces more than 2^62 elements");
    }
    size *= extent;
  }
  while (array.values.size() < size) {
    constexpr std::size_t least = std::size_t{1} << 16;
    const std::size_t have = array.values.size();
    array.values.resize(have + std::min(size - have, std::max(least, have)));
    const std::size_t found = file.read(std::span(array.values).subspan(have));
    if (have + found < array.values.size()) fail_idx_end(file.path(), header + size, header + have + found);
  }
  std::array<std::uint8_t, 1> beyond{};
  if (file.read(beyond) != 0) {
    fail_file(ErrorCode::trailing_bytes, file.path(),
              "IDX: goes on after the " + std::to_string(header + size) + " bytes that its header announces");
  }
  return array;
}

using IdxReader = IdxArray (*)(const std::string& path);

inline Dataset load_idx_with(IdxReader read, const std::string& images_path, const std::string& labels_path,
                             const IdxOptions& options) {
  const IdxArray labels = read(labels_path);
  if (labels.extents.size() != 1) {
    fail_file(ErrorCode::bad_shape, labels_path,
              "IDX: labels have 1 axis, but this file has " + std::to_string(labels.extents.size()) +
                  ": give images first, then labels");
  }
  IdxArray images = read(images_path);
  if (images.extents[0] != labels.extents[0]) {
    fail_file(ErrorCode::count_mismatch, images_path,
              "IDX: " + std::to_string(images.extents[0]) + " images, but " + std::to_string(labels.extents[0]) +
                  " labels in " + printable(labels_path) + ": give two files that belong together");
  }
  std::size_t classes = options.classes;
  if (classes == 0 && !labels.values.empty()) {
    classes = std::size_t{1} + *std::max_element(labels.values.begin(), labels.values.end());
  }
  return Dataset({.samples = labels.values.size(),
                  .bytes = std::move(images.values),
                  .scale = options.scale,
                  .offset = options.offset,
                  .labels = {labels.values.begin(), labels.values.end()},
                  .classes = classes});
}

/// Where `name` lies in a directory, as it is or with .gz behind it.
inline std::string find_idx(const std::string& directory, const char* name) {
  const std::string path = directory + "/" + name;
  if (!file_exists(path) && file_exists(path + ".gz")) return path + ".gz";
  return path;
}

inline Split load_mnist_with(IdxReader read, const std::string& directory, IdxOptions options) {
  Split split;
  split.train = load_idx_with(read, find_idx(directory, "train-images-idx3-ubyte"),
                              find_idx(directory, "train-labels-idx1-ubyte"), options);
  options.classes = split.train.classes();
  split.test = load_idx_with(read, find_idx(directory, "t10k-images-idx3-ubyte"),
                             find_idx(directory, "t10k-labels-idx1-ubyte"), options);
  return split;
}

}  // namespace detail

/// An IDX file of unsigned bytes. Throws DataError: io_error, bad_magic (a gzip file included), unknown_dtype and
/// unsupported (other element types), bad_shape (0 or more than 8 axes), overflow, truncated, trailing_bytes.
inline IdxArray read_idx(const std::string& path) {
  detail::InputFile file(path);
  return detail::read_idx_file(file);
}

/// Images [N, ...] and labels [N] as a Dataset of N rows, kept as bytes. Throws what read_idx does, and DataError:
/// count_mismatch when the files hold different numbers; label_out_of_range; empty_data.
inline Dataset load_idx(const std::string& images_path, const std::string& labels_path,
                        const IdxOptions& options = {}) {
  return detail::load_idx_with(read_idx, images_path, labels_path, options);
}

/// Training and test set from a directory with the four files of MNIST, Fashion-MNIST, KMNIST, ... under their usual
/// names: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte.
inline Split load_mnist(const std::string& directory, const IdxOptions& options = {}) {
  return detail::load_mnist_with(read_idx, directory, options);
}

}  // namespace minitrain::inline MINITRAIN_ABI
