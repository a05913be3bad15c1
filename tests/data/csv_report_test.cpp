// What is in a file, and how large it is, before it is loaded.

#include <minitrain/data/csv.hpp>
#include <minitrain/data/csv_report.hpp>
#include <minitrain/data/csv_size.hpp>

#include "data/support.hpp"

namespace mt = minitrain;
using mt::CsvKind;
using mt::ErrorCode;

namespace {

mt::CsvReport describe(std::string_view text, const mt::CsvOptions& options = {}) {
  const test::TemporaryFile file(text);
  return mt::describe_csv(file.path(), options);
}
mt::CsvEstimate size_of(std::string_view text, const mt::CsvOptions& options = {}) {
  const test::TemporaryFile file(text);
  return mt::csv_size(file.path(), options);
}

template <class... Part>
void check_refused(ErrorCode code, std::string_view text, const mt::CsvOptions& options, const Part&... parts) {
  test::check_error<mt::DataError>(
      code, [&] { describe(text, options); }, parts...);
  test::check_error<mt::DataError>(
      code, [&] { size_of(text, options); }, parts...);
}

}  // namespace

TEST_CASE("a report says of each column what it holds") {
  const auto report = describe(
      "id,price,sea,sold,blank,flag,big\n"
      "1,2.5,near,yes,,0,1e999\n"
      "+2,-1e1,\"in, land\",no,NA,1,2\n"
      "-3,nan,near,,?,1,inf\n"
      "4,4,near,YES,null,0,0\n");
  CHECK(report.rows == 4);
  REQUIRE(report.columns.size() == 7);
  const auto kind = [&](std::size_t i) { return report.columns[i].kind; };
  CHECK(kind(0) == CsvKind::integer);
  CHECK(kind(1) == CsvKind::real);
  CHECK(kind(2) == CsvKind::text);
  CHECK(kind(3) == CsvKind::boolean);
  CHECK(kind(4) == CsvKind::empty);
  CHECK(kind(5) == CsvKind::boolean);
  CHECK(kind(6) == CsvKind::real);

  const auto& price = report.columns[1];
  CHECK(price.name == "price");
  CHECK(price.missing == 1);
  CHECK(price.distinct == 3);
  CHECK(price.numbers == 3);
  CHECK(price.min == -10);
  CHECK(price.max == 4);
  CHECK(price.mean == test::Approx(-3.5 / 3));
  CHECK(report.columns[2].distinct == 2);
  CHECK(report.columns[2].numbers == 0);
  CHECK(report.columns[3].missing == 1);
  CHECK(report.columns[3].distinct == 3);  // texts, not meanings
  CHECK(report.columns[4].missing == 4);
  CHECK(report.columns[4].distinct == 0);
  CHECK(report.columns[5].mean == 0.5);
  CHECK(report.columns[6].numbers == 2);  // neither infinity nor what no double holds
  CHECK(report.columns[6].max == 2);
}

TEST_CASE("kinds, one value at a time") {
  const auto kind = [](const std::string& value) { return describe("a,b\n" + value + ",1\n").columns[0].kind; };
  for (const char* const text : {"0", "1", "true", "False", "Y", "no"}) CHECK(kind(text) == CsvKind::boolean);
  for (const char* const text : {"2", "-1", "+7", "00", "123456789012345678901234567890"})
    CHECK(kind(text) == CsvKind::integer);
  for (const char* const text : {"1.", ".5", "-.5", "1e3", "-inf", "1e999"}) CHECK(kind(text) == CsvKind::real);
  for (const char* const text : {"x", "0x10", "1 2", "-", "+", "truely", "1,5", "--1", "NAN1"})
    CHECK(kind("\"" + std::string(text) + "\"") == CsvKind::text);
  for (const char* const text : {"", " ", "NA", "nan"}) CHECK(kind(text) == CsvKind::empty);
}

TEST_CASE("different values are counted up to a limit") {
  std::string text = "a,b\n";
  for (int i = 0; i < 1500; ++i) text += std::to_string(i) + "," + std::to_string(i % 999) + "\n";
  const auto report = describe(text);
  CHECK(report.columns[0].distinct == mt::CsvReport::distinct_limit);
  CHECK(report.columns[1].distinct == 999);
  CHECK_THAT(to_string(report), test::ContainsSubstring(">= 1000"));
}

TEST_CASE("a report as a table") {
  auto report = describe("price,s\n2,near\n,\"b\xC3\xA4y\"\n4,\n");
  report.path = "houses.csv";
  CHECK(to_string(report) ==
        "houses.csv: 3 rows, 2 columns\n"
        "column     kind  missing  distinct  min  mean  max\n"
        "price   integer        1         2    2     3    4\n"
        "s          text        1         2\n");
  const auto rowless = describe("a\xC3\xA4,b\n");
  CHECK(rowless.rows == 0);
  CHECK_THAT(to_string(rowless), test::ContainsSubstring("a\\xc3\\xa4"));
}

