#pragma once
// History: what a training run was, epoch by epoch.

#include <minitrain/config.hpp>

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// Mean loss over samples (over their weights, where samples have weights) and the share of right answers.
struct Evaluation {
  double loss = std::numeric_limits<double>::quiet_NaN();
  double accuracy = std::numeric_limits<double>::quiet_NaN();  // NaN where there are no classes
  std::size_t samples = 0;
};

/// One pass over the training data.
struct EpochRecord {
  std::size_t epoch = 0;     // counted from 0 over the trainer's life
  bool finished = true;      // false: it was stopped in the middle, and the next fit() goes on with it
  std::size_t steps = 0;     // optimizer steps in this epoch
  std::size_t left_out = 0;  // samples of steps that were not finite, and left out
  Evaluation training{};     // accumulated while training: each batch by the parameters before its step
  Evaluation validation{};   // after the epoch; NaN without validation data
  double seconds = 0;        // of training and on_step in this fit(), without validation
  double samples_per_second = 0;
  std::size_t batch_size = 0;                                     // of a full step
  double learning_rate = 0;                                       // of the last step
  double noise_scale = std::numeric_limits<double>::quiet_NaN();  // after the epoch; NaN where it is not measured
};

/// Why fit() came back.
enum class RunStatus {
  finished,       // all epochs are done
  stopped,        // request_stop()
  early_stopped,  // TrainerOptions::early_stopping
  interrupted,    // a signal, see train/interrupt.hpp
  failed,         // an exception is on its way
};

/// What fit() gives back.
struct History {
  std::vector<EpochRecord> epochs{};
  RunStatus status = RunStatus::finished;
  std::string failure{};  // the exception's words, for observers to hear where it failed

  /// Optimizer steps of all epochs; of one that went on after a stop, also those from before it.
  std::size_t steps() const noexcept {
    std::size_t count = 0;
    for (const EpochRecord& epoch : epochs) count += epoch.steps;
    return count;
  }
  /// Seconds spent training.
  double seconds() const noexcept {
    double sum = 0;
    for (const EpochRecord& epoch : epochs) sum += epoch.seconds;
    return sum;
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
