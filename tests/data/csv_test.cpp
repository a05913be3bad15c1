#include <minitrain/core/random.hpp>
#include <minitrain/data/csv.hpp>

#include <clocale>
#include <cmath>

#include "data/support.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

mt::Dataset load(std::string_view text, mt::CsvOptions options = {.target = "y"}) {
  const test::TemporaryFile file(text);
  return mt::load_csv(file.path(), options);
}

std::vector<float> features(const mt::Dataset& data) { return data.storage().features; }
std::vector<float> targets(const mt::Dataset& data) { return data.storage().targets; }

template <class... Part>
void check_refused(ErrorCode code, std::string_view text, const mt::CsvOptions& options, const Part&... parts) {
  test::check_error<mt::DataError>(
      code, [&] { load(text, options); }, parts...);
}
template <class... Part>
void check_refused(ErrorCode code, std::string_view text, const Part&... parts) {
  check_refused(code, text, mt::CsvOptions{.target = "y"}, parts...);
}

using Floats = std::vector<float>;

}  // namespace

TEST_CASE("a table of numbers with a target column") {
  const auto data = load("a,y,b\n1,2,3\n-4.5,5e1,.25\n");
  CHECK(data.size() == 2);
  CHECK(data.feature_columns() == 2);
  CHECK(features(data) == Floats{1, 3, -4.5f, 0.25f});
  CHECK(targets(data) == Floats{2, 50});
}

TEST_CASE("labels, ignored columns, other separators, no header") {
  const auto data =
      load("name;y;a\nred;2;1\nblue;0.0;7\n", {.target = "y", .classes = 3, .ignore = {"name"}, .separator = ';'});
  CHECK(data.classes() == 3);
  CHECK(data.feature_columns() == 1);
  CHECK(data.label(0) == 2);
  CHECK(data.label(1) == 0);
  const auto plain = load("1\t2\t3\n4\t5\t6\n", {.target = "2", .header = false, .separator = '\t'});
  CHECK(features(plain) == Floats{1, 2, 4, 5});
  CHECK(targets(plain) == Floats{3, 6});
}

TEST_CASE("quotes, CRLF, byte order mark, missing last line end, empty lines: as RFC 4180 and common sense have it") {
  const Floats expected{1, 3};
  for (const std::string_view text :
       {"a,y\n1,2\n3,4\n", "a,y\n1,2\n3,4", "a,y\r\n1,2\r\n3,4\r\n", "a,y\r\n1,2\r\n3,4",
        "\xEF\xBB\xBF"
        "a,y\n1,2\n3,4\n",
        "a,y\n1,2\n3,4\n\n", "a,y\n\n1,2\n\n\r\n3,4\n", "\na,y\n1,2\n3,4\n", "\"a\",\"y\"\n\"1\",2\n3,\"4\"\n",
        " a , y \n 1 ,\t2\n 3, 4 \n", "a,y\n1,2\n3,4\r", "a,y\n+1,2\n3.0e0,+4\n"}) {
    INFO(mt::detail::printable(text));
    const auto data = load(text);
    CHECK(features(data) == expected);
    CHECK(targets(data) == Floats{2, 4});
  }
}

TEST_CASE("quoted fields hold separators, quotes and line ends, and lines are still counted right") {
  const mt::CsvOptions options{.target = "y", .ignore = {"a \"big\", odd\nname"}};
  CHECK(features(load("\"a \"\"big\"\", odd\nname\",x,y\n\"one, two\n\"\"three\"\"\",5,6\n", options)) == Floats{5});
  CHECK(features(load("\"a \"\"big\"\", odd\nname\",x,y\n\"\",5,6\n", options)) == Floats{5});
  check_refused(ErrorCode::bad_number, "\"a \"\"big\"\", odd\nname\",x,y\n\"\r\n\r\n\",5,6\n,seven,8\n", options,
                "line 6:", "column 'x'", "'seven' is not a number");
}

TEST_CASE("a row with too few or too many fields is refused with line and both numbers") {
  check_refused(ErrorCode::ragged_row, "a,y\n1,2\n3\n", "line 3:", "expected 2 fields, got 1");
  check_refused(ErrorCode::ragged_row, "a,y\n1,2,\n", "line 2:", "expected 2 fields, got 3");
  check_refused(ErrorCode::ragged_row, "a,y\n1,5,2,5\n", "expected 2 fields, got 4");  // decimal commas
}

