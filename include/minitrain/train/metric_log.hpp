#pragma once
// MetricLog: what JsonlLog and CsvLog share. Include jsonl_log.hpp or csv_log.hpp, not this file.

#include <minitrain/io/growing_file.hpp>
#include <minitrain/train/callbacks.hpp>
#include <minitrain/train/status_name.hpp>
#include <minitrain/train/step_count.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>

namespace minitrain::inline MINITRAIN_ABI {

struct MetricLogOptions {
  std::size_t every_steps = 100;  // a line for step 100, 200, ...; 0: none, and the log does not hear of steps
  double flush_seconds = 5;       // lines wait in memory at most as long as this, and until the next line
  /// Called when lines could not be written after the run had begun, which goes on; the next lines are tried again.
  std::function<void(Severity, std::string_view)> on_message{};
};

namespace detail {

/// The numbers of a line, in the order in which they are written.
enum class Metric {
  samples,              // of the epoch, done so far
  loss,                 // of a step: mean over its batch; of an epoch: over its samples
  accuracy,             // of the epoch, while training
  validation_loss,      //
  validation_accuracy,  //
  batch_size,           //
  learning_rate,        // of the step, or the last one
  gradient_norm,        //
  noise_scale,          //
  elapsed,              // seconds since this fit() began
  epoch_seconds,        //
  samples_per_second
};

inline constexpr std::array<std::string_view, 12> metric_names{
    "samples",       "loss",          "accuracy",    "validation_loss", "validation_accuracy", "batch_size",
    "learning_rate", "gradient_norm", "noise_scale", "elapsed",         "epoch_seconds",       "samples_per_second"};

/// A line of a log. `event` is begin, step, epoch, information, warning or end.
struct MetricLine {
  std::string_view event;
  std::size_t step = 0;  // optimizer steps done, over the trainer's life
  std::size_t epoch = 0;
  std::array<std::optional<double>, metric_names.size()> values{};  // those that the event has; NaN: not known
  std::string_view text{};                                          // of begin, information, warning and end

