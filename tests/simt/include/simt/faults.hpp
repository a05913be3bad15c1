#pragma once
// What the emulated machine has, and what goes wrong on it: for tests of how the library meets failures.

#include <simt/runtime_types.hpp>

#include <cstddef>

namespace simt {

enum class Algorithms { none, without_epilogue, all };

struct Faults {
  int devices = 1;                                     // 0: cudaErrorNoDevice
  bool driver_missing = false;                         // cudaErrorInsufficientDriver from everything
  int compute_major = 9, compute_minor = 0;            // below 7.5: cudaErrorNoKernelImageForDevice for every kernel
  int code_version = 0;                                // what the kernels were compiled for, as in 75; 0: this GPU
  std::size_t total_memory = std::size_t{4} << 30;     // of the device; more than that is cudaErrorMemoryAllocation
  std::size_t fail_allocation = 0;                     // the n-th allocation from now on finds no memory; 0: none
  std::size_t fail_launch = 0;                         // the n-th kernel to run from now on fails; 0: none ...
  cudaError_t launch_error = cudaErrorIllegalAddress;  // ... with this, which everything returns from then on
  int multiprocessors = 4;
  Algorithms cublaslt = Algorithms::all;  // what cuBLASLt knows a way for
  bool device_lost = false;               // cudaErrorDevicesUnavailable from everything that needs it
};

/// Changes take effect with the next call; fail_allocation and fail_launch count down to zero.
Faults& faults();

/// Sets faults for a test, when the work asked for before is done; its end brings the machine back: no faults, no error
/// that sticks, no work left on streams.
class FaultScope {
 public:
  explicit FaultScope(const Faults& wanted);
  ~FaultScope();
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;
};

// --- what tests ask of the emulated machine -------------------------------------------------------------------------

struct Usage {
  std::size_t device_blocks, device_bytes;  // allocated now
  std::size_t pinned_blocks;
  std::size_t streams, events, graphs;  // handles alive; a graph and its executable form count one each
  std::size_t operations_waiting;       // on all streams
  std::size_t kernels, copies, fills;   // run since the program began
  std::size_t allocations;              // of device memory that succeeded since the program began
  std::size_t contexts;                 // devices that have a context, since the last FaultScope began or ended
};
Usage usage();

}  // namespace simt
