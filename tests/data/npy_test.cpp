#include <minitrain/data/npy.hpp>

#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <numeric>

#include "data/support.hpp"
#include "support/python.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

/// A .npy file with this dictionary, padded as NumPy does.
std::string npy(std::string dictionary, std::string_view elements = {}, char version = 1) {
  const std::size_t prefix = version == 1 ? 10 : 12;
  dictionary.append(63 - (prefix + dictionary.size()) % 64, ' ');
  dictionary += '\n';
  std::string file{'\x93', 'N', 'U', 'M', 'P', 'Y', version, '\0'};
  for (std::size_t i = 0; i + 8 < prefix; ++i) file += static_cast<char>(dictionary.size() >> (8 * i));
  return file += dictionary += elements;
}
std::string dictionary(const std::string& type, const std::string& shape, const std::string& order = "False") {
  return "{'descr': " + type + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}
std::string bytes_file(const std::string& shape, std::string_view elements) {
  return npy(dictionary("'|u1'", shape), elements);
}

std::vector<float> read(const mt::Table& table) {
  std::vector<std::uint64_t> rows(table.rows);
  std::iota(rows.begin(), rows.end(), std::uint64_t{0});
  std::vector<float> out(table.rows * table.columns);
  mt::read_rows(table, rows, out.data(), table.columns);
  return out;
}

template <class... Part>
void check_refused(ErrorCode code, std::string_view content, const Part&... parts) {
  const test::TemporaryFile file(content);
  INFO(mt::detail::printable(content));
  test::check_error<mt::DataError>(
      code, [&] { mt::map_npy_table(file.path()); }, file.path() + ": ", parts...);
}
template <class... Part>
void check_dictionary(ErrorCode code, const std::string& dictionary, const Part&... parts) {
  check_refused(code, npy(dictionary, "abcdef"), "npy: byte ", parts...);
}

using Floats = std::vector<float>;

}  // namespace

TEST_CASE("a .npy file is mapped as rows of numbers") {
  const auto check = [](const std::string& content, std::uint64_t rows, std::size_t columns, const Floats& numbers) {
    const test::TemporaryFile file(content);
    const mt::Table table = mt::map_npy_table(file.path());
    CHECK(table.rows == rows);
    CHECK(table.columns == columns);
    CHECK(read(table) == numbers);
  };
  check(bytes_file("(6,)", "abcdef"), 6, 1, {97, 98, 99, 100, 101, 102});
  check(bytes_file("(2, 3)", "abcdef"), 2, 3, {97, 98, 99, 100, 101, 102});
  check(bytes_file("(2,3,)", "abcdef"), 2, 3, {97, 98, 99, 100, 101, 102});
  check(bytes_file("(1L, 2L, 1L, 3L)", "abcdef"), 1, 6, {97, 98, 99, 100, 101, 102});
  check(npy(dictionary("'|u1'", "(2, 3)", "True"), "abcdef"), 2, 3, {97, 99, 101, 98, 100, 102});
  check(npy(dictionary("'|u1'", "(3,)", "True"), "abc"), 3, 1, {97, 98, 99});
  check(npy("{\"shape\":(1,),\"descr\":\"<i2\",\"fortran_order\":False}", "ab", 2), 1, 1, {25185});
  check(npy(" { 'shape' : ( 1 , ) , 'descr' : '>i2' , 'fortran_order' : True } ", "ab", 3), 1, 1, {24930});
  for (const std::string shape : {"(0,)", "(0, 3)", "(0, 2, 3)"})
    check(bytes_file(shape, ""), 0, shape == "(0,)" ? 1 : shape == "(0, 3)" ? 3 : 6, {});
  check(bytes_file("(3, 0)", ""), 3, 0, {});
}

