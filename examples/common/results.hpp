#pragma once
// Results: what an experiment measured, in long form: a row for every value, columns that say which run it was of.

#include <minitrain/core/error.hpp>

#include "json.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// Which run it was: {{"model", "mlp"}, {"batch_size", "32"}, {"seed", "0"}}. Its names are columns of results.csv.
using Key = std::vector<std::pair<std::string, std::string>>;

/// A field of CSV (RFC 4180): between quotes where it has to be.
inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

class Results {
 public:
  /// NaN: not reached.
  void add(const Key& key, const std::string& metric, double value) {
    for (const auto& [name, text] : key) {
      if (name.empty() || name == "metric" || name == "value") {
        throw std::logic_error("results: a key column cannot be called '" + name + "'");
      }
      if (std::ranges::find(columns_, name) == columns_.end()) columns_.push_back(name);
    }
    metrics_.insert(metric);
    rows_.push_back({key, metric, value});
  }
  bool empty() const { return rows_.empty(); }
  bool has_column(const std::string& name) const { return std::ranges::find(columns_, name) != columns_.end(); }
  bool has_metric(const std::string& name) const { return metrics_.contains(name); }

  /// Key columns in the order in which they first came, then metric and value. What a key does not name is empty, and a
  /// value that is NaN is the words "not reached".
  std::string csv() const {
    std::string text;
    for (const std::string& column : columns_) text += csv_field(column) + ",";
    text += "metric,value\n";
    for (const Row& row : rows_) {
      for (const std::string& column : columns_) {
        const auto found = std::ranges::find(row.key, column, &Key::value_type::first);
        text += (found == row.key.end() ? "" : csv_field(found->second)) + ",";
      }
      text += csv_field(row.metric) + "," + (std::isnan(row.value) ? "not reached" : shortest(row.value)) + "\n";
    }
    return text;
  }

 private:
  struct Row {
    Key key;
    std::string metric;
    double value;
  };
  std::vector<std::string> columns_;
  std::set<std::string> metrics_;
  std::vector<Row> rows_;
};

}  // namespace examples
