#pragma once
// write_csv(): a data set as text, to read it again.

#include <minitrain/data/dataset.hpp>

#include "write_file.hpp"

#include <charconv>
#include <string>

namespace examples {

/// Of a regression with one target: a header, and a line for each sample. Throws minitrain::DataError (io_error).
inline void write_csv(const std::string& path, const minitrain::Dataset& data) {
  std::string text;
  for (std::size_t j = 0; j < data.feature_columns(); ++j) text += "x" + std::to_string(j) + ",";
  text += "y\n";
  char number[32];
  const auto add = [&](float value, char after) {
    text.append(number, std::to_chars(number, number + sizeof number, value).ptr);
    text += after;
  };
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t j = 0; j < data.feature_columns(); ++j) add(data.feature(i, j), ',');
    add(data.target(i), '\n');
  }
  write_file(path, text);
}

}  // namespace examples
