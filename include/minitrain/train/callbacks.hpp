#pragma once
// Callbacks: what a user hears while fit() runs.

#include <minitrain/train/history.hpp>

#include <functional>

namespace minitrain::inline MINITRAIN_ABI {

/// After an optimizer step; a batch whose samples weigh nothing makes none, nor does one whose gradient is past the
/// range of fp16.
struct StepEvent {
  std::size_t step = 0;  // optimizer steps done so far, over the trainer's life
  std::size_t epoch = 0;
  std::size_t samples = 0;  // of this epoch, done so far
  std::size_t of_samples = 0;
  double loss = 0;  // mean over the batch, before the step
};

/// Called on the thread that called fit(); they may evaluate, predict, save(), save_weights() and call request_stop()
/// of the trainer. What would train or load throws OptionError. An exception leaves fit() with the trainer as it is
/// after the last whole step, from which the next fit() goes on. Denormal numbers are flushed while on_step runs.
/// on_epoch hears of whole epochs only.
struct Callbacks {
  std::function<void(const StepEvent&)> on_step{};
  std::function<void(const EpochRecord&)> on_epoch{};
};

}  // namespace minitrain::inline MINITRAIN_ABI