  std::optional<double>& operator[](Metric metric) { return values[static_cast<std::size_t>(metric)]; }
};

/// Where a line that was written stands in the run.
struct LinePosition {
  std::string_view event;
  std::size_t step = 0, epoch = 0;
};

/// The number at the beginning of `text`, which is then behind it; nothing where there is none.
inline std::optional<std::size_t> take_count(std::string_view& text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// As many digits as tell the number from others; counts as whole numbers. Nothing for NaN and infinity.
inline std::string metric_text(Metric metric, double value) {
  if (!std::isfinite(value)) return {};
  if (metric == Metric::samples || metric == Metric::batch_size)
    return std::to_string(static_cast<std::uint64_t>(value));
  return joined({value});
}

}  // namespace detail

/// Writes lines into a file while a run goes on. A run from the beginning begins the file anew. One that goes on (the
/// trainer has done steps before) adds to it; lines of steps and epochs that it will do again, because the run was
/// killed after what it goes on from, are removed first. A file that is not such a log is never touched.
class MetricLog : public Observer {
 public:
  /// Throws DataError: io_error when the file cannot be opened; bad_header when it is there and is something else.
  void begin(const RunInfo& info) final {
    start_ = flushed_ = Clock::now();
    steps_.begin(info);
    said_ = false;
    detail::io::GrowingFile file(path_, O_CREAT);
    std::string head = header();
    file.keep_lines([&](std::string_view line) {
      std::optional<detail::LinePosition> at;
      if (const std::string first = std::exchange(head, {}); first.empty()) {
        at = position_of(line);
      } else if (first.starts_with(line) && line.size() + 1 == first.size()) {
        at.emplace();
      }
      if (!at) {
        throw DataError(ErrorCode::bad_header,
                        {detail::io::shown(path_), ": holds something else than this log, from ",
                         detail::io::quoted(line.substr(0, 40)), " on: give the log a name of its own"});
      }
      return info.steps > 0 && at->step <= info.steps && !(at->event == "epoch" && at->epoch >= info.first_epoch);
    });
    if (file.size() == 0) file.add(header());
    file_.emplace(std::move(file));
    const std::string text = joined({info.loss, ", ", info.optimizer, ", ", info.device});
    detail::MetricLine line{.event = "begin", .epoch = info.first_epoch, .text = text};
    line[detail::Metric::samples] = static_cast<double>(info.position);
    line[detail::Metric::batch_size] = static_cast<double>(info.batch_size);
    line[detail::Metric::learning_rate] = info.learning_rate;
    write(line, true);
  }
  bool hears_steps() const final { return options_.every_steps != 0; }
  void step(const StepEvent& event) final {
    steps_.step(event);
    if (options_.every_steps == 0 || event.step % options_.every_steps != 0) return;
    detail::MetricLine line{.event = "step", .epoch = event.epoch};
    line[detail::Metric::samples] = static_cast<double>(event.samples);
    line[detail::Metric::loss] = event.loss;
    line[detail::Metric::batch_size] = static_cast<double>(event.batch_size);
    line[detail::Metric::learning_rate] = event.learning_rate;
    line[detail::Metric::gradient_norm] = event.gradient_norm;
    write(line, false);
  }
  void epoch(const EpochRecord& record) final {
    steps_.epoch(record);
    detail::MetricLine line{.event = "epoch", .epoch = record.epoch};
    line[detail::Metric::samples] = static_cast<double>(record.training.samples);
    line[detail::Metric::loss] = record.training.loss;
    line[detail::Metric::accuracy] = record.training.accuracy;
    line[detail::Metric::validation_loss] = record.validation.loss;
    line[detail::Metric::validation_accuracy] = record.validation.accuracy;
    line[detail::Metric::batch_size] = static_cast<double>(record.batch_size);
    line[detail::Metric::learning_rate] = record.learning_rate;
    line[detail::Metric::noise_scale] = record.noise_scale;
    line[detail::Metric::epoch_seconds] = record.seconds;
    line[detail::Metric::samples_per_second] = record.samples_per_second;
    write(line, true);
  }
  void message(Severity severity, std::string_view text) final {
    write({.event = severity == Severity::warning ? "warning" : "information", .epoch = steps_.epoch(), .text = text},
          true);
  }
  void end(const History& history) final {
    steps_.end(history);
    write({.event = "end", .epoch = steps_.epoch(), .text = detail::name_of(history.status)}, true);
    file_.reset();
  }

 protected:
  MetricLog(std::string path, MetricLogOptions options) : path_(std::move(path)), options_(std::move(options)) {
    if (!(options_.flush_seconds >= 0)) {
      throw OptionError({"log: flush_seconds ", options_.flush_seconds, ": wanted a number from 0 on"});
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// What begins a new file: a line, or nothing.
  virtual std::string header() const = 0;
  /// The line with its newline.
  virtual std::string format(const detail::MetricLine& line) const = 0;
  /// Nothing for what format() did not write.
  virtual std::optional<detail::LinePosition> position_of(std::string_view line) const = 0;

  void write(detail::MetricLine line, bool flush_now) {
    if (!file_) return;  // not between begin() and end()
    constexpr std::size_t most = 1 << 16;
    const Clock::time_point now = Clock::now();
    line.step = steps_.steps();
    line[detail::Metric::elapsed] = std::chrono::duration<double>(now - start_).count();
    file_->add(format(line));
    const double waited = std::chrono::duration<double>(now - flushed_).count();
    if (!flush_now && waited < options_.flush_seconds && file_->held() < most) return;
    flushed_ = now;
    const int error = file_->flush();
    if (error == 0 || std::exchange(said_, true) || !options_.on_message) return;
    options_.on_message(Severity::warning, joined({detail::io::shown(path_), ": cannot write, so lines are missing: ",
                                                   std::strerror(error), ": the run goes on"}));
  }

  std::string path_;
  MetricLogOptions options_;
  std::optional<detail::io::GrowingFile> file_;
  detail::StepCount steps_;
  Clock::time_point start_, flushed_;
  bool said_ = false;  // that lines are missing
};

}  // namespace minitrain::inline MINITRAIN_ABI