TEST_CASE("features and answers of two files make a data set") {
  const test::TemporaryFile x(bytes_file("(3, 1, 2)", std::string_view("\0\1\2\3\4\377", 6)));
  const test::TemporaryFile labels(bytes_file("(3,)", std::string_view("\1\0\4", 3)));
  const mt::Dataset images = mt::map_npy(x.path(), labels.path(), {.classes = 5, .scale = 2, .offset = -1});
  CHECK(images.size() == 3);
  CHECK(images.shape() == mt::SampleShape{2, 0, 5});
  CHECK(images.feature(2, 1) == 509);
  CHECK(images.label(2) == 4);
  CHECK_FALSE(images.in_memory());
  CHECK(images.bytes() == 128 + 6 + 128 + 3);

  const mt::Dataset numbers = mt::map_npy(x.path(), labels.path());
  CHECK(numbers.shape() == mt::SampleShape{2, 1, 0});
  CHECK(numbers.target(2) == 4);
  const mt::Dataset only = mt::map_npy(x.path(), {.scale = 0.5f});
  CHECK(only.shape() == mt::SampleShape{2, 0, 0});
  CHECK(only.feature(0, 1) == 0.5f);

  // Labels are checked when they are read.
  const mt::Dataset few = mt::map_npy(x.path(), labels.path(), {.classes = 4});
  CHECK(few.label(0) == 1);
  test::check_error<mt::DataError>(
      ErrorCode::label_out_of_range, [&] { few.label(2); }, "sample 2 has label 4", "from 0 to 3");
}

TEST_CASE("numbers that are not finite are kept, or found when they are read") {
  const std::array<float, 4> values{1, -HUGE_VALF, NAN, 2};
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), sizeof values);
  const test::TemporaryFile file(npy(dictionary("'<f4'", "(2, 2)"), bytes));
  const mt::Dataset kept = mt::map_npy(file.path());
  CHECK(kept.feature(0, 1) == -HUGE_VALF);
  CHECK(std::isnan(kept.feature(1, 0)));
  const mt::Dataset checked = mt::map_npy(file.path(), {.non_finite = mt::NonFinite::error});
  test::check_error<mt::DataError>(
      ErrorCode::non_finite, [&] { checked.feature(1, 1); }, "feature 0 of sample 1 is nan", "NonFinite::keep");
}

TEST_CASE("rows lie in one stretch of a file, or in one for each column") {
  using Stretches = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  const auto stretches = [](const mt::Table& table, std::uint64_t first, std::uint64_t count) {
    Stretches result;
    mt::detail::for_each_stretch(table, first, count, [&](auto at, auto bytes) { result.emplace_back(at, bytes); });
    return result;
  };
  const test::TemporaryFile rows(npy(dictionary("'<i2'", "(4, 3)"), std::string(24, 'x')));
  const mt::Table by_row = mt::map_npy_table(rows.path());
  CHECK(stretches(by_row, 1, 2) == Stretches{{128 + 6, 12}});
  CHECK(stretches(by_row.column_range(1, 1), 1, 2) == Stretches{{128 + 8, 8}});
  CHECK(stretches(by_row, 1, 0).empty());
  const test::TemporaryFile columns(npy(dictionary("'<i2'", "(4, 3)", "True"), std::string(24, 'x')));
  CHECK(stretches(mt::map_npy_table(columns.path()), 1, 2) == Stretches{{128 + 2, 4}, {128 + 10, 4}, {128 + 18, 4}});

  // Of two tables: one where they are side by side, as features and answers in a row file.
  const auto of_both = [](const mt::Table& a, const mt::Table& b, std::uint64_t first, std::uint64_t count) {
    Stretches result;
    mt::detail::for_each_stretch(a, b, first, count, [&](const mt::MappedFile& file, auto at, auto bytes) {
      CHECK(file.path_name() == a.file->path_name());
      result.emplace_back(at, bytes);
    });
    return result;
  };
  const mt::Table features = by_row.column_range(0, 2), answers = by_row.column_range(2, 1), none{};
  CHECK(of_both(features, answers, 1, 2) == Stretches{{128 + 6, 12}});
  CHECK(of_both(features, answers, 1, 1) == Stretches{{128 + 6, 6}});
  CHECK(of_both(features, none, 1, 2) == Stretches{{128 + 6, 10}});
  CHECK(of_both(none, none, 1, 2).empty());
  CHECK(of_both(by_row.column_range(0, 1), answers, 1, 1) == Stretches{{128 + 6, 2}, {128 + 10, 2}});
  CHECK(of_both(answers, features, 1, 1) == Stretches{{128 + 10, 2}, {128 + 6, 4}});
  const mt::Table other = mt::map_npy_table(rows.path());  // the same file, opened again
  CHECK(of_both(features, other, 1, 2) == Stretches{{128 + 6, 10}, {128 + 6, 12}});
}

