#pragma once
// CsvOptions: which columns of a CSV file are features and answers, and what becomes of text and of what is missing.

#include <minitrain/data/dataset_parts.hpp>
#include <minitrain/data/input_file.hpp>

#include <limits>
#include <string_view>

namespace minitrain::inline MINITRAIN_ABI {

/// What to do about a missing value: an empty field, NA, ?, null or NULL; also nan, unless it is an error.
enum class Missing {
  error,       // refuse the file, naming line and column
  drop_row,    // leave out the row
  fill_mean,   // features: the mean of the column's other numbers; a missing target is still an error
  fill_value,  // features: CsvOptions::fill; a missing target is still an error
};

/// What becomes of a column of text. Category i is the i-th of the column's different texts, in the order of their
/// bytes.
enum class Categorical {
  integer,  // one column that holds i
  one_hot,  // one column for each category, 1 in column i and 0 in the others; of a target, either is class i
};

/// What to do about a text that is none of the categories, or missing and not to be dropped.
enum class UnknownCategory {
  error,  // refuse the file, naming line, column and text
  none,   // features: -1, or 0 in every column; an unknown class is still an error
};

/// A column of text, and what to make of it.
struct CategoricalColumn {
  std::string column;
  Categorical as = Categorical::one_hot;
};

/// The categories of a column: names[i] is category i.
struct CsvCategories {
  std::string column;
  std::vector<std::string> names;

  friend bool operator==(const CsvCategories&, const CsvCategories&) = default;
};

/// What stands for a missing number of a column under Missing::fill_mean.
struct CsvMean {
  std::string column;
  float mean = 0;

  friend bool operator==(const CsvMean&, const CsvMean&) = default;
};

/// What was learnt from one file and another has to be read with: a test set with the columns, categories and means of
/// the training set. Made by load_csv_table or learn_csv, or by hand, for categories in an order of their own.
struct CsvEncoding {
  std::vector<CsvCategories> categories = {};
  std::vector<CsvMean> means = {};
  std::vector<std::string> features = {};  // names of the columns, in the order in which a model knows them

  friend bool operator==(const CsvEncoding&, const CsvEncoding&) = default;
};

struct CsvOptions {
  std::string target = {};                          // name of the column with the answers; must be set, or
  std::vector<std::string> targets = {};            // of several, all numbers, in this order
  std::size_t classes = 0;                          // 0: the answers are numbers; else labels from 0 to classes - 1
  std::vector<std::string> ignore = {};             // names of columns to leave out, such as text; or
  std::vector<std::string> features = {};           // of those to take, and no others, in this order
  std::vector<CategoricalColumn> categorical = {};  // columns of text; among them the target, if its classes have names
  std::size_t category_limit = 1000;                // most categories of a column: more are names rather
  UnknownCategory unknown = UnknownCategory::error;
  CsvEncoding encoding = {};  // of the training set; what it says nothing of is learnt from the file
  Missing missing = Missing::error;
  float fill = 0;                           // for Missing::fill_value
  NonFinite non_finite = NonFinite::error;  // for fields that say inf, or nan when that is not missing
  bool header = true;                       // false: no line of names; columns are called "0", "1", ...
  char separator = ',';
  std::size_t line_limit = std::size_t{16} << 20;  // longest line in bytes, line ends in quotes included
};

namespace detail {

inline std::string in_quotes(std::string_view text) { return "'" + printable(text) + "'"; }

/// The columns with the answers.
inline std::vector<std::string> target_names(const CsvOptions& options) {
  return options.target.empty() ? options.targets : std::vector{options.target};
}

/// For all that reads a CSV file; `who` opens the message.
inline void check_separator(const CsvOptions& options, const char* who) {
  if (options.separator != '\0' &&
      std::string_view("\"\r\n.+-0123456789").find(options.separator) == std::string_view::npos) {
    return;
  }
  throw OptionError(
      {who, ": separator '", printable({&options.separator, 1}), "': ask for a comma, semicolon, tab or the like"});
}

/// Throws OptionError for what no file can make right.
inline void check_csv_options(const CsvOptions& options, const char* who) {
  check_separator(options, who);
  const auto refuse = [who](std::initializer_list<TextPiece> what) { throw OptionError({who, ": ", joined(what)}); };
  if (options.target.empty() && options.targets.empty()) {
    refuse({"CsvOptions::target is not set: name the column to predict"});
  }
  if (!options.target.empty() && !options.targets.empty()) {
    refuse({"CsvOptions::target and targets are both set: name the columns to predict in one of them"});
  }
  if (!options.ignore.empty() && !options.features.empty()) {
    refuse({"CsvOptions::ignore and features are both set: name the columns to leave out, or those to take"});
  }
  const std::vector<std::string> targets = target_names(options);
  if (targets.size() > 1 && options.classes != 0) {
    refuse({"CsvOptions::classes is ", options.classes, ", but there are ", targets.size(),
            " targets: labels are in one column"});
  }
  if (!is_finite(options.fill) && options.non_finite == NonFinite::error && options.missing == Missing::fill_value) {
    refuse({"CsvOptions::fill is ", decimal(options.fill), ": give a finite number, or ask for NonFinite::keep"});
  }
  for (const CategoricalColumn& categorical : options.categorical) {
    const std::string& column = categorical.column;
    if (std::find(targets.begin(), targets.end(), column) == targets.end()) continue;
    if (targets.size() > 1) {
      refuse(
          {"the categorical target ", in_quotes(column), " is one of several: name no other, or number its classes"});
    }
    if (options.classes != 0) {
      refuse({"CsvOptions::classes is ", options.classes, ", but the target ", in_quotes(column),
              " is categorical: leave it at 0, its classes are counted"});
    }
  }
}

}  // namespace detail

}  // namespace minitrain::inline MINITRAIN_ABI