TEST_CASE("what is not a number is refused with line and column") {
  for (const char* const text :
       {"abc", "0x10", "1.5x", "1 2", "--1", "+-1", "++1", "+", "-", ".", "e5", "1e", "\"1,5\"", "1'000", "12,"}) {
    const std::string row = std::string(text) == "12," ? "\"12,\"" : text;
    INFO(text);
    check_refused(ErrorCode::bad_number, "a,y\n1,2\n" + row + ",2\n", "line 3:", "column 'a'", "is not a number");
  }
  check_refused(ErrorCode::bad_number, "a,y\n1,two\n", "line 2:", "column 'y'", "'two'");
  check_refused(ErrorCode::bad_number, "a,y\nna\xC3\xAFve,2\n", "'na\\xc3\\xafve'");
}

TEST_CASE("numbers past the range of float are refused, numbers next to zero are not") {
  for (const char* const text : {"1e999", "-1e999", "1e39", "-3.5e38"}) {
    check_refused(ErrorCode::bad_number, std::string("a,y\n") + text + ",2\n", "line 2:", "column 'a'", text,
                  "out of range");
  }
  const auto data = load("a,y\n1e-50,2\n-1e-45,2\n3.4028234e38,0.1\n");
  CHECK(features(data) == Floats{0, -0x1p-149f, 3.4028234e38f});
  CHECK(data.target(2) == 0.1f);
}

TEST_CASE("nan and inf are refused with line and column, or kept") {
  for (const char* const text : {"nan", "NaN", "-inf", "inf", "Infinity", "+inf"}) {
    check_refused(ErrorCode::non_finite, std::string("a,y\n1,") + text + "\n", "line 2:", "column 'y'", text);
  }
  const auto data = load("a,y\nnan,inf\n", {.target = "y", .non_finite = mt::NonFinite::keep});
  CHECK(std::isnan(data.feature(0, 0)));
  CHECK(std::isinf(data.target(0)));
}

TEST_CASE("an empty field is an error, or drops its row, or becomes the mean") {
  const std::string_view text = "t,a,y,b\nx,1,10,3\n,,20,4\nx,3,30,\nx,5,40,8\n";
  const auto options = [](mt::Missing missing) {
    return mt::CsvOptions{.target = "y", .ignore = {"t"}, .missing = missing};
  };
  check_refused(ErrorCode::bad_number, text, options(mt::Missing::error), "line 3:", "column 'a'", "empty");
  const auto dropped = load(text, options(mt::Missing::drop_row));
  CHECK(features(dropped) == Floats{1, 3, 5, 8});
  CHECK(targets(dropped) == Floats{10, 40});
  const auto filled = load(text, options(mt::Missing::fill_mean));
  CHECK(features(filled) == Floats{1, 3, 3, 4, 3, 5, 5, 8});
  CHECK(targets(filled) == Floats{10, 20, 30, 40});

  const mt::CsvOptions fill{.target = "y", .missing = mt::Missing::fill_mean};
  check_refused(ErrorCode::bad_number, "a,y\n1,\n", fill, "line 2:", "column 'y'", "target is missing");
  check_refused(ErrorCode::empty_data, "a,b,y\n1,,2\n1, ,2\n", fill, "line 2:", "column 'b'", "no number");
  check_refused(ErrorCode::empty_data, "a,y\n,1\n", {.target = "y", .missing = mt::Missing::drop_row}, "no rows");
}

TEST_CASE("a label outside of its range is refused with line, label and classes") {
  const mt::CsvOptions options{.target = "y", .classes = 3};
  const auto code = ErrorCode::label_out_of_range;
  check_refused(code, "a,y\n1,2\n1,3\n", options, "line 3:", "label 3", "3 classes", "0 to 2");
  check_refused(code, "a,y\n1,-1\n", options, "line 2:", "label -1", "number the classes from 0");
  check_refused(code, "a,y\n1,1\n1,-1\n", {.target = "y", .classes = 2}, "line 3:", "write 0 and 1 for -1 and 1");
  check_refused(code, "a,y\n1,99999999999\n", options, "label 99999999999");
  check_refused(ErrorCode::bad_number, "a,y\n1,1.5\n", options, "'1.5' is not a label");
  check_refused(ErrorCode::bad_number, "a,y\n1,1e30\n", options, "not a label");
  check_refused(ErrorCode::bad_number, "a,y\n1,1e-50\n", options, "not a label");
  check_refused(ErrorCode::bad_number, "a,y\n1,cat\n", options,
                "'cat' is not a number: number the classes from 0 to 2");
  check_refused(ErrorCode::bad_number, "a,y\n1,cat\n", "'cat' is not a number", "set CsvOptions::classes");
}

