#pragma once
// medians(): a column of a sweep, with its repeats put together.

#include <minitrain/experiment/statistics.hpp>
#include <minitrain/experiment/sweep.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// The median of a metric over all points that have the same value on `axis`, for each of `values`, and agree with
/// `where`; NaN where one of them is.
inline std::vector<double> medians(const minitrain::Grid& grid, const minitrain::SweepResult& found,
                                   const std::string& metric, const std::string& axis,
                                   const std::vector<double>& values,
                                   const std::vector<std::pair<std::string, double>>& where = {}) {
  std::vector<double> result;
  for (const double value : values) {
    std::vector<double> repeats;
    bool there = true;
    for (std::size_t i = 0; i < grid.size(); ++i) {
      bool agrees = grid[i][axis] == value;
      for (const auto& [name, wanted] : where) agrees = agrees && grid[i][name] == wanted;
      if (!agrees) continue;
      repeats.push_back(found.value(i, metric));
      there = there && !std::isnan(repeats.back());
    }
    result.push_back(there ? minitrain::spread(repeats).median : std::numeric_limits<double>::quiet_NaN());
  }
  return result;
}

}  // namespace examples