TEST_CASE("hints reach the file, whatever the order of its elements") {
  const std::size_t rows = 4096, columns = 300;
  std::string elements(rows * columns, '\0');
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<char>(i % 127);
  for (const std::string order : {"False", "True"}) {
    const test::TemporaryFile file(npy(dictionary("'|i1'", "(4096, 300)", order), elements));
    const mt::Dataset data = mt::map_npy(file.path());
    const mt::Source& source = *data.source();
    source.expect(0, rows);
    source.load(0, rows);
    source.load(rows - 1, 1);
    source.release(10, 100, true);
    source.load(0, 0);
    const std::size_t at = order == "True" ? 299 * rows + 4095 : 4095 * columns + 299;
    CHECK(data.feature(4095, 299) == static_cast<float>(at % 127));
    // A column-wise file is only read where its rows lie, and that is where it has become too short.
    std::filesystem::resize_file(file.path(), 128 + 8192);
    test::check_error<mt::DataError>(
        ErrorCode::truncated, [&] { source.load(4095, 1); }, file.path());
    test::check_error<mt::DataError>(
        ErrorCode::truncated, [&] { source.check(); }, file.path(), "has 8320 bytes");
  }
}

TEST_CASE("fault 18: every truncation of a .npy file is refused") {
  for (const char version : {'\1', '\2', '\3'}) {
    const std::string whole = npy(dictionary("'<i2'", "(2, 1)"), "abcd", version);
    for (std::size_t size = 0; size < whole.size(); ++size) check_refused(ErrorCode::truncated, whole.substr(0, size));
  }
  check_refused(ErrorCode::truncated, "", "ends after 0 of 10 bytes: fetch the file again");
  check_refused(ErrorCode::truncated, bytes_file("(7,)", "abcdef"), "ends after 134 of 135 bytes");
  check_refused(ErrorCode::trailing_bytes, bytes_file("(5,)", "abcdef"), "goes on after the 133 bytes");
  check_refused(ErrorCode::trailing_bytes, bytes_file("(0, 5)", "a"), "goes on after the 128 bytes");
}

TEST_CASE("fault 20: other magic numbers and versions") {
  check_refused(ErrorCode::bad_magic, "NUMPY and more", "not a npy file: begins with 'NUMPY '", "numpy.save");
  check_refused(ErrorCode::bad_magic, "\x93NUMPI", "not a npy file: begins with '\\x93NUMPI'");
  check_refused(ErrorCode::bad_magic, std::string_view("\0\0\10\1", 4), "begins with '\\x00\\x00\\x08\\x01'");
  for (const auto& [major, minor] : {std::pair{'\0', '\0'}, {'\4', '\0'}, {'\1', '\1'}, {'\377', '\377'}}) {
    std::string file = bytes_file("(1,)", "a");
    file[6] = major;
    file[7] = minor;
    check_refused(ErrorCode::unsupported, file, "npy: version " + std::to_string(static_cast<unsigned char>(major)),
                  "1.0, 2.0 and 3.0");
  }
}

