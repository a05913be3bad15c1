// libFuzzer target for all that reads a CSV file: whatever the bytes, load_csv makes a data set of what the options ask
// for or throws an error with a printable message; convert_csv makes the same data set or throws the same error;
// describe_csv and csv_size count the same rows.
//
//   clang++ -std=c++20 -O2 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude \
//     tests/fuzz/csv_fuzz.cpp -o csv_fuzz
//   ./csv_fuzz -dict=tests/fuzz/csv.dict -max_len=1024 -malloc_limit_mb=1 CORPUS tests/fuzz/csv_seeds
//
// The first two bytes of an input choose the options, the others are the file. All is compared with load_csv; with what
// of the others, the size's parity says, which an empty line at the end changes, and nothing else. Files lie in
// /dev/shm.

#include <minitrain/data/csv_convert.hpp>
#include <minitrain/data/csv_report.hpp>
#include <minitrain/data/csv_size.hpp>

#include <algorithm>
#include <optional>

#include "support.hpp"

namespace mt = minitrain;

namespace {

using fuzz::file_with;
using fuzz::require;

mt::CsvOptions options_of(std::uint8_t first, std::uint8_t second) {
  const bool header = (first & 64) == 0;
  const std::string y = header ? "y" : "1", t = header ? "t" : "0", z = header ? "z" : "2";
  mt::CsvOptions options{.target = y};
  options.missing = static_cast<mt::Missing>(first & 3);
  if ((first & 4) != 0) options.non_finite = mt::NonFinite::keep;
  if ((first & 8) != 0) options.classes = 3;
  if ((first & 16) != 0) options.ignore = {t};
  if ((first & 32) != 0) options.line_limit = 30;
  options.header = header;
  if ((first & 128) != 0) options.separator = ';';
  if ((second & 1) != 0) options.categorical.push_back({t});
  if ((second & 2) != 0 && (second & 1) != 0) options.categorical[0].as = mt::Categorical::integer;
  if ((second & 4) != 0) options.features = {z, t};
  if ((second & 8) != 0) options.target = {}, options.targets = {y, header ? "x" : "3"};
  if ((second & 16) != 0) options.categorical.push_back({y, mt::Categorical::integer});
  if ((second & 32) != 0) options.unknown = mt::UnknownCategory::none;
  if ((second & 64) != 0) options.category_limit = 2;
  if ((second & 128) != 0) options.encoding = {.categories = {{t, {"v", "u"}}}, .means = {{z, 0.25f}}};
  return options;
}

struct Failure {
  mt::ErrorCode code;
  std::string message;

  friend bool operator==(const Failure&, const Failure&) = default;
};

// Why f() failed, if it did; DataErrors name the file and are printable.
template <class F>
std::optional<Failure> failure_of(const std::string& path, F&& f) {
  try {
    f();
    return {};
  } catch (const mt::Error& error) {
    const std::string_view message = error.what();
    require(dynamic_cast<const mt::DataError*>(&error) == nullptr || message.starts_with(path + ": "));
    require(message.size() < 3000);
    require(std::all_of(message.begin(), message.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
    return Failure{error.code(), std::string(message)};
  }
}

void check(const mt::CsvTable& table, const mt::CsvOptions& options, std::size_t bytes) {
  const mt::Dataset& data = table.data;
  require(data.size() > 0 && data.size() <= bytes && data.feature_columns() == table.layout.features.size());
  require(data.classes() == table.layout.classes && (options.classes == 0 || data.classes() == options.classes));
  require((data.is_classification() ? 1 : data.target_columns()) == table.layout.targets.size());
  const bool finite = options.non_finite == mt::NonFinite::error;
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t j = 0; finite && j < data.feature_columns(); ++j)
      require(mt::detail::is_finite(data.feature(i, j)));
    for (std::size_t j = 0; finite && j < data.target_columns(); ++j) require(mt::detail::is_finite(data.target(i, j)));
    if (data.is_classification())
      require(data.label(i) >= 0 && static_cast<std::size_t>(data.label(i)) < data.classes());
  }
}

// describe_csv and csv_size read what load_csv reads, and count the same rows.
void check_report(const mt::CsvTable& table, const std::optional<Failure>& failure, const std::string& path,
                  const mt::CsvOptions& options) {
  mt::CsvReport report;
  const auto unreadable = failure_of(path, [&] { report = mt::describe_csv(path, options); });
  mt::CsvEstimate estimate;
  require(failure_of(path, [&] { estimate = mt::csv_size(path, options); }) == unreadable);
  if (!unreadable) require(estimate.exact && estimate.rows == report.rows && estimate.columns == report.columns.size());
  if (!failure) require(!unreadable && table.data.size() <= report.rows);
}

// The row file holds what was loaded, in every bit.
void check_same(const mt::CsvTable& table, const std::string& path) {
  const mt::Dataset rows = mt::open_row_file(path, {.non_finite = mt::NonFinite::keep});
  require(rows.size() == table.data.size() && rows.shape() == table.data.shape());
  require(mt::row_file_layout(path) == table.layout);
  const auto same = [](float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0; };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < rows.feature_columns(); ++j)
      require(same(rows.feature(i, j), table.data.feature(i, j)));
    for (std::size_t j = 0; j < rows.target_columns(); ++j) require(same(rows.target(i, j), table.data.target(i, j)));
    if (rows.is_classification()) require(rows.label(i) == table.data.label(i));
  }
}

// convert_csv writes what load_csv loads, or fails as it does and leaves no file.
void check_converted(const mt::CsvTable& table, const std::optional<Failure>& failure, const std::string& path,
                     const mt::CsvOptions& options) {
  static const std::string row_file = path + ".rows";
  if (failure && failure->code == mt::ErrorCode::invalid_argument) return;
  std::uint64_t rows = 0;
  try {
    rows = mt::convert_csv(path, row_file, options);
  } catch (const mt::DataError& error) {
    const std::string_view message = error.what();
    const bool names = message.find("is not UTF-8") != message.npos;  // which load_csv takes
    require(names || (failure && failure->code == error.code() && failure->message == message));
    require(!mt::detail::file_exists(row_file));
    return;
  }
  require(!failure && rows == table.data.size());
  check_same(table, row_file);
  require(::unlink(row_file.c_str()) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const mt::CsvOptions options = options_of(data[0], data[1]);
  const std::string& path = file_with(data + 2, size - 2);
  mt::CsvTable table;
  const auto failure = failure_of(path, [&] { table = mt::load_csv_table(path, options); });
  if (!failure) check(table, options, size);
  if (size % 2 == 0) {
    check_report(table, failure, path, options);
  } else {
    check_converted(table, failure, path, options);
  }
  return 0;
}
