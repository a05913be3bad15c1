#pragma once
// How the emulator runs kernels. None of it may change what a correct program computes.

#include <cstddef>
#include <cstdint>

namespace simt {

struct Options {
  std::uint64_t seed = 0;              // SIMT_SEED: order of threads: 0 ascending, 1 descending, others shuffle
  unsigned os_threads = 1;             // SIMT_THREADS: blocks run on so many threads of the operating system
  unsigned preempt = 0;                // SIMT_PREEMPT (checked flavour): switch threads about every n-th access
  bool defer = false;                  // SIMT_DEFER: work on streams waits until somebody synchronises
  bool allow_early_exit = false;       // threads may return while others of their block still meet at barriers
  bool faults_stick = false;           // a fault does not throw: it is an error that sticks, as on a device
  std::size_t stack_bytes = 64 << 10;  // per thread
};

/// The first call reads the environment.
Options& options();

}  // namespace simt