TEST_CASE("fault 21: headers too long, incomplete, repeated, or not of the format") {
  const auto bad = ErrorCode::bad_header;
  const std::string padding(70'000, ' ');
  check_refused(ErrorCode::header_too_large, npy(dictionary("'|u1'", "(1,)") + padding, "a", 2), "70", "65536");
  check_refused(ErrorCode::header_too_large, std::string("\x93NUMPY\2\0\377\377\377\377", 12), "4294967295 bytes");
  check_dictionary(bad, "", "expected {, found the end of the header");
  check_dictionary(bad, "{}", "no key 'descr'");
  check_dictionary(bad, "{'descr': '|u1', 'fortran_order': False}", "no key 'shape'");
  check_dictionary(bad, "{'descr': '|u1', 'shape': (6,)}", "no key 'fortran_order'");
  check_dictionary(bad, "{'fortran_order': False, 'shape': (6,)}", "no key 'descr'");
  check_dictionary(ErrorCode::duplicate_key, "{'shape': (6,), 'shape': (6,)}", "byte 26: ", "the key 'shape' twice");
  check_dictionary(bad, "{'order\n': 1}", "a key 'order\\x0a'");
  check_dictionary(bad, "{'descr\\x00': 1}", "an escape in a string");
  check_dictionary(bad, "{'descr", "a string that does not end");
  check_dictionary(bad, "{descr: 1}", "expected a string, found 'd'");
  check_dictionary(bad, "{'shape' (6,)}", "expected :, found '('");
  check_dictionary(bad, "{'shape': (6,) 'descr'", "expected }, found '''");
  check_dictionary(bad, "{'fortran_order': 0}", "expected True or False, found '0'");
  check_dictionary(bad, "{'shape': [6]}", "expected (, found '['");
  check_dictionary(bad, "{'shape': (6)}", "a number where a tuple (N,) belongs");
  check_dictionary(bad, "{'shape': (2 3)}", "expected , or ), found '3'");
  check_dictionary(bad, dictionary("'|u1'", "(6,)") + " import os", "expected the end, found 'i'");
  check_dictionary(bad, "__import__('os').system('true')", "expected {, found '_'");
  std::string no_newline = bytes_file("(1,)", "a");
  no_newline[127] = ' ';
  check_refused(bad, no_newline, "byte 127: expected the newline");
}

TEST_CASE("fault 22: types that are not numbers are refused with what to do, and never run") {
  const auto no = ErrorCode::unsupported, unknown = ErrorCode::unknown_dtype;
  const auto check = [](ErrorCode code, const std::string& type, const std::string& words) {
    check_dictionary(code, dictionary(type, "(6,)"), words);
  };
  check(no, "'|O'", "dtype '|O', Python objects, which are pickled programs and never run: save array.astype");
  check(no, "[('a', '<f4'), ('b', '<i4')]", "a structured dtype: save each field");
  check(no, "('<f4', (2,))", "a structured dtype");
  check(no, "'<U3'", "dtype '<U3', text");
  check(no, "'|S3'", "dtype '|S3', text");
  check(no, "'<c8'", "complex numbers: save array.real and array.imag");
  check(no, "'<M8[D]'", "dates: save array.astype(numpy.int64)");
  check(no, "'<m8[s]'", "durations");
  check(no, "'|V2'", "raw bytes: save array.astype(numpy.float32)");
  check(no, "'<f16'", "numbers of another width");
  check(unknown, "'<i3'", "dtype '<i3', wanted < or >");
  check(unknown, "'<x4'", "dtype '<x4', wanted");
  check(unknown, "'f4'", "dtype 'f4', wanted");
  check(unknown, "'=f4'", "dtype '=f4', wanted");
  check(unknown, "'|f4'", "dtype '|f4', wanted");
  check(unknown, "''", "dtype '', wanted");
  check(unknown, "'<'", "dtype '<', wanted");
  check(unknown, "'\x1B[2J'", "dtype '\\x1b[2J'");
  // Big-endian numbers are read as what they are.
  const test::TemporaryFile big(npy(dictionary("'>f4'", "(1,)"), std::string_view("\x3F\xC0\0\0", 4)));
  CHECK(read(mt::map_npy_table(big.path())) == Floats{1.5f});
}

TEST_CASE("fault 23: Fortran order is read as it is meant, or refused") {
  const test::TemporaryFile two(npy(dictionary("'|u1'", "(2, 2)", "True"), "abcd"));
  CHECK(read(mt::map_npy_table(two.path())) == Floats{97, 99, 98, 100});
  check_refused(ErrorCode::unsupported, npy(dictionary("'|u1'", "(1, 2, 3)", "True"), "abcdef"),
                "Fortran order of more than 2 axes: save numpy.ascontiguousarray(array)");
}

TEST_CASE("fault 24: shapes of no rows, of none at all, and past what can be") {
  const auto shape = [](ErrorCode code, const std::string& text, const std::string& words) {
    check_refused(code, npy(dictionary("'<f8'", text), "abcdef"), words);
  };
  const test::TemporaryFile none(bytes_file("(0, 3)", ""));
  test::check_error<mt::DataError>(
      ErrorCode::empty_data, [&] { mt::map_npy(none.path()); }, "no samples");
  const test::TemporaryFile empty(bytes_file("(3, 0)", ""));
  test::check_error<mt::DataError>(
      ErrorCode::empty_data, [&] { mt::map_npy(empty.path()); }, "no features");
  shape(ErrorCode::bad_shape, "()", "one number, not rows of them: save array.reshape(1, 1)");
  shape(ErrorCode::bad_shape, "(1, 1, 1, 1, 1)", "more than 4 axes: save array.reshape(len(array), -1)");
  shape(ErrorCode::overflow, "(9223372036854775808,)", "an extent of 2^63 or more");
  shape(ErrorCode::overflow, "(99999999999999999999999999,)", "an extent of 2^63 or more");
  shape(ErrorCode::overflow, "(9223372036854775807,)", "2^62 bytes");
  shape(ErrorCode::overflow, "(576460752303423488, 2)", "2^62 bytes");
  shape(ErrorCode::overflow, "(0, 9223372036854775807, 9223372036854775807)", "2^62 bytes");
  shape(ErrorCode::truncated, "(576460752303423488,)", "ends after 134 of 4611686018427388032 bytes");
  for (const char* const number : {"-1", "1.5", "1e3", "0x10", "007", "1_0", "+1", "n", ","}) {
    shape(ErrorCode::bad_number, std::string("(") + number + ",)", "expected an extent in plain digits");
  }
}

TEST_CASE("fault 25: npz and gzip are refused with what to do") {
  check_refused(ErrorCode::bad_magic, "PK\3\4 and so on", "file is a zip archive (npz)", "numpy.save");
  check_refused(ErrorCode::bad_magic, "PK\5\6", "file is a zip archive (npz)");
  check_refused(ErrorCode::bad_magic, "\x1F\x8B\x08", "file is gzip (1f 8b), not npy: gunzip it");
}

TEST_CASE("fault 27: features and answers that do not belong together are refused") {
  const test::TemporaryFile three(bytes_file("(3, 2)", "abcdef")), two(bytes_file("(2,)", "ab"));
  const test::TemporaryFile wide(bytes_file("(3, 3)", "abcdefghi")), none(bytes_file("(3, 0)", ""));
  const auto map = [&](const test::TemporaryFile& answers, std::size_t classes) {
    return [&, classes] { mt::map_npy(three.path(), answers.path(), {.classes = classes}); };
  };
  const auto mismatch = ErrorCode::count_mismatch;
  test::check_error<mt::DataError>(mismatch, map(two, 0), three.path(), "3 rows, but 2 in", two.path());
  test::check_error<mt::DataError>(mismatch, map(two, 9), three.path(), two.path());
  test::check_error<mt::DataError>(ErrorCode::bad_shape, map(wide, 9), wide.path(), "rows of 3");
  test::check_error<mt::DataError>(ErrorCode::empty_data, map(none, 0), none.path(), "targets of no columns");
  test::check_error<mt::DataError>(
      ErrorCode::bad_shape, [&] { mt::map_npy(three.path(), {.classes = 9}); }, "labels of 0 columns");
}

TEST_CASE("faults 15 and 19: mapped .npy files that change, and what is no file") {
  const test::TemporaryFile x(bytes_file("(3, 2)", "abcdef")), y(bytes_file("(3,)", "abc"));
  const mt::Dataset data = mt::map_npy(x.path(), y.path());
  data.source()->check();
  y.write("short");
  test::check_error<mt::DataError>(
      ErrorCode::truncated, [&] { data.source()->check(); }, y.path(), "has 5 bytes, but had 131");
  const auto map = [](std::string path) { return [path] { mt::map_npy_table(path); }; };
  const auto code = ErrorCode::io_error;
  test::check_error<mt::DataError>(code, map("/nonexistent/x"), "/nonexistent/x", "No such file");
  test::check_error<mt::DataError>(code, map("/tmp"), "found a directory: name a file in it");
  test::check_error<mt::DataError>(code, map("/dev/zero"), "found a character device");
  const std::string pipe = x.path() + ".fifo";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  test::check_error<mt::DataError>(code, map(pipe), "found a FIFO (named pipe)");
  ::unlink(pipe.c_str());
}

TEST_CASE("what is written is read again") {
  const test::TemporaryFile file("");
  const auto check = [&](const auto& numbers, const mt::Shape& shape, mt::ElementType type) {
    mt::write_npy(file.path(), mt::View(numbers.data(), shape));
    const mt::Table table = mt::map_npy_table(file.path());
    CHECK(table.type == type);
    CHECK(table.rows == shape.rows());
    CHECK(table.columns == shape.columns());
    CHECK(read(table) == Floats(numbers.begin(), numbers.end()));
    CHECK((table.data - table.file->bytes().data()) % 64 == 0);
  };
  const std::array<float, 6> floats{0.1f, -0.0f, HUGE_VALF, 1e-45f, 3e38f, 7};
  check(floats, {2, 3}, mt::ElementType::f32);
  check(floats, {6}, mt::ElementType::f32);
  check(floats, {1, 3, 2, 1}, mt::ElementType::f32);
  check(std::array<double, 2>{0.1, -1e30}, {2}, mt::ElementType::f64);
  check(std::array<std::int32_t, 2>{-2147483647 - 1, 7}, {2, 1}, mt::ElementType::i32);
  std::array<std::uint8_t, 2> bytes{0, 255};  // not const
  check(bytes, {1, 2}, mt::ElementType::u8);
  check(std::array<float, 0>{}, {0, 3}, mt::ElementType::f32);
  test::check_error<mt::DataError>(
      ErrorCode::io_error, [&] { mt::write_npy("/nonexistent/x.npy", mt::View(floats.data(), {6})); }, "No such file");
}

TEST_CASE("NumPy reads our files, and we read its files of every type, order and version") {
  const std::string python = test::python_with("numpy");
  if (python.empty()) return;
  const test::TemporaryFile place("");
  const std::filesystem::path folder = place.path() + ".folder";
  std::filesystem::create_directory(folder);
  const auto ours = [&](const char* name) { return (folder / (std::string("ours_") + name + ".npy")).string(); };
  const std::array<float, 6> f4{0.1f, -0.0f, HUGE_VALF, std::numeric_limits<float>::quiet_NaN(), 1e-45f, 3e38f};
  const std::array<double, 3> f8{0.1, -1e300, std::numeric_limits<double>::quiet_NaN()};
  std::array<std::int32_t, 24> i4;
  std::iota(i4.begin(), i4.end(), -12);
  const std::uint8_t one = 7;
  mt::write_npy(ours("f4"), mt::View(f4.data(), {2, 3}));
  mt::write_npy(ours("f8"), mt::View(f8.data(), {3}));
  mt::write_npy(ours("i4"), mt::View(i4.data(), {2, 3, 1, 4}));
  mt::write_npy(ours("u1"), mt::View(&one, {0, 7}));
  mt::write_npy(ours("one"), mt::View(&one, {1}));
  REQUIRE(test::run_python(python, __FILE__, "npy_interop.py", folder.string()));

  std::ifstream arrays(folder / "arrays.txt"), refused(folder / "refused.txt");
  std::string name, code;
  std::uint64_t rows = 0, columns = 0;
  std::size_t count = 0;
  for (; arrays >> name >> rows >> columns; ++count) {
    INFO(name);
    const mt::Table table = mt::map_npy_table((folder / (name + ".npy")).string());
    CHECK(table.rows == rows);
    CHECK(table.columns == columns);
    const Floats found = read(table);
    std::ifstream file(folder / (name + ".f32"), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    REQUIRE(bytes.size() == found.size() * sizeof(float));
    bool equal = true;
    for (std::size_t i = 0; i < found.size(); ++i) {
      float wanted = 0;
      std::memcpy(&wanted, bytes.data() + i * sizeof(float), sizeof(float));
      // One that is not a number may be any that is none.
      equal &= std::isnan(wanted) ? std::isnan(found[i])
                                  : std::bit_cast<std::uint32_t>(wanted) == std::bit_cast<std::uint32_t>(found[i]);
    }
    CHECK(equal);
  }
  CHECK(count > 500);
  for (count = 0; refused >> name >> code; ++count) {
    INFO(name);
    const ErrorCode wanted = code == "unsupported" ? ErrorCode::unsupported
                             : code == "bad_magic" ? ErrorCode::bad_magic
                                                   : ErrorCode::bad_shape;
    test::check_error<mt::DataError>(wanted, [&] { mt::map_npy_table((folder / (name + ".npy")).string()); });
  }
  CHECK(count > 10);
  std::filesystem::remove_all(folder);
}
