#pragma once
// CsvRows: the rows of a CSV file as numbers, one after another.

#include <minitrain/data/csv_columns.hpp>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// Reads a file once, from its first row to its last: to learn its categories and means, or, with all of them known,
/// to make numbers of it. Holds one record and what it has learnt.
class CsvRows {
 public:
  enum class Purpose { learn, make };

  /// Throws what CsvReader, read_csv_names and CsvPlanner throw.
  CsvRows(const std::string& path, const CsvOptions& options, Purpose purpose)
      : options_(options),
        learning_(purpose == Purpose::learn),
        reader_(path, options.separator, options.line_limit),
        names_(read_csv_names(reader_, options.header)),
        columns_(CsvPlanner(reader_, names_, options).plan()),
        at_row_(!options.header) {
    if (!columns_.targets.empty() && columns_.targets[0].is_text()) classes_ = columns_.targets[0].codes.size();
    if (options.classes != 0) classes_ = options.classes;
  }

  /// Whether the file has to be read to learn from it first.
  bool has_to_learn() const noexcept { return columns_.learn(); }

  /// Appends the next row to features and targets, or labels; false when there is none.
  bool next(DatasetParts& parts) {
    do {
      if (!std::exchange(at_row_, false) && !reader_.next()) return false;
      check_csv_fields(reader_, names_.size());
    } while (options_.missing == Missing::drop_row && misses());
    for (CsvColumn& column : columns_.features) add_feature(column, parts.features);
    for (CsvColumn& column : columns_.targets) add_target(column, parts);
    ++parts.samples;
    return true;
  }

  [[noreturn]] void fail_no_rows() const {
    fail_file(ErrorCode::empty_data, reader_.path(), "no rows of numbers: give at least one complete row");
  }

  /// What was known and what has been learnt from all rows. Throws DataError (empty_data) for a column of text without
  /// any.
  CsvEncoding encoding() const {
    CsvEncoding result = options_.encoding;
    result.features.clear();
    for (const CsvColumn& column : columns_.features) result.features.push_back(column.name);
    for (const auto* columns : {&columns_.features, &columns_.targets}) {
      for (const CsvColumn& column : *columns) {
        if (!column.learns) continue;
        if (column.is_text()) {
          if (column.codes.empty()) {
            fail_file(ErrorCode::empty_data, reader_.path(),
                      "column " + in_quotes(column.name) + " has no text to learn categories from: ignore it");
          }
          CsvCategories categories{column.name, {}};
          for (const auto& [text, code] : column.codes) categories.names.push_back(text);  // sorted
          result.categories.push_back(std::move(categories));
        } else if (column.count > 0) {
          result.means.push_back({column.name, static_cast<float>(column.sum / column.count)});
        }
      }
    }
    return result;
  }

  std::size_t classes() const noexcept { return classes_; }

  /// The columns that next() makes; a one-hot column is called "column=category".
  RowLayout layout() const {
    RowLayout layout{.classes = classes_};
    for (const CsvColumn& column : columns_.features) {
      if (column.as != CsvColumn::As::one_hot) {
        layout.features.push_back(column.name);
      } else {
        for (const std::string& category : column.categories()) layout.features.push_back(column.name + "=" + category);
      }
    }
    for (const CsvColumn& column : columns_.targets) {
      layout.targets.push_back(column.name);
      if (column.is_text()) layout.class_names = column.categories();
    }
    return layout;
  }

 private:
  std::string_view text_of(const CsvColumn& column) const noexcept { return trimmed(reader_[column.field]); }

  bool misses() const {
    const auto missing = [&](const CsvColumn& column) { return is_missing(text_of(column), options_.missing); };
    return std::any_of(columns_.features.begin(), columns_.features.end(), missing) ||
           std::any_of(columns_.targets.begin(), columns_.targets.end(), missing);
  }

  void add_feature(CsvColumn& column, std::vector<float>& out) {
    const std::string_view text = text_of(column);
    const bool missing = is_missing(text, options_.missing);
    if (missing && options_.missing == Missing::error) fail_missing(column, text);
    if (column.is_text()) {
      const std::int32_t code = missing ? fail_or_none(column, text) : category(column, text);
      if (column.as == CsvColumn::As::integer) {
        out.push_back(static_cast<float>(code));
      } else if (!learning_) {
        out.resize(out.size() + column.codes.size());
        if (code >= 0) *(out.end() - static_cast<std::ptrdiff_t>(column.codes.size()) + code) = 1;
      }
    } else if (missing) {
      out.push_back(stand_in(column));
    } else {
      out.push_back(number(column, text));
      if (learning_ && is_finite(out.back())) {
        column.sum += static_cast<double>(out.back());
        column.count += 1;
      }
    }
  }

  void add_target(CsvColumn& column, DatasetParts& parts) {
    const std::string_view text = text_of(column);
    if (is_missing(text, options_.missing)) fail_missing(column, text);
    if (column.as == CsvColumn::As::number) {
      parts.targets.push_back(number(column, text));
    } else {
      parts.labels.push_back(column.is_text() ? category(column, text) : label(column, text));
    }
  }

  /// What stands for a missing number.
  float stand_in(const CsvColumn& column) const {
    if (learning_) return 0;
    if (options_.missing == Missing::fill_value) return options_.fill;
    if (!column.mean) {
      fail_field(ErrorCode::empty_data, column, "the column has no number to take the mean of: ignore it");
    }
    return *column.mean;
  }

