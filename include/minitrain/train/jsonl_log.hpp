#pragma once
// JsonlLog: a run as lines of JSON, for programs to read.

#include <minitrain/io/json.hpp>
#include <minitrain/train/metric_log.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// One object per line (https://jsonlines.org): begin, step, epoch, information, warning, end.
///
///   JsonlLog log{"metrics.jsonl", {.every_steps = 10}};
///   trainer.fit(train, test, {.observers = {&log}});
///
///   {"event":"step","step":10,"epoch":0,"samples":320,"loss":0.693,"learning_rate":0.001,"gradient_norm":null,"elapsed":0.02}
///
/// Numbers have as many digits as tell them from others; NaN and infinity, which JSON does not know, are null. See
/// MetricLog for how a run goes on with its file.
class JsonlLog final : public MetricLog {
 public:
  explicit JsonlLog(std::string path, MetricLogOptions options = {}) : MetricLog(std::move(path), std::move(options)) {}

 private:
  static constexpr std::string_view event_key = "{\"event\":\"", step_key = "\",\"step\":", epoch_key = ",\"epoch\":";

  std::string header() const override { return {}; }

  std::string format(const detail::MetricLine& line) const override {
    std::string text = joined({event_key, line.event, step_key, line.step, epoch_key, line.epoch});
    for (std::size_t i = 0; i < line.values.size(); ++i) {
      if (!line.values[i]) continue;
      const std::string number = detail::metric_text(static_cast<detail::Metric>(i), *line.values[i]);
      text += joined({",\"", detail::metric_names[i], "\":", number.empty() ? "null" : std::string_view(number)});
    }
    if (!line.text.empty()) {
      text += ",\"text\":";
      const bool utf8 = detail::io::utf8_length(line.text) == line.text.size();
      detail::io::append_json(text, utf8 ? std::string(line.text) : detail::io::shown(line.text));
    }
    return text += "}\n";
  }

  std::optional<detail::LinePosition> position_of(std::string_view line) const override {
    const auto take = [&](std::string_view wanted) {
      const bool there = line.starts_with(wanted);
      if (there) line.remove_prefix(wanted.size());
      return there;
    };
    if (!take(event_key)) return std::nullopt;
    const std::string_view event = line.substr(0, line.find('"'));
    line.remove_prefix(event.size());
    if (!take(step_key)) return std::nullopt;
    const auto step = detail::take_count(line);
    if (!step || !take(epoch_key)) return std::nullopt;
    const auto epoch = detail::take_count(line);
    if (!epoch) return std::nullopt;
    return detail::LinePosition{event, *step, *epoch};
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
