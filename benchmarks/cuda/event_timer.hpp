#pragma once
// What benchmarks of kernels need of the toolkit: times by events on the device's stream, and the most that the GPU
// does. Defined in event_timer.cu, so that a benchmark is an ordinary C++ file.

#include <minitrain/cuda/device.hpp>

#include <cstddef>
#include <memory>

namespace bench {

/// Seconds between two places in the work queued on a device.
class EventTimer {
 public:
  explicit EventTimer(const minitrain::Cuda& device);
  ~EventTimer();
  void start();
  /// Waits for the work queued since start().
  double stop();

 private:
  struct Events;
  std::unique_ptr<Events> events_;
};

/// What a kernel is measured against.
struct Ceilings {
  double bytes_per_second = 0;  // read and written by a copy inside the GPU's memory
  double flops = 0;             // of cuBLAS's sgemm, in float and nothing less; 0 in a build without cuBLAS
};

/// Medians of a copy of `bytes` and of a product of n × n matrices.
Ceilings measure_ceilings(const minitrain::Cuda& device, std::size_t bytes, std::size_t n);

}  // namespace bench
