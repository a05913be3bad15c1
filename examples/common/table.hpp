#pragma once
// Table: numbers in named columns, for programs to read.

#include <minitrain/core/error.hpp>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace examples {

inline std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

/// As JSON has it, which knows no NaN and no infinity.
inline std::string json_number(double value) { return std::isfinite(value) ? number(value) : "null"; }

/// {"name": value, ...}
inline std::string json_object(const std::vector<std::pair<std::string, double>>& members) {
  std::string text;
  for (const auto& [name, value] : members)
    text += (text.empty() ? "{\"" : ", \"") + name + "\": " + json_number(value);
  return text + "}";
}

class Table {
 public:
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}
  void add(std::vector<double> row) { rows_.push_back(std::move(row)); }

  std::string csv() const {
    std::string text;
    for (const std::string& column : columns_) text += (text.empty() ? "" : ",") + column;
    text += '\n';
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) text += (i > 0 ? "," : "") + number(row[i]);
      text += '\n';
    }
    return text;
  }
  /// [{"column": value, ...}, ...]
  std::string json() const {
    std::string text;
    for (const auto& row : rows_) {
      std::vector<std::pair<std::string, double>> members;
      for (std::size_t i = 0; i < row.size(); ++i) members.emplace_back(columns_[i], row[i]);
      text += (text.empty() ? "[\n  " : ",\n  ") + json_object(members);
    }
    return text + "\n]";
  }

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<double>> rows_;
};

/// Throws minitrain::DataError (io_error) with the operating system's words.
inline void write_file(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr && std::fclose(file) != 0) written = false;
  if (!written) throw minitrain::DataError(minitrain::ErrorCode::io_error, path + ": " + std::strerror(errno));
}

}  // namespace examples