TEST_CASE("labels past 2^24 written as decimals are exact") {
  const auto data = load("a,y\n1,16777217.0\n2,+1.6777219e7\n", {.target = "y", .classes = 20'000'000});
  CHECK(data.label(0) == 16'777'217);
  CHECK(data.label(1) == 16'777'219);
}

TEST_CASE("what stands for a missing number follows the policy") {
  for (const std::string marker : {"NA", "?", "null", "NULL", "nan", "NaN", " NA "}) {
    INFO(marker);
    const std::string text = "a,y\n1,10\n" + marker + ",20\n3,30\n";
    const auto code = marker == "nan" || marker == "NaN" ? ErrorCode::non_finite : ErrorCode::bad_number;
    check_refused(code, text, "line 3:", "column 'a'", "choose Missing::drop_row or Missing::fill_mean");
    CHECK(features(load(text, {.target = "y", .missing = mt::Missing::drop_row})) == Floats{1, 3});
    CHECK(features(load(text, {.target = "y", .missing = mt::Missing::fill_mean})) == Floats{1, 2, 3});

    const std::string target = "a,y\n1,10\n2," + marker + "\n";
    CHECK(targets(load(target, {.target = "y", .missing = mt::Missing::drop_row})) == Floats{10});
    check_refused(ErrorCode::bad_number, target, {.target = "y", .missing = mt::Missing::fill_mean},
                  "line 3:", "target is missing");
  }
  check_refused(ErrorCode::bad_number, "a,y\nNAB,1\n", {.target = "y", .missing = mt::Missing::drop_row}, "'NAB'");
}

TEST_CASE("a target that is not named, the wrong separator and a missing header are told apart") {
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [] { load("a,\n1,2\n", {}); }, "CsvOptions::target is not set");
  const auto missing = ErrorCode::missing_column;
  check_refused(missing, "a;y\n1;2\n", "no column 'y'", "'a;y'", "set .separator = ';'");
  check_refused(missing, "a\ty\n1\t2\n", "set .separator = '\\t'");
  check_refused(missing, "a,y\n1,2\n", {.target = "y", .separator = ';'}, "set .separator = ','");
  check_refused(missing, "1;2\n", {.target = "1", .header = false}, "'1;2'", "set .separator = ';'");
  const mt::CsvOptions third{.target = "3"};
  const char* const message = "the first row holds numbers only: set .header = false";
  check_refused(ErrorCode::bad_header, "1,2,3\n4,5,6\n", third, "line 1:", message);
  check_refused(ErrorCode::bad_header, "1.5,1.5,+3e1\n4,5,6\n", third, message);  // not: two columns '1.5'
  // Names, if odd ones.
  CHECK(features(load("0,1,2\n4,5,6\n", {.target = "2"})) == Floats{4, 5});
  CHECK(features(load("1,2,y\n4,5,6\n")) == Floats{4, 5});
  CHECK(features(load("inf,nan,y\n4,5,6\n")) == Floats{4, 5});
}

TEST_CASE("columns are found by name, or the names that there are are listed") {
  check_refused(ErrorCode::missing_column, "a,b\n1,2\n", "no column 'y'", "'a', 'b'");
  check_refused(ErrorCode::missing_column, "a,y\n1,2\n", {.target = "y", .ignore = {"z"}}, "no column 'z'");
  check_refused(ErrorCode::missing_column, "1,2\n", {.target = "2", .header = false}, "'0', '1'");
  check_refused(ErrorCode::duplicate_key, "a,y,a\n1,2,3\n", "two columns 'a'");
  check_refused(ErrorCode::empty_data, "y\n1\n", "no column is left");
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [] { load("a,y\n1,2\n", {.target = "y", .ignore = {"y"}}); },
      "both target and ignored");
  for (const char separator : {'"', '\n', '.', '5', '-', '\0'}) {
    test::check_error<mt::OptionError>(
        ErrorCode::invalid_argument, [&] { load("a,y\n1,2\n", {.target = "y", .separator = separator}); }, "separator");
  }
}