  /// The number of a category; a new one has none yet, and any will do.
  std::int32_t category(CsvColumn& column, std::string_view text) {
    if (const auto at = column.codes.find(text); at != column.codes.end()) return at->second;
    if (!learning_ || !column.learns) return fail_or_none(column, text);
    if (column.codes.size() == options_.category_limit) {
      fail_field(ErrorCode::unsupported, column,
                 "more than " + std::to_string(options_.category_limit) +
                     " categories: ignore the column, or raise CsvOptions::category_limit");
    }
    column.codes.emplace(text, 0);
    return 0;
  }

  /// -1, for a category that is not known, where that is allowed.
  std::int32_t fail_or_none(const CsvColumn& column, std::string_view text) const {
    const bool answer = column.as == CsvColumn::As::class_name;
    if (!answer && options_.unknown == UnknownCategory::none) return -1;
    std::string known;
    for (const std::string& name : column.categories()) known += (known.empty() ? "" : ", ") + in_quotes(name);
    if (is_missing(text, options_.missing)) {
      fail_field(ErrorCode::bad_number, column,
                 (text.empty() ? "empty" : in_quotes(text) + " is a missing category") +
                     ", and text has no mean: choose Missing::drop_row or UnknownCategory::none");
    }
    fail_field(ErrorCode::label_out_of_range, column,
               in_quotes(text) + (answer ? " is none of the classes " : " is none of the categories ") +
                   known.substr(0, 1000) +
                   (answer ? ": correct it, or train on it too" : ": correct it, or choose UnknownCategory::none"));
  }

  [[noreturn]] void fail_field(ErrorCode code, const CsvColumn& column, const std::string& message) const {
    reader_.fail(code, reader_.line(), "column " + in_quotes(column.name) + ": " + message);
  }
  [[noreturn]] void fail_missing(const CsvColumn& column, std::string_view text) const {
    const bool target =
        &column >= columns_.targets.data() && &column < columns_.targets.data() + columns_.targets.size();
    const std::string found =
        text.empty() ? "empty" : in_quotes(text) + " is a missing " + (column.is_text() ? "category" : "number");
    fail_field(ErrorCode::bad_number, column,
               target             ? found + ", the target is missing: complete the file, or choose Missing::drop_row"
               : column.is_text() ? found + ": choose Missing::drop_row, or ignore the column"
                                  : found + ": choose Missing::drop_row or Missing::fill_mean, or ignore the column");
  }

  /// A sign in front is allowed, hexadecimal and anything behind are not.
  float number(const CsvColumn& column, std::string_view text) const {
    const std::string_view digits = without_plus(text);
    float value = 0;
    auto error = parse_number(digits, value);
    if (error == std::errc::result_out_of_range) {
      // Too small for float is zero or close to it; too large is an error.
      double wide = 0;
      error = parse_number(digits, wide);
      value = static_cast<float>(wide);
      if (error != std::errc() || !(wide > -1 && wide < 1)) {
        fail_field(ErrorCode::bad_number, column, in_quotes(text) + " is out of range: numbers are stored as float");
      }
    }
    if (error != std::errc()) fail_field(ErrorCode::bad_number, column, in_quotes(text) + what_to_do(column));
    if (options_.non_finite == NonFinite::error && !is_finite(value)) {
      fail_field(ErrorCode::non_finite, column,
                 in_quotes(text) + " is not finite: remove it, " +
                     (is_nan_text(text) ? "choose Missing::drop_row or Missing::fill_mean, " : "") +
                     "or ask for NonFinite::keep");
    }
    return value;
  }
  std::string what_to_do(const CsvColumn& column) const {
    if (column.as == CsvColumn::As::label) {
      return " is not a number: number the classes from 0 to " + std::to_string(classes_ - 1) +
             " in the file, or name the column in CsvOptions::categorical";
    }
    if (columns_.targets.size() == 1 && &column == columns_.targets.data()) {
      return " is not a number: correct it, number the classes and set CsvOptions::classes, or name the column in "
             "CsvOptions::categorical";
    }
    return " is not a number: correct it, ignore the column, or name it in CsvOptions::categorical";
  }

  /// A whole number; "7.0" is one.
  std::int32_t label(const CsvColumn& column, std::string_view text) const {
    std::int64_t value = 0;
    if (parse_number(text, value) != std::errc()) {
      number(column, text);  // for its errors
      double real = 0;
      const auto error = parse_number(without_plus(text), real);
      if (error != std::errc() || !(real > -1e15 && real < 1e15) ||
          real != static_cast<double>(static_cast<std::int64_t>(real))) {
        fail_field(
            ErrorCode::bad_number, column,
            in_quotes(text) + " is not a label: labels are whole numbers, here 0 to " + std::to_string(classes_ - 1));
      }
      value = static_cast<std::int64_t>(real);
    }
    if (value < 0 || static_cast<std::uint64_t>(value) >= classes_ ||
        value > std::numeric_limits<std::int32_t>::max()) {
      fail_field(ErrorCode::label_out_of_range, column, label_message(value, classes_));
    }
    return static_cast<std::int32_t>(value);
  }

  const CsvOptions& options_;
  bool learning_;
  CsvReader reader_;
  std::vector<std::string> names_;
  CsvColumns columns_;
  bool at_row_;  // the current record is a row that next() has yet to make
  std::size_t classes_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail
