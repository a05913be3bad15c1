// Errors: the last one of each thread, those that stick, and what each is called.

#include "../engine/worker.hpp"
#include "call.hpp"

#include <cstdio>
#include <cstdlib>

namespace simt::runtime {

namespace {

// A fault that nobody was told of must not pass for success.
void report_at_exit() {
  if (the_runtime().unreported == nullptr) return;
  try {
    std::rethrow_exception(the_runtime().unreported);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "simt: never reported: %s\n", e.what());
  }
  std::fflush(stderr);
  std::_Exit(1);
}

}  // namespace

Runtime::Runtime() { std::atexit(report_at_exit); }

Runtime& the_runtime() {
  static auto* const r = new Runtime;  // outlives whatever calls the API at exit
  return *r;
}

ThreadState& thread_state() {
  static thread_local ThreadState state;
  return state;
}

cudaError_t Runtime::device_state() const {
  if (faults.driver_missing) return cudaErrorInsufficientDriver;
  if (faults.devices < 1) return cudaErrorNoDevice;
  if (faults.device_lost) return cudaErrorDevicesUnavailable;
  return sticky;
}

void not_from_kernels() {
  if (engine::this_worker().running == nullptr) return;
  const engine::Inside inside;
  fail("calls the runtime API, which is the host's");
}

cudaError_t before_call(Needs needs, Faulty faulty) {
  if (thread_state().in_host_function) return cudaErrorNotPermitted;
  Runtime& r = the_runtime();
  if (r.unreported != nullptr && faulty == Faulty::throws) {
    const auto e = r.unreported;
    r.unreported = nullptr;
    std::rethrow_exception(e);
  }
  return needs == Needs::device ? r.device_state() : cudaSuccess;
}

cudaError_t after_call(cudaError_t e) {
  if (e != cudaSuccess) thread_state().last_error = e;
  return e;
}

}  // namespace simt::runtime

using namespace simt::runtime;

cudaError_t cudaPeekAtLastError() {
  const std::lock_guard lock(the_runtime().mutex);
  return the_runtime().sticky != cudaSuccess ? the_runtime().sticky : thread_state().last_error;
}

cudaError_t cudaGetLastError() {
  const cudaError_t e = cudaPeekAtLastError();
  thread_state().last_error = cudaSuccess;
  return e;
}

const char* cudaGetErrorString(cudaError_t e) {
  switch (e) {
#define SIMT_TEXT(name, number, text) \
  case name:                          \
    return text;
    SIMT_ERRORS(SIMT_TEXT)
#undef SIMT_TEXT
  }
  return "unrecognized error code";
}

const char* cudaGetErrorName(cudaError_t e) {
  switch (e) {
#define SIMT_NAME(name, number, text) \
  case name:                          \
    return #name;
    SIMT_ERRORS(SIMT_NAME)
#undef SIMT_NAME
  }
  return "unrecognized error code";
}
