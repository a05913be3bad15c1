// Faults of the machine, and what tests may ask of it.

#include "call.hpp"

namespace simt {

using runtime::the_runtime;

Faults& faults() { return the_runtime().faults; }

namespace {

// Work that waits is done by a machine that works, and dropped by one that does not.
void change(const Faults& wanted) {
  auto& r = the_runtime();
  const std::lock_guard lock(r.mutex);
  try {
    if (r.device_state() == cudaSuccess) r.drain_all();
  } catch (const error&) {
    r.unreported = std::current_exception();  // the next call throws it
  }
  r.abandon();
  r.faults = wanted;
  r.sticky = cudaSuccess;
  r.contexts.clear();
  auto& thread = runtime::thread_state();
  thread.last_error = cudaSuccess;
  thread.capture_mode = cudaStreamCaptureModeGlobal;
  if (thread.below.empty()) thread.device = 0;  // else a pushed context is still to be popped
}

}  // namespace

FaultScope::FaultScope(const Faults& wanted) { change(wanted); }
FaultScope::~FaultScope() { change({}); }

Usage usage() {
  auto& r = the_runtime();
  const std::lock_guard lock(r.mutex);
  std::size_t waiting = 0;
  for (const auto* s : r.all_streams()) waiting += s->queue.size();
  const auto& memory = engine::device_memory();
  return {.device_blocks = memory.count(),
          .device_bytes = memory.bytes(),
          .pinned_blocks = r.pinned.size(),
          .streams = r.streams.size(),
          .events = r.events.size(),
          .graphs = r.graphs.size() + r.executables.size(),
          .operations_waiting = waiting,
          .kernels = r.kernels,
          .copies = r.copies,
          .fills = r.fills,
          .allocations = r.allocations,
          .contexts = r.contexts.size()};
}

}  // namespace simt

using namespace simt::runtime;

// Forgets errors and work that waits. Memory stays: whoever owns it may still give it back.
cudaError_t cudaDeviceReset() {
  return call(Needs::nothing, [](Runtime& r) {
    r.abandon();
    r.sticky = cudaSuccess;
    return r.device_state();
  });
}
