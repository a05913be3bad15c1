#pragma once
// What the text of a CSV field may be: missing, a number, the name of a column.

#include <minitrain/data/csv_options.hpp>
#include <minitrain/data/csv_reader.hpp>

#include <charconv>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// Without blanks at the ends.
inline std::string_view trimmed(std::string_view text) noexcept {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

inline bool is_nan_text(std::string_view text) noexcept { return text == "nan" || text == "NaN" || text == "NAN"; }

/// Whether it stands for a value that is not there.
inline bool is_missing(std::string_view text, Missing policy) noexcept {
  if (text.size() > 4) return false;
  if (text.empty()) return true;
  if (text[0] < 'A' && text[0] != '?') return false;  // digits, signs: nearly all there is
  return text == "NA" || text == "?" || text == "null" || text == "NULL" ||
         (policy != Missing::error && is_nan_text(text));
}

inline std::string_view without_plus(std::string_view text) noexcept {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

/// Correctly rounded, whatever the locale; all of the text must be the number.
template <class T>
std::errc parse_number(std::string_view text, T& value) noexcept {
  const char* const end = text.data() + text.size();
  const auto [ptr, error] = std::from_chars(text.data(), end, value);
  return ptr == end ? error : std::errc::invalid_argument;
}

/// Refuses a row of numbers where names should be, except the names 0, 1, 2, ... that other programs write.
inline void check_csv_header(const CsvReader& reader, const std::vector<std::string>& names) {
  bool numbers = true, counting = true;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view text = without_plus(names[i]);
    double value = 0;
    numbers = numbers && text.find_first_of("0123456789") != text.npos && parse_number(text, value) == std::errc();
    counting = counting && names[i] == std::to_string(i);
  }
  if (numbers && !counting) {
    reader.fail(ErrorCode::bad_header, reader.line(),
                "the first row holds numbers only: set .header = false, or give the columns names");
  }
}

/// Reads the first record: the names of the columns, or, without a header, the first of the rows. Throws DataError:
/// empty_data, bad_header, duplicate_key.
inline std::vector<std::string> read_csv_names(CsvReader& reader, bool header) {
  if (!reader.next()) fail_file(ErrorCode::empty_data, reader.path(), "empty: give a header and at least one row");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    names.push_back(header ? std::string(trimmed(reader[i])) : std::to_string(i));
  }
  if (!header) return names;
  check_csv_header(reader, names);
  std::vector<std::string_view> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end()) {
    reader.fail(ErrorCode::duplicate_key, reader.line(), "two columns " + in_quotes(*twice) + ": rename one");
  }
  return names;
}

/// Throws DataError (ragged_row) unless the record has a field for each column.
inline void check_csv_fields(const CsvReader& reader, std::size_t columns) {
  if (reader.size() == columns) return;
  reader.fail(ErrorCode::ragged_row, reader.line(),
              "expected " + std::to_string(columns) + " fields, got " + std::to_string(reader.size()));
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail
