#pragma once
// TensorBoardLog: the curves of a run, for TensorBoard.

#include <minitrain/io/event_file.hpp>
#include <minitrain/train/callbacks.hpp>
#include <minitrain/train/step_count.hpp>

#include <cmath>
#include <cstring>
#include <optional>

namespace minitrain::inline MINITRAIN_ABI {

struct TensorBoardOptions {
  std::size_t every_steps = 100;  // points at step 100, 200, ...; 0: none, and the log does not hear of steps
  double flush_seconds = 5;       // points wait in memory at most as long as this, and until the next point
  /// Called when points could not be written after the run had begun, which goes on; the next ones are tried again.
  std::function<void(Severity, std::string_view)> on_message{};
};

/// Over optimizer steps, the curves step/loss, step/learning_rate and step/gradient_norm (where it is known) every few
/// steps; after each epoch training/loss, accuracy, learning_rate, batch_size and noise_scale, validation/loss and
/// accuracy, and samples_per_second, where there are such; and the model as text.
///
///   TensorBoardLog log{"runs/first"};
///   trainer.fit(train, test, {.observers = {&log}});      // then: tensorboard --logdir runs
///
/// Every fit() writes a file of its own. Where it goes on with a run, TensorBoard drops what an earlier file of the
/// folder has of the steps that are done again. A number that is not finite is no point.
class TensorBoardLog final : public Observer {
 public:
  /// Throws OptionError for flush_seconds below 0.
  explicit TensorBoardLog(std::string folder, TensorBoardOptions options = {})
      : folder_(std::move(folder)), options_(std::move(options)) {
    if (!(options_.flush_seconds >= 0)) {
      throw OptionError({"TensorBoardLog: flush_seconds ", options_.flush_seconds, ": wanted a number from 0 on"});
    }
  }

  /// Throws DataError (io_error) when there can be no file.
  void begin(const RunInfo& info) override {
    steps_.begin(info);
    said_ = false;
    file_.emplace(folder_);
    if (info.steps > 0) {
      file_->add_start(info.steps + 1);
    } else {
      std::string text = joined({info.loss, ", ", info.optimizer, ", ", info.device, "\n\n    "});
      for (const char c : info.model)
        text += c == '\n' ? std::string("\n    ") : std::string(1, c);  // as it is, in Markdown
      file_->add_text("model", 0, text);
    }
    flush();
  }
  bool hears_steps() const override { return options_.every_steps != 0; }
  void step(const StepEvent& event) override {
    steps_.step(event);
    if (!file_ || options_.every_steps == 0 || event.step % options_.every_steps != 0) return;
    put("step/loss", event.loss);
    put("step/learning_rate", event.learning_rate);
    put("step/gradient_norm", event.gradient_norm);
    constexpr std::size_t most = 1 << 16;
    const std::chrono::duration<double> waited = Clock::now() - flushed_;
    if (waited.count() >= options_.flush_seconds || file_->held() >= most) flush();
  }
  void epoch(const EpochRecord& record) override {
    steps_.epoch(record);
    if (!file_) return;
    put("training/loss", record.training.loss);
    put("training/accuracy", record.training.accuracy);
    put("validation/loss", record.validation.loss);
    put("validation/accuracy", record.validation.accuracy);
    put("training/learning_rate", record.learning_rate);
    put("training/batch_size", static_cast<double>(record.batch_size));
    put("training/noise_scale", record.noise_scale);
    put("samples_per_second", record.samples_per_second);
    flush();
  }
  void end(const History&) override {
    if (file_) flush();
    file_.reset();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void put(std::string_view tag, double value) {
    if (std::isfinite(value)) file_->add_scalar(tag, steps_.steps(), value);
  }
  void flush() {
    flushed_ = Clock::now();
    const int error = file_->flush();
    if (error == 0 || std::exchange(said_, true) || !options_.on_message) return;
    options_.on_message(Severity::warning,
                        joined({detail::io::shown(file_->path()),
                                ": cannot write, so points are missing: ", std::strerror(error), ": the run goes on"}));
  }

  std::string folder_;
  TensorBoardOptions options_;
  std::optional<EventFile> file_;
  detail::StepCount steps_;
  Clock::time_point flushed_;
  bool said_ = false;  // that points are missing
};

}  // namespace minitrain::inline MINITRAIN_ABI
