#pragma once
// describe_csv: what is in the columns of a CSV file, before anything is made of them.

#include <minitrain/data/csv_text.hpp>

#include <functional>
#include <unordered_set>

namespace minitrain::inline MINITRAIN_ABI {

/// What all values of a column are, those that are missing aside.
enum class CsvKind {
  empty,    // there are none
  boolean,  // 0 and 1, or words: true, false, yes, no, t, f, y, n
  integer,  // whole numbers written without point or exponent
  real,     // numbers
  text,     // anything else
};

constexpr std::string_view to_string(CsvKind kind) noexcept {
  constexpr std::string_view words[] = {"empty", "boolean", "integer", "real", "text"};
  return words[static_cast<std::size_t>(kind)];
}

struct CsvColumnReport {
  std::string name;
  CsvKind kind = CsvKind::empty;
  std::uint64_t missing = 0;          // rows in which it is
  std::uint64_t distinct = 0;         // different texts, counted up to CsvReport::distinct_limit
  std::uint64_t numbers = 0;          // rows in which it is a finite number, and over these
  double min = 0, max = 0, mean = 0;  // 0 when there are none
};

struct CsvReport {
  static constexpr std::size_t distinct_limit = 1000;

  std::string path;
  std::uint64_t rows = 0;
  std::vector<CsvColumnReport> columns;
};

namespace detail {

/// The values of one column, one after another.
class CsvColumnTally {
 public:
  void add(std::string_view text) {
    if (is_missing(text, Missing::drop_row)) {  // nan too
      ++report.missing;
      return;
    }
    // A hash of 64 bits for the text: two of a thousand agree once in 4·10^13 columns.
    if (texts_.size() < CsvReport::distinct_limit) texts_.insert(std::hash<std::string_view>{}(text));
    double value = 0;
    const std::string_view digits = without_plus(text);
    const std::errc error = parse_number(digits, value);
    const bool number = error != std::errc::invalid_argument;
    const bool whole = number && digits.find_first_not_of("0123456789", digits[0] == '-' ? 1 : 0) == digits.npos;
    boolean_ = boolean_ && (text == "0" || text == "1" || is_word(text));
    integer_ = integer_ && whole;
    real_ = real_ && number;
    some_ = true;
    if (error != std::errc()) return;  // no number, or too large
    if (const char first = digits[digits[0] == '-' ? 1 : 0]; first != '.' && (first < '0' || first > '9'))
      return;  // inf
    report.min = report.numbers == 0 ? value : std::min(report.min, value);
    report.max = report.numbers == 0 ? value : std::max(report.max, value);
    report.mean += (value - report.mean) / static_cast<double>(++report.numbers);
  }
  CsvColumnReport result() && {
    report.kind = !some_     ? CsvKind::empty
                  : boolean_ ? CsvKind::boolean
                  : integer_ ? CsvKind::integer
                  : real_    ? CsvKind::real
                             : CsvKind::text;
    report.distinct = texts_.size();
    return std::move(report);
  }

  CsvColumnReport report;

 private:
  static bool is_word(std::string_view text) noexcept {
    std::array<char, 5> lower{};
    if (text.size() > lower.size()) return false;
    std::transform(text.begin(), text.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const std::string_view word(lower.data(), text.size());
    const std::string_view words[] = {"true", "false", "yes", "no", "t", "f", "y", "n"};
    return std::find(std::begin(words), std::end(words), word) != std::end(words);
  }

  bool some_ = false, boolean_ = true, integer_ = true, real_ = true;
  std::unordered_set<std::uint64_t> texts_;
};

/// The cells of a table with a space between columns, those of the first column to the left and others to the right.
inline std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t j = 0; j < row.size(); ++j) widths[j] = std::max(widths[j], row[j].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t j = 0; j < row.size(); ++j) {
      const std::string blanks(widths[j] - row[j].size(), ' ');
      text += j == 0 ? row[j] + blanks : "  " + blanks + row[j];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

/// Six digits of it.
inline std::string six_digits(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6).ptr};
}

}  // namespace detail

/// For every column: what kind of values it has, how many are missing, how many differ, and least, greatest and mean
/// number, from one reading of the whole file that holds one record at a time. Of the options it takes header,
/// separator and line_limit. Throws OptionError for a separator that cannot be one; DataError as load_csv does for
/// what is no CSV file, rows of uneven length among it; any text is right.
///
///   std::cout << to_string(describe_csv("housing.csv"));
inline CsvReport describe_csv(const std::string& path, const CsvOptions& options = {}) {
  detail::check_separator(options, "describe_csv");
  detail::CsvReader reader(path, options.separator, options.line_limit);
  const std::vector<std::string> names = detail::read_csv_names(reader, options.header);
  std::vector<detail::CsvColumnTally> tallies(names.size());
  CsvReport report;
  report.path = path;
  for (bool more = options.header ? reader.next() : true; more; more = reader.next()) {
    detail::check_csv_fields(reader, names.size());
    for (std::size_t i = 0; i < names.size(); ++i) tallies[i].add(detail::trimmed(reader[i]));
    ++report.rows;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    report.columns.push_back(std::move(tallies[i]).result());
    report.columns.back().name = names[i];
  }
  return report;
}

/// A line of words, one of headings and one for each column; names are made printable.
inline std::string to_string(const CsvReport& report) {
  std::vector<std::vector<std::string>> rows{{"column", "kind", "missing", "distinct", "min", "mean", "max"}};
  for (const CsvColumnReport& column : report.columns) {
    const bool numbers = column.numbers != 0;
    rows.push_back({detail::printable(column.name), std::string(to_string(column.kind)), std::to_string(column.missing),
                    (column.distinct == CsvReport::distinct_limit ? ">= " : "") + std::to_string(column.distinct),
                    numbers ? detail::six_digits(column.min) : "", numbers ? detail::six_digits(column.mean) : "",
                    numbers ? detail::six_digits(column.max) : ""});
  }
  return detail::printable(report.path) + ": " + std::to_string(report.rows) + " rows, " +
         std::to_string(report.columns.size()) + " columns\n" + detail::aligned(rows);
}

}  // namespace minitrain::inline MINITRAIN_ABI
