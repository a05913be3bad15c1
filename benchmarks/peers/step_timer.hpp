#pragma once
// StepTimer: microseconds per step on a machine that others use too.

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace peers {

/// Times blocks of about two milliseconds. A block is clean when the operating system took the processor away from
/// nobody in it (no involuntary context switch of the process); the median of the clean ones is what a step costs.
class StepTimer {
 public:
  explicit StepTimer(double seconds) : seconds_(seconds), begin_(now()), block_begin_(begin_) {}

  /// To be called after every step. Returns whether that was enough.
  bool step() {
    ++steps_;
    if (steps_per_block_ == 0) {
      const double time = now();
      quickest_ = std::min(quickest_, time - block_begin_);
      block_begin_ = time;
      if (time - begin_ < warm_up) return false;
      steps_per_block_ = static_cast<std::size_t>(block / quickest_);
      begin_ = time;
      start_block();
    } else if (steps_ == steps_per_block_) {
      end_block();
      if (now() - begin_ > seconds_ && wall_.size() >= fewest_blocks) return true;
      start_block();
    }
    return false;
  }

  /// Seconds per step: the q-quantile over the blocks.
  double wall(double q) const { return quantile(wall_, q); }
  double clean(double q) const { return quantile(clean_, q); }
  double processor(double q) const { return quantile(processor_, q); }
  std::size_t blocks() const { return wall_.size(); }
  std::size_t clean_blocks() const { return clean_.size(); }
  std::size_t steps_per_block() const { return steps_per_block_; }

  /// Median over the clean blocks; where there are too few, processor time, or for several threads a low quantile.
  double seconds_per_step(std::size_t threads) const {
    if (clean_blocks() >= fewest_blocks) return clean(0.5);
    return threads == 1 ? processor(0.5) : wall(0.1);
  }

 private:
  static constexpr double warm_up = 0.15, block = 0.002;
  static constexpr std::size_t fewest_blocks = 5;

  static double seconds(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
  static double now() { return seconds(CLOCK_MONOTONIC); }
  static long switches() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
  }

  void start_block() {
    steps_ = 0;
    switches_ = switches();
    processor_begin_ = seconds(CLOCK_PROCESS_CPUTIME_ID);
    block_begin_ = now();
  }
  void end_block() {
    const double n = static_cast<double>(steps_);
    wall_.push_back((now() - block_begin_) / n);
    processor_.push_back((seconds(CLOCK_PROCESS_CPUTIME_ID) - processor_begin_) / n);
    if (switches() == switches_) clean_.push_back(wall_.back());
  }

  static double quantile(std::vector<double> values, double q) {
    if (values.empty()) return -1;
    std::sort(values.begin(), values.end());
    const double position = q * static_cast<double>(values.size() - 1);
    const std::size_t below = static_cast<std::size_t>(position);
    const double part = position - static_cast<double>(below);
    return part == 0 ? values[below] : values[below] * (1 - part) + values[below + 1] * part;
  }

  double seconds_, begin_, block_begin_, processor_begin_ = 0, quickest_ = block;
  long switches_ = 0;
  std::size_t steps_ = 0, steps_per_block_ = 0;  // 0: warming up
  std::vector<double> wall_, clean_, processor_;
};

}  // namespace peers
