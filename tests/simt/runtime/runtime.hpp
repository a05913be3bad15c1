#pragma once
// The state of the emulated runtime: streams with their queues, events, captures, graphs, and what has gone wrong.

#include "../engine/device_memory.hpp"

#include <simt/faults.hpp>
#include <simt/runtime_api.hpp>

#include <chrono>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace simt::runtime {

using Clock = std::chrono::steady_clock;
using Work = std::function<void()>;

/// A point in a stream that others can wait for.
struct Marker {
  CUstream_st* stream;
  bool done = false;
  Clock::time_point at{};
};
using MarkerPointer = std::shared_ptr<Marker>;

struct Operation {
  Work work;
  std::vector<MarkerPointer> after;  // in other streams
  MarkerPointer marker;
  bool always = false;  // gives something back: also when the work of a failed device is dropped
};

/// One cudaStreamBeginCapture, with every stream that has joined it.
struct Capture {
  cudaStreamCaptureMode mode;
  std::thread::id thread;
  CUstream_st* origin;
  std::unique_ptr<CUgraph_st> graph;
  bool invalid = false, ended = false;
};

using Nodes = std::vector<std::shared_ptr<CUgraphNode_st>>;

}  // namespace simt::runtime

struct CUgraphNode_st {
  cudaGraphNodeType type;
  simt::runtime::Work work;
  std::vector<CUgraphNode_st*> after;
};

struct CUgraph_st {
  simt::runtime::Nodes nodes;  // in the order they were captured
};

struct CUgraphExec_st {
  simt::runtime::Nodes nodes;
};

struct CUstream_st {
  int device = 0;
  bool blocking = true;  // waits for the legacy stream, and the other way round
  bool destroyed = false;
  std::deque<simt::runtime::Operation> queue;
  simt::runtime::MarkerPointer last;                // of the latest operation
  std::shared_ptr<simt::runtime::Capture> capture;  // while it captures ...
  std::vector<CUgraphNode_st*> tail;                // ... what the next node comes after
};

struct CUevent_st {
  bool timing = true;
  simt::runtime::MarkerPointer marker;              // null: never recorded
  std::shared_ptr<simt::runtime::Capture> capture;  // last recorded in a capture ...
  std::vector<CUgraphNode_st*> tail;                // ... there
};

struct CUmemPoolHandle_st {
  std::uint64_t release_threshold = 0;
  std::size_t used = 0, used_high = 0, reserved = 0, reserved_high = 0;
};

namespace simt::runtime {

/// Objects that live until they are destroyed by their handle.
template <class T>
class Registry {
 public:
  T* add(std::unique_ptr<T> object) {
    T* const handle = object.get();
    objects_[handle] = std::move(object);
    return handle;
  }
  T* find(T* handle) const { return objects_.count(handle) != 0 ? handle : nullptr; }
  bool remove(T* handle) { return objects_.erase(handle) != 0; }
  std::size_t size() const { return objects_.size(); }
  auto begin() const { return objects_.begin(); }
  auto end() const { return objects_.end(); }

 private:
  std::map<T*, std::unique_ptr<T>> objects_;
};

struct Runtime {
  Runtime();

  std::recursive_mutex mutex;  // held by every call
  Faults faults;
  cudaError_t sticky = cudaSuccess;
  std::exception_ptr unreported;  // met where a destructor may have called
  CUstream_st legacy;
  Registry<CUstream_st> streams;
  Registry<CUevent_st> events;
  Registry<CUgraph_st> graphs;
  Registry<CUgraphExec_st> executables;
  CUmemPoolHandle_st pool;
  std::map<const std::byte*, std::size_t> pinned;
  std::uint64_t random = 0x9e3779b97f4a7c15ull;
  std::size_t kernels = 0, copies = 0, fills = 0, allocations = 0;
  std::set<int> contexts;  // devices that have a primary context

  // --- streams.cpp: queues
  CUstream_st* find_stream(cudaStream_t);  // of the current device; null: not a stream
  MarkerPointer enqueue(CUstream_st&, Work, std::vector<MarkerPointer> after = {}, bool always = false);
  void drain(const MarkerPointer&);  // runs what has to run before, and at least this
  void drain(CUstream_st&);
  void drain_all();
  void step(CUstream_st&);  // runs the next operation, after those it waits for
  void abandon();           // drops all work that waits
  void forget_destroyed();  // streams that were destroyed with work on them, and have done it
  std::vector<CUstream_st*> all_streams();
  cudaError_t submit(cudaStream_t, cudaGraphNodeType, Work);  // to the stream, or into the graph it captures

  // --- captures.cpp
  std::set<std::shared_ptr<Capture>> active_captures();
  cudaError_t forbid(bool forbidden);  // invalidates what captures, and says so
  bool unsafe_call_forbidden();        // malloc and its like, to this thread, now
  cudaError_t add_node(CUstream_st&, cudaGraphNodeType, Work);

  // --- memory.cpp
  enum class Place { pageable, pinned, device };
  Place place_of(const void*) const;
  bool may_allocate(std::size_t bytes);  // counts down to an injected failure

  cudaError_t device_state() const;  // what every call that needs the device returns, if not cudaSuccess
  cudaError_t synchronised() const { return device_state(); }
};
Runtime& the_runtime();

/// Of the calling thread.
struct ThreadState {
  cudaError_t last_error = cudaSuccess;
  int device = 0;
  std::vector<int> below;  // what becomes current again as contexts are popped
  cudaStreamCaptureMode capture_mode = cudaStreamCaptureModeGlobal;
  bool in_host_function = false;
};
ThreadState& thread_state();

}  // namespace simt::runtime
