#pragma once
// One launch of a kernel: checked, run block by block, reported.

#include <simt/runtime_api.hpp>

#include <cstdint>

namespace simt::engine {

struct Launch {
  KernelCall call;
  dim3 grid, block;
  std::size_t dynamic;
  bool cooperative;
  std::uint32_t serial = 0;
};

/// What CUDA would say before it runs anything.
cudaError_t launch_error(const Launch&);

/// Runs the kernel to its end. Throws simt::error when it broke a rule.
void run(const Launch&);

/// For cudaFuncSetAttribute: dynamic shared memory past 48 KiB has to be asked for.
bool allow_dynamic_shared(const void* kernel, std::size_t bytes);
std::size_t dynamic_shared_allowed(const void* kernel);

}  // namespace simt::engine
