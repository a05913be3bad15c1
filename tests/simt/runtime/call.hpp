#pragma once
// What every call of the API does first and last.

#include "runtime.hpp"

#include <simt/site.hpp>

namespace simt::runtime {

enum class Needs { nothing, device };
enum class Faulty {
  throws,   // a fault found by the emulator leaves the call as simt::error
  reports,  // destructors make this call: the next call that may throw does
};

void not_from_kernels();  // before anything is locked
cudaError_t before_call(Needs, Faulty);
cudaError_t after_call(cudaError_t);

/// Runs `body` under the lock, when the device is in a state for it, and remembers the error it returns.
template <class Body>
cudaError_t call(Needs needs, Body&& body) {
  not_from_kernels();
  Runtime& r = the_runtime();
  const std::lock_guard lock(r.mutex);
  const cudaError_t refused = before_call(needs, Faulty::throws);
  return after_call(refused != cudaSuccess ? refused : body(r));
}

/// The same for a call that gives something back: it does so whatever has happened, and never throws.
template <class Body>
cudaError_t call_to_release(Body&& body) {
  not_from_kernels();
  Runtime& r = the_runtime();
  const std::lock_guard lock(r.mutex);
  const cudaError_t refused = before_call(Needs::nothing, Faulty::reports);
  if (refused != cudaSuccess) return after_call(refused);
  try {
    const cudaError_t result = body(r);
    return after_call(r.device_state() != cudaSuccess ? r.device_state() : result);
  } catch (const error&) {
    if (r.unreported == nullptr) r.unreported = std::current_exception();
    return after_call(cudaErrorLaunchFailure);
  }
}

}  // namespace simt::runtime
