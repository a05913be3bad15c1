#pragma once
// Callbacks and Observer: what a user hears while fit() runs.

#include <minitrain/core/error.hpp>
#include <minitrain/train/history.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// What is about to be trained, and how.
struct RunInfo {
  std::string model{}, loss{}, optimizer{}, device{};  // in words, as explain() has them
  std::size_t parameters = 0;                          // numbers, not bytes
  std::size_t first_epoch = 0;                         // of those to come, counted over the trainer's life
  std::size_t epochs = 0;                              // to come
  std::size_t steps = 0;                               // optimizer steps done before, over the trainer's life
  std::size_t samples = 0;                             // of an epoch
  std::size_t position = 0;                            // samples of the first epoch that are done already
  std::size_t steps_in_epoch = 0;                      // optimizer steps of it
  std::size_t batch_size = 0, micro_batch_size = 0;
  std::uint64_t seed = 0;
  double learning_rate = 0;  // of the optimizer, before any schedule
  bool has_validation = false;
  std::vector<std::pair<std::string, std::string>> options{};  // (name, value): all that a run that goes on must share
};

/// After an optimizer step; a batch whose samples weigh nothing makes none, nor does one whose gradient is past the
/// range of fp16.
struct StepEvent {
  std::size_t step = 0;  // optimizer steps done so far, over the trainer's life
  std::size_t epoch = 0;
  std::size_t samples = 0;  // of this epoch, done so far
  std::size_t of_samples = 0;
  double loss = 0;                                                  // mean over the batch, before the step
  std::size_t batch_size = 0;                                       // samples of this batch
  double learning_rate = 0;                                         // of this step
  double gradient_norm = std::numeric_limits<double>::quiet_NaN();  // of the mean gradient before clipping; NaN where
                                                                    // nothing asked for it
};

/// What happened that no return value and no exception tells.
enum class Severity { information, warning };

/// Hears of a run from its beginning to its end: a progress bar, a log. Called on the thread that called fit(), as
/// Callbacks are, and after them.
class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;

  virtual void begin(const RunInfo&) {}
  /// Whether step() is to be called. A GPU that nobody listens to goes through many steps without the host.
  virtual bool hears_steps() const { return true; }
  virtual void step(const StepEvent&) {}
  virtual void epoch(const EpochRecord&) {}
  virtual void message(Severity, std::string_view) {}
  /// Also after an exception, with the history up to there and RunStatus::failed.
  virtual void end(const History&) {}
};

/// Called on the thread that called fit(); they may evaluate, predict, save(), save_weights() and call request_stop()
/// of the trainer. What would train or load throws OptionError. An exception leaves fit() with the trainer as it is
/// after the last whole step, from which the next fit() goes on. Denormal numbers are flushed while on_step runs.
/// on_epoch hears of whole epochs only.
struct Callbacks {
  std::function<void(const StepEvent&)> on_step{};
  std::function<void(const EpochRecord&)> on_epoch{};
  std::function<void(Severity, std::string_view)> on_message{};
  std::vector<Observer*> observers{};  // not owned; each once
};

}  // namespace minitrain::inline MINITRAIN_ABI