TEST_CASE("a file without rows is refused") {
  for (const std::string_view text : {"", "\n", "\r\n\r\n", "\xEF\xBB\xBF"}) {
    check_refused(ErrorCode::empty_data, text, "empty");
  }
  check_refused(ErrorCode::empty_data, "a,y\n", "no rows of numbers");
}

TEST_CASE("quotes in the wrong place are refused with their line") {
  check_refused(ErrorCode::bad_number, "a,y\n1\"2,3\n", "line 2:", "a quote inside of an unquoted field");
  check_refused(ErrorCode::bad_number, "a,y\n\"1\"2,3\n", "line 2:", "text behind a closing quote");
  check_refused(ErrorCode::truncated, "a,y\n1,2\n\"3,4\n5,6\n", "line 3:", "inside of a quoted field");
  check_refused(ErrorCode::bad_number, "a,y\r1,2\r", "line 1:", "carriage return");
}

TEST_CASE("a line past the limit is refused before it fills the memory") {
  const std::string row = "a,y\n1," + std::string(200'000, '1') + "\n";
  const mt::CsvOptions small{.target = "y", .line_limit = 100'000};
  check_refused(ErrorCode::unsupported, row, small, "line 2:", "longer than 100000 bytes", "line_limit");
  check_refused(ErrorCode::unsupported, "a,y\n\"" + std::string(200'000, '\n'), small, "line 2:", "longer than");
  check_refused(ErrorCode::unsupported, "a,y\n1," + std::string(50, '0') + "\n", {.target = "y", .line_limit = 50},
                "line 2:");
  // A long one within the limit, longer than what is read at once.
  CHECK(load("a,y\n1," + std::string(200'000, '0') + "7\n").target(0) == 7);
  const std::string unclosed = "a,y\n\"" + std::string(std::size_t{17} << 20, 'x');
  check_refused(ErrorCode::unsupported, unclosed, "longer than 16777216 bytes");
}

TEST_CASE("binary files are refused at once") {
  std::string noise;
  const mt::Random random(1, mt::RandomPurpose::test);
  for (std::uint64_t i = 0; i < 100'000; ++i) noise += static_cast<char>(random.word(i));
  check_refused(ErrorCode::bad_number, noise, "line 1:");
  check_refused(ErrorCode::bad_number, std::string_view("a\0,y\n1,2\n", 9), "line 1:", "'\\x00'", "not a CSV file");
  check_refused(ErrorCode::bad_number, "a,y\n1,2\x01\n", "line 2:", "'\\x01'");
  check_refused(ErrorCode::bad_number, "a,y\n\"\x7F\",2\n", "line 2:", "'\\x7f'");
  check_refused(ErrorCode::bad_magic, "\x1F\x8B\x08", "file is gzip");
}

TEST_CASE("many rows, whatever the boundaries of what is read at once") {
  std::string text = "a,y\n";
  for (int i = 0; i < 40'000; ++i) text += std::to_string(i) + ",\"" + std::to_string(-i) + "\"\r\n";
  const auto data = load(text);
  REQUIRE(data.size() == 40'000);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < 40'000; ++i) {
    wrong += data.feature(i, 0) != static_cast<float>(i) || data.target(i) != -static_cast<float>(i);
  }
  CHECK(wrong == 0);
}

TEST_CASE("the locale does not change what a number is") {
  const char* const before = std::setlocale(LC_ALL, nullptr);
  const std::string saved = before;
  for (const char* const name : {"de_DE.UTF-8", "fr_FR.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) == nullptr) continue;
    CHECK(load("a,y\n1.5,2\n").feature(0, 0) == 1.5f);
  }
  std::setlocale(LC_ALL, saved.c_str());
}

TEST_CASE("files that are not there, and what is no file") {
  const auto code = ErrorCode::io_error;
  const auto open = [](const char* path) { return [path] { mt::load_csv(path, {.target = "y"}); }; };
  test::check_error<mt::DataError>(code, open("/nonexistent/x.csv"), "/nonexistent/x.csv", "No such file");
  test::check_error<mt::DataError>(code, open("/tmp"), "/tmp", "found a directory: name a file in it");
  test::check_error<mt::DataError>(code, open("/dev/zero"),
                                   "expected a regular file, found a character device: copy it");
}
