#include <minitrain/data/idx.hpp>

#include <sys/stat.h>

#include <cmath>

#include "data/support.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

std::string idx(std::vector<std::uint32_t> extents, std::string_view values, char type = 8) {
  std::string file{'\0', '\0', type, static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents) {
    for (const int shift : {24, 16, 8, 0}) file += static_cast<char>(extent >> shift);
  }
  return file += values;
}

template <class... Part>
void check_refused(ErrorCode code, std::string_view content, const Part&... parts) {
  const test::TemporaryFile file(content);
  test::check_error<mt::DataError>(
      code, [&] { mt::read_idx(file.path()); }, file.path(), parts...);
}

}  // namespace

TEST_CASE("an IDX file is read as it was written") {
  const test::TemporaryFile file(idx({2, 1, 3}, "abcdef"));
  const mt::IdxArray array = mt::read_idx(file.path());
  CHECK(array.extents == std::vector<std::size_t>{2, 1, 3});
  CHECK(std::string(array.values.begin(), array.values.end()) == "abcdef");

  const std::string many(200'001, 'x');
  const test::TemporaryFile large(idx({200'001}, many));
  CHECK(mt::read_idx(large.path()).values.size() == many.size());
  const test::TemporaryFile none(idx({0, 28, 28}, ""));
  CHECK(mt::read_idx(none.path()).values.empty());
  const test::TemporaryFile deep(idx({1, 1, 1, 1, 1, 1, 1, 2}, "ab"));
  CHECK(mt::read_idx(deep.path()).extents.size() == 8);
}

TEST_CASE("images and labels make a data set of bytes") {
  const test::TemporaryFile images(idx({3, 1, 2}, std::string_view("\0\1\2\3\4\377", 6)));
  const test::TemporaryFile labels(idx({3}, std::string_view("\1\0\4", 3)));
  const auto data = mt::load_idx(images.path(), labels.path());
  CHECK(data.size() == 3);
  CHECK(data.feature_columns() == 2);
  CHECK(data.classes() == 5);
  CHECK(data.label(2) == 4);
  CHECK(data.feature(2, 1) == 1.0f);
  CHECK(data.feature(0, 1) == 1 / 255.0f);
  const auto scaled = mt::load_idx(images.path(), labels.path(), {.scale = 2, .offset = -1, .classes = 7});
  CHECK(scaled.feature(1, 0) == 3);
  CHECK(scaled.classes() == 7);
}

TEST_CASE("IDX files that break the format are refused") {
  check_refused(ErrorCode::truncated, "", "0 of 4 bytes");
  check_refused(ErrorCode::truncated, std::string_view("\0\0\10", 3), "3 of 4 bytes");
  check_refused(ErrorCode::bad_magic, "PK\3\4 and so on", "not an IDX file", "'PK\\x03\\x04'");
  check_refused(ErrorCode::bad_magic, std::string_view("\0\1\10\1", 4), "not an IDX file");
  check_refused(ErrorCode::unknown_dtype, idx({1}, "a", 7), "element type 7");
  check_refused(ErrorCode::unknown_dtype, idx({1}, "a", 0x0A), "element type 10");
  for (const char type : {0x09, 0x0B, 0x0C, 0x0D, 0x0E}) {
    check_refused(ErrorCode::unsupported, idx({1}, "abcdefgh", type), "only unsigned bytes");
  }
  check_refused(ErrorCode::bad_shape, idx({}, "a"), "0 axes");
  check_refused(ErrorCode::bad_shape, idx(std::vector<std::uint32_t>(9, 1), "a"), "9 axes");
  check_refused(ErrorCode::truncated, std::string_view("\0\0\10\3\0\0\0\1\0", 9), "9 of 16 bytes");
  check_refused(ErrorCode::truncated, idx({2, 3}, "abcde"), "17 of 18 bytes");
  check_refused(ErrorCode::trailing_bytes, idx({2, 3}, "abcdefg"), "18 bytes");
  check_refused(ErrorCode::trailing_bytes, idx({0}, "a"), "8 bytes");
}

TEST_CASE("extents that lie take no memory") {
  check_refused(ErrorCode::overflow, idx({~0u, ~0u, ~0u}, "a"), "2^62");
  check_refused(ErrorCode::overflow, idx({0, ~0u, ~0u, ~0u}, ""), "2^62");
  check_refused(ErrorCode::truncated, idx({~0u, 1u << 28}, "a"), "13 of 1152921504338411532 bytes");
}

TEST_CASE("every truncation of an IDX file is refused") {
  const std::string whole = idx({3, 2}, "abcdef");
  for (std::size_t size = 0; size < whole.size(); ++size) check_refused(ErrorCode::truncated, whole.substr(0, size));
}

TEST_CASE("a gzip file is refused with what to do") {
  check_refused(ErrorCode::bad_magic, "\x1F\x8B\x08", "file is gzip (1f 8b)", "<minitrain/data/idx_gz.hpp>", "gunzip");
}

TEST_CASE("images and labels that do not belong together are refused") {
  const test::TemporaryFile images(idx({3, 1, 2}, "abcdef"));
  const test::TemporaryFile labels(idx({2}, std::string_view("\1\2", 2)));
  const auto load = [&](const test::TemporaryFile& first, const test::TemporaryFile& second,
                        mt::IdxOptions options = {}) {
    return [&first, &second, options] { mt::load_idx(first.path(), second.path(), options); };
  };
  test::check_error<mt::DataError>(ErrorCode::count_mismatch, load(images, labels), "3 images", "2 labels",
                                   images.path(), labels.path());
  test::check_error<mt::DataError>(ErrorCode::bad_shape, load(labels, images), "labels have 1 axis", "has 3");
  const test::TemporaryFile two(idx({2, 1}, "ab"));
  test::check_error<mt::DataError>(ErrorCode::label_out_of_range, load(two, labels, {.classes = 2}),
                                   labels.path() + ": sample 1", "label 2");
  const test::TemporaryFile no_images(idx({0, 2}, "")), no_labels(idx({0}, ""));
  test::check_error<mt::DataError>(ErrorCode::empty_data, load(no_images, no_labels), "no samples");
}

TEST_CASE("IDX files that are not there, and what is no file") {
  const auto code = ErrorCode::io_error;
  const auto read = [](std::string path) { return [path] { mt::read_idx(path); }; };
  test::check_error<mt::DataError>(code, read("/nonexistent/x"), "/nonexistent/x", "No such file");
  test::check_error<mt::DataError>(code, read("/tmp"), "found a directory: name a file in it");
  test::check_error<mt::DataError>(code, read("/dev/zero"),
                                   "expected a regular file, found a character device: copy it");
  test::check_error<mt::DataError>(code, read(std::string("/tmp\0/x", 7)), "/tmp\\x00/x", "Invalid argument");
  const test::TemporaryFile place("");
  const std::string pipe = place.path() + ".fifo";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  test::check_error<mt::DataError>(code, read(pipe), "found a FIFO (named pipe): copy it");
  ::unlink(pipe.c_str());
  test::check_error<mt::DataError>(
      code, [] { mt::load_mnist("/nonexistent"); }, "/nonexistent/train-labels-idx1-ubyte");
}

namespace {

/// Elements as IDX has them, the most significant byte first.
template <class T>
std::string big_endian(std::initializer_list<T> elements) {
  std::string text;
  for (const T element : elements) {
    std::array<char, sizeof(T)> bytes;
    std::memcpy(bytes.data(), &element, sizeof(T));
    text.append(bytes.rbegin(), bytes.rend());
  }
  return text;
}

template <class... Part>
void check_not_mapped(ErrorCode code, std::string_view content, const Part&... parts) {
  const test::TemporaryFile file(content);
  test::check_error<mt::DataError>(
      code, [&] { mt::map_idx_table(file.path()); }, file.path(), parts...);
}

std::vector<float> read(const mt::Table& table) {
  std::vector<std::uint64_t> rows(table.rows);
  for (std::uint64_t i = 0; i < table.rows; ++i) rows[i] = i;
  std::vector<float> out(table.rows * table.columns);
  mt::read_rows(table, rows, out.data(), table.columns);
  return out;
}

}  // namespace

TEST_CASE("IDX files of every element type are mapped") {
  const auto check = [](char type, const std::string& elements, mt::ElementType wanted, std::vector<float> numbers) {
    const test::TemporaryFile file(idx({2, 1, 2}, elements, type));
    const mt::Table table = mt::map_idx_table(file.path());
    CHECK(table.type == wanted);
    CHECK(table.rows == 2);
    CHECK(table.columns == 2);
    CHECK(read(table) == numbers);
  };
  using enum mt::ElementType;
  check(0x08, big_endian<std::uint8_t>({0, 1, 128, 255}), u8, {0, 1, 128, 255});
  check(0x09, big_endian<std::int8_t>({0, -1, 127, -128}), i8, {0, -1, 127, -128});
  check(0x0B, big_endian<std::int16_t>({258, -2, 32767, -32768}), i16, {258, -2, 32767, -32768});
  check(0x0C, big_endian<std::int32_t>({66051, -2, 7, -2147483647 - 1}), i32, {66051, -2, 7, -2147483648.0f});
  check(0x0D, big_endian<float>({1.5f, -0.1f, 1e-45f, 3e38f}), f32, {1.5f, -0.1f, 1e-45f, 3e38f});
  check(0x0E, big_endian<double>({1.5, -0.1, 0, 1e300}), f64, {1.5f, -0.1f, 0, HUGE_VALF});
}

TEST_CASE("mapped images and labels are the loaded ones") {
  const test::TemporaryFile images(idx({3, 1, 2}, std::string_view("\0\1\2\3\4\377", 6)));
  const test::TemporaryFile labels(idx({3}, std::string_view("\1\0\4", 3)));
  for (const mt::IdxOptions options : {mt::IdxOptions{}, {.scale = 2, .offset = -1, .classes = 7}}) {
    const mt::Dataset loaded = mt::load_idx(images.path(), labels.path(), options);
    const mt::Dataset mapped = mt::map_idx(images.path(), labels.path(), options);
    CHECK_FALSE(mapped.in_memory());
    CHECK(mapped.bytes() == 16 + 6 + 8 + 3);
    REQUIRE(mapped.shape() == loaded.shape());
    REQUIRE(mapped.size() == loaded.size());
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(mapped.label(i) == loaded.label(i));
      for (std::size_t j = 0; j < 2; ++j) CHECK(mapped.feature(i, j) == loaded.feature(i, j));
    }
  }
  // Numbers that are not bytes are taken as they are.
  const test::TemporaryFile floats(idx({3}, big_endian<float>({0.5f, HUGE_VALF, 2}), 0x0D));
  const test::TemporaryFile numbers(idx({3}, big_endian<std::int32_t>({0, 299, -1}), 0x0C));
  const mt::Dataset kept = mt::map_idx(floats.path(), numbers.path());
  CHECK(kept.classes() == 300);
  CHECK(kept.feature(0, 0) == 0.5f);
  CHECK(kept.feature(1, 0) == HUGE_VALF);
  CHECK(kept.label(1) == 299);
  test::check_error<mt::DataError>(
      ErrorCode::label_out_of_range, [&] { kept.label(2); }, "sample 2 has label -1");
  const mt::Dataset checked = mt::map_idx(floats.path(), numbers.path(), {.non_finite = mt::NonFinite::error});
  CHECK(checked.feature(2, 0) == 2);
  test::check_error<mt::DataError>(
      ErrorCode::non_finite, [&] { checked.feature(1, 0); }, "feature 0 of sample 1 is inf");
}

TEST_CASE("fault 26: IDX files that break the format are not mapped") {
  check_not_mapped(ErrorCode::truncated, "", "0 of 4 bytes");
  check_not_mapped(ErrorCode::bad_magic, "PK\3\4 and so on", "not an IDX file", "'PK\\x03\\x04'");
  check_not_mapped(ErrorCode::bad_magic, "\x1F\x8B\x08", "file is gzip (1f 8b)", "gunzip");
  check_not_mapped(ErrorCode::unknown_dtype, idx({1}, "a", 7), "element type 7");
  check_not_mapped(ErrorCode::unknown_dtype, idx({1}, "a", 0x0A), "element type 10");
  check_not_mapped(ErrorCode::bad_shape, idx({}, "a"), "0 axes");
  check_not_mapped(ErrorCode::bad_shape, idx(std::vector<std::uint32_t>(9, 1), "a"), "9 axes");
  check_not_mapped(ErrorCode::truncated, idx({2, 3}, "abcdefghijk", 0x0B), "23 of 24 bytes");
  check_not_mapped(ErrorCode::trailing_bytes, idx({2, 3}, "abcdefghijklm", 0x0B), "24 bytes");
  check_not_mapped(ErrorCode::overflow, idx({~0u, 1u << 29}, "a", 0x0E), "2^62 bytes");
  check_not_mapped(ErrorCode::overflow, idx({0, ~0u, ~0u, 2}, "a"), "2^62 bytes");
  const std::string whole = idx({3, 2}, "abcdefghijkl", 0x0B);
  for (std::size_t size = 0; size < whole.size(); ++size) check_not_mapped(ErrorCode::truncated, whole.substr(0, size));
}

TEST_CASE("fault 27: images and labels that do not belong together are not mapped") {
  const test::TemporaryFile images(idx({3, 1, 2}, "abcdef")), labels(idx({2}, std::string_view("\1\2", 2)));
  const test::TemporaryFile no_images(idx({0, 2}, "")), no_labels(idx({0}, ""));
  const auto map = [](const test::TemporaryFile& first, const test::TemporaryFile& second) {
    return [&first, &second] { mt::map_idx(first.path(), second.path()); };
  };
  test::check_error<mt::DataError>(ErrorCode::count_mismatch, map(images, labels), images.path(), "3 rows", "2 in",
                                   labels.path());
  test::check_error<mt::DataError>(ErrorCode::bad_shape, map(labels, images), images.path(), "rows of 2",
                                   "features first, then labels");
  test::check_error<mt::DataError>(ErrorCode::empty_data, map(no_images, no_labels), "no samples");
}

TEST_CASE("faults 15 and 19: mapped IDX files that change, and what is no file") {
  const test::TemporaryFile images(idx({3, 1, 2}, "abcdef"));
  const test::TemporaryFile labels(idx({3}, std::string_view("\1\0\4", 3)));
  const mt::Dataset data = mt::map_idx(images.path(), labels.path());
  data.source()->check();
  labels.write("short");
  test::check_error<mt::DataError>(
      ErrorCode::truncated, [&] { data.source()->check(); }, labels.path(), "has 5 bytes, but had 11");
  const auto map = [](const char* path) { return [path] { mt::map_idx_table(path); }; };
  test::check_error<mt::DataError>(ErrorCode::io_error, map("/nonexistent/x"), "/nonexistent/x", "No such file");
  test::check_error<mt::DataError>(ErrorCode::io_error, map("/tmp"), "found a directory");
  test::check_error<mt::DataError>(ErrorCode::io_error, map("/dev/zero"), "found a character device");
}
