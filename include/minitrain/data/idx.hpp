#pragma once
// IDX: the format of MNIST, Fashion-MNIST and their kin: loaded into memory, or mapped. Uncompressed here; idx_gz.hpp
// loads .gz as well.
//
// Two zero bytes, a type code, the number of axes, each extent as a big-endian 32-bit number, then the elements.
// http://yann.lecun.com/exdb/mnist/

#include <minitrain/data/mapped_table.hpp>
#include <minitrain/data/split.hpp>
#include <minitrain/data/table_source.hpp>

#include <optional>

namespace minitrain::inline MINITRAIN_ABI {

/// An array of bytes: values[i, j, ...], row-major.
struct IdxArray {
  std::vector<std::size_t> extents;
  std::vector<std::uint8_t> values;
};

struct IdxOptions {
  std::optional<float> scale = {};  // a feature is scale·x + offset; not given: 1/255 for unsigned bytes, 1 for others
  float offset = 0;
  std::size_t classes = 0;                 // 0: one more than the largest label
  NonFinite non_finite = NonFinite::keep;  // of mapped files: `error` looks at each sample when it is read
};

namespace detail {

/// What a header says: 1 to 8 extents, elements from byte `first` on.
struct IdxHeader {
  ElementType type = ElementType::u8;
  std::vector<std::uint64_t> extents;
  std::uint64_t first = 0;
};

/// The type of a code, 8 to 14. Throws DataError (unknown_dtype).
inline ElementType idx_type(std::uint8_t code, const std::string& path) {
  using enum ElementType;
  constexpr std::pair<std::uint8_t, ElementType> types[] = {{0x08, u8},  {0x09, i8},  {0x0B, i16},
                                                            {0x0C, i32}, {0x0D, f32}, {0x0E, f64}};
  for (const auto& [known, type] : types) {
    if (known == code) return type;
  }
  fail_file(ErrorCode::unknown_dtype, path,
            joined({"IDX: element type ", code, " is none of the format's: fetch the file again"}));
}

/// Reads and checks magic number and extents.
template <class File>
IdxHeader read_idx_header(File& file) {
  std::array<std::uint8_t, 4 + 4 * 8> header{};
  const std::size_t found = file.read(std::span(header).first(4));
  if (found >= 2 && header[0] == 0x1F && header[1] == 0x8B) {
    fail_file(ErrorCode::bad_magic, file.path(),
              "file is gzip (1f 8b), not IDX: include <minitrain/data/idx_gz.hpp> and call the function ending in _gz, "
              "or gunzip it first");
  }
  if (found < 4) fail_end(file.path(), "IDX", 4, found);
  if (header[0] != 0 || header[1] != 0) {
    fail_file(ErrorCode::bad_magic, file.path(),
              "not an IDX file: begins with '" + printable({reinterpret_cast<const char*>(header.data()), 4}) +
                  "', not with two zero bytes");
  }
  IdxHeader result;
  result.type = idx_type(header[2], file.path());
  const std::size_t axes = header[3];
  if (axes == 0 || axes > 8) {
    fail_file(ErrorCode::bad_shape, file.path(), "IDX: " + std::to_string(axes) + " axes, but 1 to 8 are read");
  }
  const std::size_t more = file.read(std::span(header).subspan(4, 4 * axes));
  if (more < 4 * axes) fail_end(file.path(), "IDX", 4 + 4 * axes, 4 + more);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const std::uint8_t* const b = header.data() + 4 + 4 * axis;
    result.extents.push_back(std::uint64_t{b[0]} << 24 | std::uint64_t{b[1]} << 16 | std::uint64_t{b[2]} << 8 | b[3]);
  }
  result.first = 4 + 4 * axes;
  return result;
}

/// A whole IDX file. Memory grows with the bytes that are there, whatever the header announces.
template <class File>
IdxArray read_idx_file(File& file) {
  const IdxHeader read = read_idx_header(file);
  if (read.type != ElementType::u8) {
    fail_file(ErrorCode::unsupported, file.path(),
              "IDX: only unsigned bytes are loaded into memory, and the elements are others: take map_idx()");
  }
  const std::size_t header = read.first, size = count_elements(file.path(), "IDX", read.extents, 1);
  IdxArray array{.extents = {read.extents.begin(), read.extents.end()}, .values = {}};
  while (array.values.size() < size) {
    constexpr std::size_t least = std::size_t{1} << 16;
    const std::size_t have = array.values.size();
    array.values.resize(have + std::min(size - have, std::max(least, have)));
    const std::size_t found = file.read(std::span(array.values).subspan(have));
    if (have + found < array.values.size()) fail_end(file.path(), "IDX", header + size, header + have + found);
  }
  std::array<std::uint8_t, 1> beyond{};
  if (file.read(beyond) != 0) fail_beyond(file.path(), "IDX", header + size);
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
  const auto wrong =
      std::find_if(labels.values.begin(), labels.values.end(), [&](auto label) { return label >= classes; });
  if (wrong != labels.values.end()) {
    fail_file(ErrorCode::label_out_of_range, labels_path,
              "sample " + std::to_string(wrong - labels.values.begin()) + " has " + label_message(*wrong, classes));
  }
  return Dataset({.samples = labels.values.size(),
                  .bytes = std::move(images.values),
                  .scale = options.scale.value_or(1 / 255.0f),
                  .offset = options.offset,
                  .labels = {labels.values.begin(), labels.values.end()},
                  .classes = classes});
}

/// One more than the largest label. Labels that are none are found when they are read.
inline std::size_t count_classes(const Table& labels) {
  double largest = 0;
  with_element(labels.type, [&]<class T>(T) {
    for (std::uint64_t i = 0; i < labels.rows; ++i) {
      const auto label = static_cast<double>(element_at<T>(labels.data + i * labels.row_stride, labels.big_endian));
      if (label > largest && label < 2147483647) largest = label;
    }
  });
  return static_cast<std::size_t>(largest) + 1;
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

/// Any IDX file as a table of as many rows as its first extent, over the mapped file; all element types of the format.
/// Throws what read_idx does, but for unsupported.
inline Table map_idx_table(const std::string& path) {
  auto file = std::make_shared<const MappedFile>(path);
  detail::InputBytes bytes(file->bytes(), path);
  const detail::IdxHeader header = detail::read_idx_header(bytes);
  Table table = detail::mapped_table(std::move(file), "IDX", header.first, header.type, header.extents);
  table.big_endian = true;
  return table;
}

/// As load_idx(), but of all element types, and read from the files when they are wanted. Without `classes`, all labels
/// are read once. Throws what map_idx_table does, and DataError: count_mismatch; bad_shape; empty_data. When samples
/// are read: label_out_of_range, non_finite when asked for.
inline Dataset map_idx(const std::string& images_path, const std::string& labels_path, const IdxOptions& options = {}) {
  Table images = map_idx_table(images_path), labels = map_idx_table(labels_path);
  detail::check_pair("IDX", images, labels, true);
  images.scale = options.scale.value_or(images.type == ElementType::u8 ? 1 / 255.0f : 1.0f);
  images.offset = options.offset;
  const std::size_t classes = options.classes != 0 ? options.classes : detail::count_classes(labels);
  return Dataset(
      std::make_shared<const TableSource>(std::move(images), std::move(labels), classes, options.non_finite));
}

/// Training and test set from a directory with the four files of MNIST, Fashion-MNIST, KMNIST, ... under their usual
/// names: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte.
inline Split load_mnist(const std::string& directory, const IdxOptions& options = {}) {
  return detail::load_mnist_with(read_idx, directory, options);
}

}  // namespace minitrain::inline MINITRAIN_ABI