TEST_CASE("a report of a file without names, with another separator") {
  const auto report = describe("1;x\n2;y\n", {.header = false, .separator = ';'});
  CHECK(report.rows == 2);
  CHECK(report.columns[0].name == "0");
  CHECK(report.columns[1].kind == CsvKind::text);
}

TEST_CASE("a small file's size is exact") {
  for (const std::string_view text :
       {"a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4", "\n\na,b\n1,2\n\n3,4\n\n", "a,b\nx,\"\n\"\n,y"}) {
    INFO(text);
    const auto size = size_of(text);
    CHECK(size.exact);
    CHECK(size.rows == 2);
    CHECK(size.columns == 2);
    CHECK(size.bytes == text.size());
  }
  CHECK(size_of("a,b\n").rows == 0);
  CHECK(size_of("1,2\n3,4\n", {.header = false}).rows == 2);
}

TEST_CASE("a large file's size is estimated from its first MiB") {
  std::string text = "number,another\n";
  std::uint64_t rows = 0;
  for (; text.size() < std::size_t{3} << 20; ++rows) text += std::to_string(rows * 7919 % 100'000) + ",1\n";
  auto size = size_of(text);
  CHECK(!size.exact);
  CHECK(size.columns == 2);
  CHECK(size.bytes == text.size());
  CHECK(static_cast<double>(size.rows) == test::Approx(static_cast<double>(rows)).epsilon(0.01));
  size = size_of(text.substr(text.find('\n') + 1), {.header = false});
  CHECK(static_cast<double>(size.rows) == test::Approx(static_cast<double>(rows)).epsilon(0.01));
  // One record longer than what is read, and names that are.
  const std::string longer(std::size_t{2} << 20, 'x');
  size = size_of("a,b\n1,2\n" + longer + ",4\n");
  CHECK(size.rows == 2);
  CHECK(size.exact);
  size = size_of(longer + ",b\n1,2\n3,4\n");
  CHECK(size.rows == 2);
  CHECK(size.columns == 2);
}

TEST_CASE("the size of a file is that of the data set it will be") {
  const test::TemporaryFile file("a,b,c,y\n1,x,3,4\n5,z,7,8\n9,x,1,2\n");
  for (mt::CsvOptions options :
       {mt::CsvOptions{.target = "y", .ignore = {"b"}}, mt::CsvOptions{.targets = {"y", "a"}, .features = {"c"}},
        mt::CsvOptions{.target = "y", .classes = 9, .ignore = {"b", "c"}},
        mt::CsvOptions{.target = "y", .categorical = {{"b", mt::Categorical::one_hot}}},
        mt::CsvOptions{.target = "y", .categorical = {{"b", mt::Categorical::integer}}}}) {
    options.encoding = mt::learn_csv(file.path(), options);
    const mt::DataSize size = mt::size_of(mt::csv_size(file.path(), options), options);
    const mt::Dataset data = mt::load_csv(file.path(), options);
    CHECK(size.samples == data.size());
    CHECK(size.shape == data.shape());
    CHECK(size.memory_bytes() == data.bytes());
  }
}

TEST_CASE("what is no CSV file is refused by report and size too") {
  check_refused(ErrorCode::empty_data, "", {}, "empty");
  check_refused(ErrorCode::ragged_row, "a,b\n1,2\n3\n", {}, "line 3:", "expected 2 fields, got 1");
  check_refused(ErrorCode::bad_magic, "\x1F\x8B\x08", {}, "gzip");
  check_refused(ErrorCode::bad_header, "1,2\n3,4\n", {}, "set .header = false");
  check_refused(ErrorCode::duplicate_key, "a,a\n3,4\n", {}, "two columns 'a'");
  check_refused(ErrorCode::bad_number, "a,b\n1,\x01\n", {}, "line 2:", "'\\x01'");
  check_refused(ErrorCode::unsupported, "a,b\n1,222222222222\n", {.line_limit = 8}, "line 2:", "line_limit");
  test::check_error<mt::DataError>(
      ErrorCode::io_error, [] { mt::csv_size("/nonexistent.csv"); }, "/nonexistent.csv", "No such file");
  test::check_error<mt::DataError>(
      ErrorCode::io_error, [] { mt::describe_csv("/nonexistent.csv"); }, "/nonexistent.csv", "No such file");
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [] { mt::csv_size("/nonexistent.csv", {.separator = '.'}); }, "csv_size: separator");
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [] { mt::describe_csv("/nonexistent.csv", {.separator = '"'}); },
      "describe_csv: separator");
}
