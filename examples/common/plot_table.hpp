#pragma once
// print_plot(): the numbers of a plot as a table, for those who look at stdout and not at pictures.

#include "plots.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace examples {

/// "0.1234", four digits.
inline std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

namespace detail {

/// The median, or for "stderr" the mean, of those that got there; "-" where none did, and a * where not all did.
inline std::string middle_text(std::vector<double> values, const std::string& spread) {
  const std::size_t all = values.size();
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return "-";
  std::ranges::sort(values);
  const std::size_t n = values.size();
  double middle = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  if (spread == "stderr") {
    middle = 0;
    for (const double value : values) middle += value / static_cast<double>(n);
  }
  return rounded(middle) + (n < all ? "*" : "");
}

/// "mlp, momentum 0.9": numbers with the name of their column.
inline std::string line_name(const Results::Row& row, const std::vector<std::string>& columns) {
  std::string line;
  for (const std::string& column : columns) {
    const std::string value = Results::field(row, column);
    char* end = nullptr;
    std::strtod(value.c_str(), &end);
    const bool number = !value.empty() && *end == '\0';
    line += (line.empty() ? "" : ", ") + (number ? column + " " : "") + value;
  }
  return line;
}

}  // namespace detail

/// A row for each x, a column for each line of the plot.
inline void print_plot(const Plot& plot, const Results& results) {
  std::vector<std::string> lines;
  std::map<double, std::map<std::string, std::vector<double>>> cells;
  for (const Results::Row& row : results.rows()) {
    const auto outside = [&](const auto& pair) { return Results::field(row, pair.first) != pair.second; };
    if (row.metric != plot.y || std::ranges::any_of(plot.where, outside)) continue;
    const std::string line = detail::line_name(row, plot.series);
    if (std::ranges::find(lines, line) == lines.end()) lines.push_back(line);
    cells[std::strtod(Results::field(row, plot.x).c_str(), nullptr)][line].push_back(row.value);
  }
  std::printf("%s\n%s against %s\n", plot.title.c_str(), plot.y_label.c_str(), plot.x_label.c_str());
  std::printf("%12s", "");
  for (const std::string& line : lines) std::printf("  %*s", std::max(10, static_cast<int>(line.size())), line.c_str());
  std::printf("\n");
  for (const auto& [x, row] : cells) {
    std::printf("%12s", shortest(x).c_str());
    for (const std::string& line : lines) {
      const auto found = row.find(line);
      std::printf("  %*s", std::max(10, static_cast<int>(line.size())),
                  found == row.end() ? "" : detail::middle_text(found->second, plot.spread).c_str());
    }
    std::printf("\n");
  }
  std::printf("\n");
}

}  // namespace examples
