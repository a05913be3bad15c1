#pragma once
// SweepResult: what a sweep has measured. Include sweep.hpp, not this file.

#include <minitrain/core/error.hpp>
#include <minitrain/io/text.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// The values of all metrics at all points of a grid.
struct SweepResult {
  std::vector<std::string> metrics;
  std::vector<std::vector<double>> rows;  // [point][metric], NaN where one was not reached; an empty row: not done

  /// Whether every point was done.
  bool complete() const {
    return std::ranges::none_of(rows, [](const auto& row) { return row.empty(); });
  }
  /// How many were.
  std::size_t done() const {
    return static_cast<std::size_t>(std::ranges::count_if(rows, [](const auto& row) { return !row.empty(); }));
  }
  /// NaN at a point that was not done. Throws OptionError: no such metric or point.
  double value(std::size_t point, std::string_view metric) const {
    if (point >= rows.size()) throw OptionError({"SweepResult: no point ", point, ": there are ", rows.size()});
    return value_in(rows[point], place_of(metric));
  }
  /// A value of each point, as value() gives it. Throws OptionError: no such metric.
  std::vector<double> column(std::string_view metric) const {
    const std::size_t place = place_of(metric);
    std::vector<double> values;
    for (const auto& row : rows) values.push_back(value_in(row, place));
    return values;
  }

 private:
  static double value_in(const std::vector<double>& row, std::size_t place) {
    return place < row.size() ? row[place] : std::numeric_limits<double>::quiet_NaN();
  }
  std::size_t place_of(std::string_view metric) const {
    const auto place = std::ranges::find(metrics, metric);
    if (place != metrics.end()) return static_cast<std::size_t>(place - metrics.begin());
    std::string all;
    for (const std::string& known : metrics) all += (all.empty() ? "" : ", ") + detail::io::shown(known);
    throw OptionError({"SweepResult: no metric ", detail::io::quoted(metric), ": there are ", all});
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
