#pragma once
// Progress: how far a long run is, on stderr, so that stdout holds results alone.

#include <minitrain/train/callbacks.hpp>

#include "interrupt.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>

namespace examples {

/// A bar that redraws itself where stderr is a terminal; elsewhere (a file, a pipe, TERM=dumb, CI) a line every five
/// seconds. Colours unless NO_COLOR is set.
class Progress {
 public:
  Progress()
      : bar_(isatty(STDERR_FILENO) != 0 && set("TERM") && std::strcmp(std::getenv("TERM"), "dumb") != 0 && !set("CI")),
        colour_(!set("NO_COLOR")) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  /// Whether it is time to show() something again.
  bool due() const {
    return Clock::now() - shown_ >= (bar_ ? std::chrono::milliseconds(100) : std::chrono::seconds(5));
  }

  void show(double fraction, const std::string& text) {
    constexpr int width = 30;
    shown_ = Clock::now();
    const int done = static_cast<int>(width * std::clamp(fraction, 0.0, 1.0));
    if (bar_) {
      std::fprintf(stderr, "\r%s%s%s%s%s %3.0f %% %s\x1b[K", colour_ ? "\x1b[32m" : "", bar(done, '=').c_str(),
                   colour_ ? "\x1b[2m" : "", bar(width - done, '-').c_str(), colour_ ? "\x1b[0m" : "", 100 * fraction,
                   text.c_str());
    } else {
      std::fprintf(stderr, "%3.0f %% %s\n", 100 * fraction, text.c_str());
    }
  }
  /// Takes the bar away, before something is printed.
  void clear() const {
    if (bar_) std::fputs("\r\x1b[K", stderr);
  }

 private:
  using Clock = std::chrono::steady_clock;

  static bool set(const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0';
  }
  static std::string bar(int count, char c) { return std::string(static_cast<std::size_t>(count), c); }

  bool bar_, colour_;
  Clock::time_point shown_ = Clock::now();
};

/// For on_step: ends the run after Ctrl-C.
template <class Trainer>
std::function<void(const minitrain::StepEvent&)> stop_when_interrupted(Trainer& trainer) {
  listen_for_interrupt();
  return [&trainer](const minitrain::StepEvent&) {
    if (was_interrupted()) trainer.request_stop();
  };
}

/// Callbacks of one fit() that show how far it is, and stop it after Ctrl-C.
template <class Trainer>
minitrain::Callbacks watch(Trainer& trainer, Progress& progress) {
  listen_for_interrupt();
  return {.on_step = [&trainer, &progress, first = trainer.epochs()](const minitrain::StepEvent& e) {
    if (was_interrupted()) trainer.request_stop();
    if (!progress.due()) return;
    const double done =
        static_cast<double>(e.epoch - first) + static_cast<double>(e.samples) / static_cast<double>(e.of_samples);
    char text[96];
    std::snprintf(text, sizeof text, "epoch %zu, step %zu, loss %.5f", e.epoch + 1, e.step, e.loss);
    progress.show(done / static_cast<double>(trainer.options().epochs), text);
  }};
}

}  // namespace examples
