#pragma once
// ProgressBar: how far a run is, for somebody who watches it.

#include <minitrain/core/error.hpp>
#include <minitrain/train/progress_text.hpp>
#include <minitrain/train/rare_clock.hpp>
#include <minitrain/train/terminal.hpp>

#include <ostream>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

enum class Choice { automatic, always, never };

struct ProgressBarOptions {
  Choice bar = Choice::automatic;     // automatic: a bar where lines can be redrawn, else lines; never: always lines
  Choice colour = Choice::automatic;  // automatic: where the terminal shows colours
  double interval = 0;                // seconds; 0: 0.1 for a bar, 10 for lines
  bool steps = true;        // false: lines of epochs alone; then a GPU goes through many steps without the host
  bool epoch_lines = true;  // a line that stays for each epoch
};

/// Epoch, percent of it, samples per second, time left for the whole run, loss (mean over the epoch so far) and what
/// the last epoch ended with, on a stream that the user gives:
///
///   ProgressBar bar{std::cerr, terminal_of(STDERR_FILENO, environ)};
///   trainer.fit(train, test, {.observers = {&bar}});
///
/// Without a Terminal, or where it cannot redraw (a file, a pipe, a log of continuous integration), it writes a line
/// every few seconds and one for each epoch. In a narrow terminal it leaves out what matters least; a line never wraps.
/// Costs two additions for most steps. What the stream cannot take is lost; the run goes on.
class ProgressBar final : public Observer {
 public:
  /// The stream must outlive the bar. Throws OptionError for an interval below 0.
  explicit ProgressBar(std::ostream& stream, const Terminal& terminal = {}, const ProgressBarOptions& options = {})
      : stream_(stream),
        terminal_(terminal),
        options_(options),
        draws_(options.bar == Choice::always || (options.bar == Choice::automatic && terminal.redraws)),
        colours_(options.colour == Choice::always || (options.colour == Choice::automatic && terminal.colours)),
        clock_(options.interval > 0 ? options.interval
               : draws_             ? 0.1
                                    : 10.0) {
    if (!(options.interval >= 0)) {
      throw OptionError({"ProgressBar: interval ", options.interval, " s: wanted a number from 0 on"});
    }
  }

  void begin(const RunInfo& info) override {
    info_ = info;
    began_ = true;
    measure_.clear();
    epoch_ = info.first_epoch;
    begin_epoch(info.position);
    started_ = epoch_started_;
    clock_.restart(started_);
    seen_before_ = 0;
  }
  bool hears_steps() const override { return options_.steps; }
  void step(const StepEvent& event) override {
    const auto size = static_cast<double>(event.batch_size);
    loss_ += event.loss * size;
    weight_ += size;
    if (clock_.due()) show(event);
  }
  void epoch(const EpochRecord& record) override {
    if (options_.epoch_lines) put_line(detail::epoch_line(record, last_epoch()));
    measure_ = !std::isnan(record.validation.accuracy)
                   ? detail::measure_text("val. accuracy", record.validation.accuracy)
               : !std::isnan(record.validation.loss)   ? detail::measure_text("val. loss", record.validation.loss)
               : !std::isnan(record.training.accuracy) ? detail::measure_text("accuracy", record.training.accuracy)
                                                       : std::string();
    seen_before_ += info_.samples - std::min(info_.samples, position_);
    epoch_ = record.epoch + 1;
    begin_epoch(0);
  }
  void message(Severity severity, std::string_view text) override {
    std::string line(severity == Severity::warning ? "warning: " : "");
    for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
    put_line(line);
  }
  void end(const History& history) override {
    if (!std::exchange(began_, false)) return;  // another observer has refused the run
    constexpr const char* words[] = {"", "stopped", "stopped early", "interrupted", "failed"};
    if (history.status == RunStatus::finished) {
      put(clearing());
    } else {
      put_line(joined({"training ", words[static_cast<int>(history.status)], " in epoch ",
                       std::min(epoch_ + 1, last_epoch()), "/", last_epoch()}));
    }
    shown_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::size_t last_epoch() const noexcept { return info_.first_epoch + info_.epochs; }

  void begin_epoch(std::size_t position) {
    epoch_started_ = Clock::now();
    position_ = position;
    loss_ = weight_ = 0;
  }

  void show(const StepEvent& event) {
    const Clock::time_point now = clock_.looked();
    const auto here = static_cast<double>(event.samples - std::min(event.samples, position_));
    const double seen = static_cast<double>(seen_before_) + here;
    const double all =
        static_cast<double>(info_.epochs) * static_cast<double>(info_.samples) - static_cast<double>(info_.position);
    const double epoch_seconds = detail::RareClock::seconds(now - epoch_started_);
    const detail::ProgressState state{
        .epoch = event.epoch + 1,
        .epochs = last_epoch(),
        .done = static_cast<double>(event.samples) / static_cast<double>(std::max<std::size_t>(event.of_samples, 1)),
        .samples_per_second = epoch_seconds > 0 ? here / epoch_seconds : 0,
        .left = detail::RareClock::seconds(now - started_) * (all - seen) / seen,
        .loss = loss_ / weight_,
        .measure = measure_};
    if (draws_) {
      // The last column stays empty: some terminals go on to the next line when it is filled.
      const std::size_t columns = std::max<std::size_t>(terminal_.columns(), 1) - 1;
      put("\r" + detail::progress_line(state, columns, true, colours_) + "\x1b[K");
      shown_ = true;
    } else {
      put(detail::progress_line(state, std::string::npos, false, false) + "\n");
    }
  }

  std::string clearing() const { return draws_ && shown_ ? "\r\x1b[K" : ""; }
  void put_line(const std::string& line) {
    put(clearing() + line + "\n");
    shown_ = false;
  }
  void put(const std::string& text) noexcept {
    try {
      stream_.write(text.data(), static_cast<std::streamsize>(text.size()));
      stream_.flush();
    } catch (...) {  // a stream that was asked to throw: no reason to end a run
    }
  }

  std::ostream& stream_;
  Terminal terminal_;
  ProgressBarOptions options_;
  bool draws_, colours_;
  detail::RareClock clock_;
  RunInfo info_{};
  std::string measure_;
  Clock::time_point started_{}, epoch_started_{};
  std::size_t epoch_ = 0, position_ = 0, seen_before_ = 0;
  double loss_ = 0, weight_ = 0;
  bool began_ = false;
  bool shown_ = false;  // a bar is on the line
};

}  // namespace minitrain::inline MINITRAIN_ABI
