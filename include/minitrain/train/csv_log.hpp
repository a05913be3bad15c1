#pragma once
// CsvLog: a run as a table, for spreadsheets and data frames.

#include <minitrain/train/metric_log.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// One row per event, after a header with the names of the columns; fields are empty where an event does not have the
/// number or it is not finite. RFC 4180: fields with commas, quotes or line breaks are quoted, rows end with CR LF.
///
///   CsvLog log{"metrics.csv", {.every_steps = 10}};
///   trainer.fit(train, test, {.observers = {&log}});
///
/// See MetricLog for how a run goes on with its file.
class CsvLog final : public MetricLog {
 public:
  explicit CsvLog(std::string path, MetricLogOptions options = {}) : MetricLog(std::move(path), std::move(options)) {}

 private:
  std::string header() const override {
    std::string text = "event,step,epoch";
    for (const std::string_view name : detail::metric_names) text += joined({",", name});
    return text += ",text\r\n";
  }
  std::string format(const detail::MetricLine& line) const override {
    std::string text = joined({line.event, ",", line.step, ",", line.epoch});
    for (std::size_t i = 0; i < line.values.size(); ++i) {
      text += ',';
      if (line.values[i]) text += detail::metric_text(static_cast<detail::Metric>(i), *line.values[i]);
    }
    text += ',';
    const bool quoted = line.text.find_first_of(",\"\r\n") != std::string_view::npos;
    if (quoted) text += '"';
    for (const char c : line.text) {
      if (c == '"') text += '"';
      text += c == '\n' || c == '\r' ? ' ' : c;  // so that a row is one line
    }
    if (quoted) text += '"';
    return text += "\r\n";
  }

  std::optional<detail::LinePosition> position_of(std::string_view line) const override {
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) return std::nullopt;
    const std::string_view event = line.substr(0, comma);
    line.remove_prefix(comma + 1);
    const auto step = detail::take_count(line);
    if (!step || !line.starts_with(',')) return std::nullopt;
    line.remove_prefix(1);
    const auto epoch = detail::take_count(line);
    if (!epoch || !line.starts_with(',')) return std::nullopt;
    return detail::LinePosition{event, *step, *epoch};
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
