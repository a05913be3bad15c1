#pragma once
// load_csv: a table of numbers with a header as a Dataset.

#include <minitrain/data/csv_reader.hpp>
#include <minitrain/data/dataset.hpp>

#include <charconv>
#include <limits>

namespace minitrain::inline MINITRAIN_ABI {

/// What to do about a missing number: an empty field, NA, ?, null or NULL; also nan, unless it is an error.
enum class Missing {
  error,      // refuse the file, naming line and column
  drop_row,   // leave out the row
  fill_mean,  // features: the mean of the column's other numbers; a missing target is still an error
};

struct CsvOptions {
  std::string target = {};               // name of the column with the answers; must be set
  std::size_t classes = 0;               // 0: the answers are numbers; else labels from 0 to classes - 1
  std::vector<std::string> ignore = {};  // names of columns to leave out, such as text
  Missing missing = Missing::error;
  NonFinite non_finite = NonFinite::error;  // for fields that say inf, or nan when that is not missing
  bool header = true;                       // false: no line of names; columns are called "0", "1", ...
  char separator = ',';
  std::size_t line_limit = std::size_t{16} << 20;  // longest line in bytes, line ends in quotes included
};

namespace detail {

class CsvLoader {
 public:
  CsvLoader(const std::string& path, const CsvOptions& options)
      : options_(options), reader_(path, options.separator, options.line_limit) {
    parts_.classes = options.classes;
    parts_.non_finite = options.non_finite;
  }

  Dataset load() {
    if (!reader_.next()) fail_file(ErrorCode::empty_data, reader_.path(), "empty: give a header and at least one row");
    read_names();
    bool more = options_.header ? reader_.next() : true;
    for (; more; more = reader_.next()) read_row();
    if (parts_.samples == 0) {
      fail_file(ErrorCode::empty_data, reader_.path(), "no rows of numbers: give at least one complete row");
    }
    fill_missing();
    return Dataset(std::move(parts_));
  }

 private:
  enum class Role { feature, target, ignored };

  static std::string quoted(std::string_view text) { return "'" + printable(text) + "'"; }

  void read_names() {
    for (std::size_t i = 0; i < reader_.size(); ++i) {
      names_.push_back(options_.header ? std::string(trim(reader_[i])) : std::to_string(i));
    }
    check_header();
    roles_.assign(names_.size(), Role::feature);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (std::count(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(i), names_[i]) != 0) {
        reader_.fail(ErrorCode::duplicate_key, reader_.line(), "two columns " + quoted(names_[i]) + ": rename one");
      }
    }
    roles_[find(options_.target)] = Role::target;
    for (const std::string& name : options_.ignore) {
      Role& role = roles_[find(name)];
      if (role == Role::target) throw OptionError({"load_csv: ", quoted(name), " is both target and ignored"});
      role = Role::ignored;
    }
    if (std::count(roles_.begin(), roles_.end(), Role::feature) == 0) {
      reader_.fail(ErrorCode::empty_data, reader_.line(), "no column is left for features: ignore fewer");
    }
  }

  /// Refuses a row of numbers where names should be, except the names 0, 1, 2, ... that other programs write.
  void check_header() const {
    bool numbers = options_.header, counting = true;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::string_view text = unsigned_part(names_[i]);
      double value = 0;
      numbers = numbers && text.find_first_of("0123456789") != text.npos && parse(text, value) == std::errc();
      counting = counting && names_[i] == std::to_string(i);
    }
    if (numbers && !counting) {
      reader_.fail(ErrorCode::bad_header, reader_.line(),
                   "the first row holds numbers only: set .header = false, or give the columns names");
    }
  }

