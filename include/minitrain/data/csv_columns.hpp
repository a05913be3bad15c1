#pragma once
// CsvColumns: what the columns of a CSV file are for, from their names and the options.

#include <minitrain/data/csv_text.hpp>
#include <minitrain/data/row_layout.hpp>

#include <map>
#include <optional>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// A column that is read, and what has been learnt of it.
struct CsvColumn {
  enum class As { number, label, integer, one_hot, class_name };

  std::size_t field = 0;  // in the record, from 0
  std::string name;
  As as = As::number;
  bool learns = false;                                          // its categories, or its mean, from this file
  std::map<std::string, std::int32_t, std::less<>> codes = {};  // of the categories
  std::optional<float> mean = {};
  double sum = 0, count = 0;  // of the finite numbers so far, from the first row to the last

  bool is_text() const noexcept { return as == As::integer || as == As::one_hot || as == As::class_name; }
  /// By number.
  std::vector<std::string> categories() const {
    std::vector<std::string> names(codes.size());
    for (const auto& [text, code] : codes) names[static_cast<std::size_t>(code)] = text;
    return names;
  }
};

/// The features and targets among the columns, in the order in which a row holds them.
struct CsvColumns {
  std::vector<CsvColumn> features, targets;

  /// Whether something has to be learnt from the file before its rows can be made.
  bool learn() const noexcept {
    const auto learns = [](const CsvColumn& column) { return column.learns; };
    return std::any_of(features.begin(), features.end(), learns) || std::any_of(targets.begin(), targets.end(), learns);
  }
};

/// Finds them by the names in the options.
class CsvPlanner {
 public:
  /// `reader` stands at the first record.
  CsvPlanner(const CsvReader& reader, const std::vector<std::string>& names, const CsvOptions& options)
      : reader_(reader), names_(names), options_(options), roles_(names.size(), Role::unused) {}

  /// Throws DataError: missing_column, empty_data when no feature is left; OptionError for a column that is to be two
  /// things.
  CsvColumns plan() && {
    CsvColumns columns;
    for (const std::string& name : target_names(options_)) {
      columns.targets.push_back(column(take(name, Role::target), true));
    }
    for (const std::string& name : options_.ignore) take(name, Role::ignored);
    const std::vector<std::string>& wanted = options_.features.empty() ? options_.encoding.features : options_.features;
    for (const std::string& name : wanted) {
      columns.features.push_back(column(take(name, Role::feature), false));
    }
    for (std::size_t i = 0; i < names_.size() && wanted.empty(); ++i) {
      if (roles_[i] == Role::unused) columns.features.push_back(column(i, false));
    }
    if (columns.features.empty()) {
      reader_.fail(ErrorCode::empty_data, reader_.line(), "no column is left for features: ignore fewer");
    }
    check_categorical();
    return columns;
  }

 private:
  enum class Role { unused, feature, target, ignored };

  static const char* word(Role role) noexcept {
    return role == Role::target ? "target" : role == Role::feature ? "feature" : "ignored";
  }

  /// The field of the column, which had no role before.
  std::size_t take(const std::string& name, Role role) {
    const std::size_t field = find(name);
    const Role before = std::exchange(roles_[field], role);
    if (before != Role::unused && !(before == Role::ignored && role == Role::ignored)) {
      throw OptionError(
          {"load_csv: ", in_quotes(name), " is both ", word(before), " and ", word(role), ": name it once"});
    }
    return field;
  }

  void check_categorical() const {
    const auto& all = options_.categorical;
    for (std::size_t i = 0; i < all.size(); ++i) {
      find(all[i].column);
      for (std::size_t j = 0; j < i; ++j) {
        if (all[j].column != all[i].column) continue;
        throw OptionError({"load_csv: ", in_quotes(all[i].column), " is categorical twice: name it once"});
      }
    }
  }

  std::size_t find(const std::string& name) const {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at != names_.end()) return static_cast<std::size_t>(at - names_.begin());
    if (reader_.size() == 1) {
      for (const char separator : {';', '\t', ',', '|'}) {
        if (reader_[0].find(separator) == std::string_view::npos) continue;
        reader_.fail(ErrorCode::missing_column, reader_.line(),
                     "no column " + in_quotes(name) + ", but one field " + in_quotes(reader_[0]) +
                         ": set .separator = '" + (separator == '\t' ? "\\t" : std::string(1, separator)) + "'");
      }
    }
    std::string known;
    for (const std::string& other : names_) known += (known.empty() ? "" : ", ") + in_quotes(other);
    reader_.fail(ErrorCode::missing_column, reader_.line(),
                 "no column " + in_quotes(name) + ": name one of " + known.substr(0, 1000));
  }

  CsvColumn column(std::size_t field, bool target) const {
    using As = CsvColumn::As;
    CsvColumn column{.field = field, .name = names_[field]};
    const auto named = [&](const auto& other) { return other.column == column.name; };
    const auto& wanted = options_.categorical;
    if (const auto at = std::find_if(wanted.begin(), wanted.end(), named); at != wanted.end()) {
      column.as = target ? As::class_name : at->as == Categorical::one_hot ? As::one_hot : As::integer;
      const auto& known = options_.encoding.categories;
      const auto found = std::find_if(known.begin(), known.end(), named);
      column.learns = found == known.end();
      if (!column.learns) use(*found, column);
    } else if (target) {
      column.as = options_.classes != 0 ? As::label : As::number;
    } else if (options_.missing == Missing::fill_mean) {
      const auto& known = options_.encoding.means;
      const auto found = std::find_if(known.begin(), known.end(), named);
      column.learns = found == known.end();
      if (!column.learns) use(*found, column);
    }
    return column;
  }

  static void use(const CsvCategories& categories, CsvColumn& column) {
    for (const std::string& name : categories.names) {
      const auto code = static_cast<std::int32_t>(column.codes.size());
      if (column.codes.emplace(name, code).second) continue;
      throw OptionError({"CsvEncoding: column ", in_quotes(column.name), " has the category ", in_quotes(name),
                         " twice: name it once"});
    }
    if (column.codes.empty()) {
      throw OptionError({"CsvEncoding: column ", in_quotes(column.name),
                         " has no categories: name them, or let load_csv "
                         "find them"});
    }
  }

  static void use(const CsvMean& known, CsvColumn& column) {
    if (!is_finite(known.mean)) {
      throw OptionError({"CsvEncoding: the mean of column ", in_quotes(column.name), " is ", decimal(known.mean),
                         ": give a finite number"});
    }
    column.mean = known.mean;
  }

  const CsvReader& reader_;
  const std::vector<std::string>& names_;
  const CsvOptions& options_;
  std::vector<Role> roles_;
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail
