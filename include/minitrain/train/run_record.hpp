#pragma once
// RunRecord: what a run was, in one file of JSON, so that it can be told from others and done again.

#include <minitrain/io/file.hpp>
#include <minitrain/train/callbacks.hpp>
#include <minitrain/train/options.hpp>
#include <minitrain/train/run_json.hpp>
#include <minitrain/train/step_count.hpp>

#include <array>
#include <chrono>
#include <optional>

namespace minitrain::inline MINITRAIN_ABI {

struct RunRecordOptions {
  std::vector<std::string> command_line{};                    // of the program: {argv, argv + argc}
  std::optional<TrainerOptions> options{};                    // trainer.options(), for those that RunInfo does not have
  std::vector<std::pair<std::string, std::string>> values{};  // the user's own, such as {"commit", "3f2a91c"}
  /// Called when the file could not be replaced at the end; the run is not the worse for it.
  std::function<void(Severity, std::string_view)> on_message{};
};

/// Writes `path` when a run begins (with "status": "running") and replaces it, whole or not at all, when it ends:
/// status (and the words of the exception, where it failed), times, seed and options, those of loss and optimizer among
/// them, model, device, parameters, version, compiler, machine, and what the last epoch ended with. It replaces no file
/// but one of these.
///
///   RunRecord record{"run.json", {.command_line = {argv, argv + argc}, .options = trainer.options(),
///                                 .values = {{"explain", trainer.explain()}}}};
///   trainer.fit(train, test, {.observers = {&record}});
///
/// A file that still says "running" is that of a process that was killed, or that runs.
class RunRecord final : public Observer {
 public:
  /// `compiler` is the one that compiles this call.
  explicit RunRecord(std::string path, RunRecordOptions options = {}, const char* compiler = __VERSION__)
      : path_(std::move(path)), options_(std::move(options)), compiler_(compiler) {}

  /// Throws DataError (bad_header) for a file that is there and is no record of a run; (io_error) when it cannot be
  /// written.
  void begin(const RunInfo& info) override {
    detail::expect_run_json(path_);
    info_ = info;
    steps_.begin(info);
    started_ = std::chrono::system_clock::now();
    clock_ = std::chrono::steady_clock::now();
    write("running", nullptr);
    began_ = true;
  }
  bool hears_steps() const override { return false; }
  void epoch(const EpochRecord& record) override { steps_.epoch(record); }
  void end(const History& history) override {
    if (!std::exchange(began_, false)) return;  // this one or another observer has refused the run
    steps_.end(history);
    try {
      write(detail::name_of(history.status), &history);
    } catch (const DataError& error) {
      if (options_.on_message) options_.on_message(Severity::warning, error.what());
    }
  }

 private:
  void write(const char* status, const History* history) const {
    detail::JsonObject json;
    json.text("status", status);
    if (history != nullptr && !history->failure.empty()) json.text("failure", history->failure);
    json.text("started", detail::utc_text(started_));
    if (history != nullptr) {
      json.text("ended", detail::utc_text(std::chrono::system_clock::now()));
      json.number("seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - clock_).count());
    }
    json.text("model", info_.model).text("loss", info_.loss).text("optimizer", info_.optimizer);
    json.count("parameters", info_.parameters).text("device", info_.device);
    json.text("minitrain", MINITRAIN_VERSION).text("compiler", compiler_);
    json.text("machine", detail::machine_name()).count("process", static_cast<std::uint64_t>(::getpid()));
    json.texts("command_line", options_.command_line).object("options", options());
    detail::JsonObject compared;
    for (const auto& [name, value] : info_.options) compared.text(name, value);
    json.object("compared", compared);
    detail::JsonObject values;
    for (const auto& [name, value] : options_.values) values.text(name, value);
    json.object("values", values);
    if (history != nullptr) {
      json.count("steps", steps_.steps()).count("epochs", history->epochs.size());
      if (!history->epochs.empty()) json.object("last_epoch", detail::epoch_json(history->epochs.back()));
    }
    const std::string text = json.text() + "\n";
    const std::array pieces{std::as_bytes(std::span(text))};
    write_file(path_, pieces);
  }

  detail::JsonObject options() const {
    detail::JsonObject json;
    json.count("seed", info_.seed).count("first_epoch", info_.first_epoch).count("epochs", info_.epochs);
    json.count("first_step", info_.steps).count("position", info_.position).count("samples", info_.samples);
    json.count("batch_size", info_.batch_size).count("micro_batch_size", info_.micro_batch_size);
    json.number("learning_rate", info_.learning_rate).truth("validation", info_.has_validation);
    if (options_.options) {
      json.truth("shuffle", options_.options->shuffle).number("clip_norm", options_.options->clip_norm);
      json.number("clip_value", options_.options->clip_value).text("schedule", options_.options->schedule.name());
      json.count("early_stopping_patience", options_.options->early_stopping.patience);
    }
    return json;
  }

  std::string path_;
  RunRecordOptions options_;
  std::string compiler_;
  RunInfo info_{};
  detail::StepCount steps_;
  bool began_ = false;
  std::chrono::system_clock::time_point started_{};
  std::chrono::steady_clock::time_point clock_{};
};

}  // namespace minitrain::inline MINITRAIN_ABI