  std::size_t find(const std::string& name) const {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at != names_.end()) return static_cast<std::size_t>(at - names_.begin());
    if (reader_.size() == 1) {
      for (const char separator : {';', '\t', ',', '|'}) {
        if (reader_[0].find(separator) == std::string_view::npos) continue;
        reader_.fail(ErrorCode::missing_column, reader_.line(),
                     "no column " + quoted(name) + ", but one field " + quoted(reader_[0]) + ": set .separator = '" +
                         (separator == '\t' ? "\\t" : std::string(1, separator)) + "'");
      }
    }
    std::string known;
    for (const std::string& other : names_) known += (known.empty() ? "" : ", ") + quoted(other);
    reader_.fail(ErrorCode::missing_column, reader_.line(),
                 "no column " + quoted(name) + ": name one of " + known.substr(0, 1000));
  }

  void read_row() {
    if (reader_.size() != names_.size()) {
      reader_.fail(ErrorCode::ragged_row, reader_.line(),
                   "expected " + std::to_string(names_.size()) + " fields, got " + std::to_string(reader_.size()));
    }
    if (options_.missing == Missing::drop_row && has_missing()) return;
    for (std::size_t column = 0; column < names_.size(); ++column) {
      if (roles_[column] == Role::ignored) continue;
      const std::string_view text = trim(reader_[column]);
      if (roles_[column] == Role::target) {
        if (is_missing(text)) fail_missing(column, text);
        if (options_.classes != 0) {
          parts_.labels.push_back(label(column, text));
        } else {
          parts_.targets.push_back(number(column, text));
        }
      } else if (is_missing(text) && options_.missing == Missing::fill_mean) {
        missing_.push_back(parts_.features.size());
        parts_.features.push_back(0);
      } else {
        if (is_missing(text)) fail_missing(column, text);
        parts_.features.push_back(number(column, text));
      }
    }
    ++parts_.samples;
  }

  bool is_missing(std::string_view text) const {
    for (const std::string_view marker : {"", "NA", "?", "null", "NULL"}) {
      if (text == marker) return true;
    }
    return options_.missing != Missing::error && is_nan(text);
  }
  static bool is_nan(std::string_view text) { return text == "nan" || text == "NaN" || text == "NAN"; }

  bool has_missing() const {
    for (std::size_t column = 0; column < names_.size(); ++column) {
      if (roles_[column] != Role::ignored && is_missing(trim(reader_[column]))) return true;
    }
    return false;
  }

  static std::string_view trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
  }

  [[noreturn]] void fail_field(ErrorCode code, std::size_t column, const std::string& message) const {
    reader_.fail(code, reader_.line(), "column " + quoted(names_[column]) + ": " + message);
  }
  [[noreturn]] void fail_missing(std::size_t column, std::string_view text) const {
    const std::string found = text.empty() ? "empty" : quoted(text) + " is a missing number";
    fail_field(ErrorCode::bad_number, column,
               roles_[column] == Role::target
                   ? found + ", the target is missing: complete the file, or choose Missing::drop_row"
                   : found + ": choose Missing::drop_row or Missing::fill_mean, or ignore the column");
  }

  static std::string_view unsigned_part(std::string_view text) {
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
    return text;
  }
  /// Correctly rounded, whatever the locale; all of the text must be the number.
  template <class T>
  static std::errc parse(std::string_view text, T& value) {
    const char* const end = text.data() + text.size();
    const auto [ptr, error] = std::from_chars(text.data(), end, value);
    return ptr == end ? error : std::errc::invalid_argument;
  }

  /// A sign in front is allowed, hexadecimal and anything behind are not.
  float number(std::size_t column, std::string_view text) const {
    const std::string_view digits = unsigned_part(text);
    float value = 0;
    auto error = parse(digits, value);
    if (error == std::errc::result_out_of_range) {
      // Too small for float is zero or close to it; too large is an error.
      double wide = 0;
      error = parse(digits, wide);
      value = static_cast<float>(wide);
      if (error != std::errc() || !(wide > -1 && wide < 1)) {
        fail_field(ErrorCode::bad_number, column, quoted(text) + " is out of range: numbers are stored as float");
      }
    }
    if (error != std::errc()) fail_field(ErrorCode::bad_number, column, quoted(text) + what_to_do(column));
    if (options_.non_finite == NonFinite::error && !is_finite(value)) {
      fail_field(ErrorCode::non_finite, column,
                 quoted(text) + " is not finite: remove it, " +
                     (is_nan(text) ? "choose Missing::drop_row or Missing::fill_mean, " : "") +
                     "or ask for NonFinite::keep");
    }
    return value;
  }
  std::string what_to_do(std::size_t column) const {
    if (roles_[column] == Role::feature) return " is not a number: correct it, or ignore the column";
    if (options_.classes == 0) return " is not a number: correct it, or number the classes and set CsvOptions::classes";
    return " is not a number: number the classes from 0 to " + std::to_string(options_.classes - 1) + " in the file";
  }

  /// A whole number; "7.0" is one.
  std::int32_t label(std::size_t column, std::string_view text) const {
    std::int64_t value = 0;
    if (parse(text, value) != std::errc()) {
      number(column, text);  // for its errors
      double real = 0;
      const auto error = parse(unsigned_part(text), real);
      if (error != std::errc() || !(real > -1e15 && real < 1e15) ||
          real != static_cast<double>(static_cast<std::int64_t>(real))) {
        fail_field(ErrorCode::bad_number, column,
                   quoted(text) + " is not a label: labels are whole numbers, here 0 to " +
                       std::to_string(options_.classes - 1));
      }
      value = static_cast<std::int64_t>(real);
    }
    if (value < 0 || static_cast<std::uint64_t>(value) >= options_.classes ||
        value > std::numeric_limits<std::int32_t>::max()) {
      fail_field(ErrorCode::label_out_of_range, column, label_message(value, options_.classes));
    }
    return static_cast<std::int32_t>(value);
  }

  /// Means over the numbers that are there and finite, summed in double from the first row to the last.
  void fill_missing() {
    if (missing_.empty()) return;
    const std::size_t columns = parts_.features.size() / parts_.samples;
    std::vector<double> sums(columns), counts(columns);
    auto next = missing_.begin();
    for (std::size_t i = 0; i < parts_.features.size(); ++i) {
      if (next != missing_.end() && *next == i) {
        ++next;
      } else if (is_finite(parts_.features[i])) {
        sums[i % columns] += static_cast<double>(parts_.features[i]);
        counts[i % columns] += 1;
      }
    }
    for (const std::size_t i : missing_) {
      const std::size_t column = i % columns;
      if (counts[column] == 0) {
        fail_file(ErrorCode::empty_data, reader_.path(),
                  "feature column " + std::to_string(column) + " has no number to take the mean of: ignore it");
      }
      parts_.features[i] = static_cast<float>(sums[column] / counts[column]);
    }
  }

  const CsvOptions& options_;
  CsvReader reader_;
  std::vector<std::string> names_;
  std::vector<Role> roles_;
  DatasetParts parts_;
  std::vector<std::size_t> missing_;  // places in parts_.features, ascending
};

}  // namespace detail

/// Rows of numbers from a CSV file (RFC 4180) with one target column; all columns but it and those ignored are
/// features, in their order.
///
///   load_csv("housing.csv", {.target = "median_house_value", .ignore = {"ocean_proximity"},
///                            .missing = Missing::fill_mean})
///
/// Throws OptionError when no target is named and for a separator that is a quote, line end or part of a number;
/// DataError, with line and column: io_error, bad_magic (gzip), bad_header, missing_column, duplicate_key, ragged_row,
/// bad_number (text, empty, out of range, binary), non_finite, label_out_of_range, unsupported (line_limit), truncated
/// (open quote), empty_data.
inline Dataset load_csv(const std::string& path, const CsvOptions& options) {
  if (options.target.empty()) {
    throw OptionError("load_csv: CsvOptions::target is not set: name the column to predict");
  }
  if (options.separator == '\0' ||
      std::string_view("\"\r\n.+-0123456789").find(options.separator) != std::string::npos) {
    throw OptionError({"load_csv: separator '", detail::printable({&options.separator, 1}),
                       "': ask for a comma, semicolon, tab or the like"});
  }
  return detail::CsvLoader(path, options).load();
}

}  // namespace minitrain::inline MINITRAIN_ABI
