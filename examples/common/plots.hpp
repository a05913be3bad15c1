#pragma once
// Plot: a picture that tools/plot is to draw from results.csv.

#include "results.hpp"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// A theory, drawn as a dashed line.
struct Curve {
  std::string label;
  std::vector<double> x, y;
};

/// A metric against a key column. A line for each combination of what the columns in `series` hold; a point is the
/// middle of the runs that differ in the other columns, seeds mostly, and the bars are their spread.
struct Plot {
  std::string file, title;  // "time_per_step" makes time_per_step.png and time_per_step.svg
  std::string x, x_label;   // a key column of numbers; labels have their units: "batch size (samples)"
  bool x_log = true;
  std::string y, y_label;  // a metric
  bool y_log = false;
  std::vector<std::string> series = {};                         // key columns
  std::vector<std::pair<std::string, std::string>> where = {};  // only rows with these key values
  std::string spread = "range";  // "range": median, smallest to largest; "stderr": mean and its standard error; "none"
  bool lines = true;             // join the points
  std::vector<Curve> theory = {};  // beside them
};

/// Throws std::logic_error for a plot that cannot be drawn from `results`.
inline void check(const Plot& plot, const Results& results) {
  const auto fail = [&](const std::string& what) { throw std::logic_error("plot " + plot.file + ": " + what); };
  if (plot.file.empty() || plot.file.find('/') != std::string::npos) fail("wanted a file name without its ending");
  if (!results.has_metric(plot.y)) fail("no value was added for the metric '" + plot.y + "'");
  std::vector<std::string> columns = plot.series;
  columns.push_back(plot.x);
  for (const auto& [name, value] : plot.where) columns.push_back(name);
  for (const std::string& column : columns) {
    if (!results.has_column(column)) fail("no value was added with the key '" + column + "'");
  }
  if (plot.spread != "range" && plot.spread != "stderr" && plot.spread != "none") {
    fail("spread is '" + plot.spread + "', not range, stderr or none");
  }
  for (const Curve& curve : plot.theory) {
    if (curve.x.size() != curve.y.size()) fail("the curve '" + curve.label + "' has not as many x as y");
  }
}

inline std::string plot_json(const Plot& plot) {
  const auto curve = [](const Curve& c) {
    return json::object({{"label", json::text(c.label)}, {"x", json::numbers(c.x)}, {"y", json::numbers(c.y)}});
  };
  return json::object({{"file", json::text(plot.file)},
                       {"title", json::text(plot.title)},
                       {"x", json::text(plot.x)},
                       {"x_label", json::text(plot.x_label)},
                       {"x_log", json::truth(plot.x_log)},
                       {"y", json::text(plot.y)},
                       {"y_label", json::text(plot.y_label)},
                       {"y_log", json::truth(plot.y_log)},
                       {"series", json::texts(plot.series)},
                       {"where", json::pairs(plot.where)},
                       {"spread", json::text(plot.spread)},
                       {"lines", json::truth(plot.lines)},
                       {"theory", json::list(plot.theory, curve)}});
}

}  // namespace examples
