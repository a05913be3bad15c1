// Streams: queues of work. An operation runs at once, or, with Options::defer, when somebody waits for it; then the
// seed says what other streams do meanwhile: 0 only what must come first, 1 all they can, others by chance.

#include "call.hpp"

#include <simt/options.hpp>

#include <algorithm>

namespace simt::runtime {

std::vector<CUstream_st*> Runtime::all_streams() {
  std::vector<CUstream_st*> all{&legacy};
  for (const auto& [handle, stream] : streams) all.push_back(handle);
  return all;
}

CUstream_st* Runtime::find_stream(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) return &legacy;
  CUstream_st* const s = streams.find(handle);
  return s != nullptr && !s->destroyed && s->device == thread_state().device ? s : nullptr;
}

MarkerPointer Runtime::enqueue(CUstream_st& s, Work work, std::vector<MarkerPointer> after, bool always) {
  if (&s == &legacy) {
    for (auto* other : all_streams()) {
      if (other != &legacy && other->blocking && other->last != nullptr) after.push_back(other->last);
    }
  } else if (s.blocking && legacy.last != nullptr) {
    after.push_back(legacy.last);
  }
  std::erase_if(after, [](const MarkerPointer& m) { return m->done; });
  const auto marker = std::make_shared<Marker>(Marker{&s});
  s.last = marker;
  s.queue.push_back({std::move(work), std::move(after), marker, always});
  if (!options().defer) drain(marker);
  return marker;
}

void Runtime::step(CUstream_st& s) {
  for (const auto& m : std::vector<MarkerPointer>(s.queue.front().after)) {
    while (!m->done) step(*m->stream);
  }
  const Operation o = std::move(s.queue.front());
  s.queue.pop_front();
  try {
    if (o.work != nullptr && (o.always || device_state() == cudaSuccess)) o.work();
  } catch (...) {
    o.marker->done = true;
    abandon();
    throw;
  }
  o.marker->done = true;
  o.marker->at = Clock::now();
}

void Runtime::drain(const MarkerPointer& marker) {
  const auto ready = [](const CUstream_st* s) {
    return !s->queue.empty() && std::all_of(s->queue.front().after.begin(), s->queue.front().after.end(),
                                            [](const MarkerPointer& m) { return m->done; });
  };
  const auto seed = options().defer ? options().seed : 0;
  while (!marker->done) {
    CUstream_st* next = marker->stream;
    if (seed > 0) {
      std::vector<CUstream_st*> able;
      for (auto* s : all_streams()) {
        if (ready(s) && (seed > 1 || s != marker->stream)) able.push_back(s);
      }
      random = random * 6364136223846793005ull + seed;
      if (!able.empty()) next = able[(random >> 33) % able.size()];
    }
    step(*next);
  }
  forget_destroyed();
}

void Runtime::forget_destroyed() {
  for (auto* s : all_streams()) {
    if (s->destroyed && s->queue.empty()) streams.remove(s);
  }
}

void Runtime::drain(CUstream_st& s) {
  if (s.last != nullptr) drain(MarkerPointer(s.last));
}

void Runtime::drain_all() {
  for (auto* s : all_streams()) {
    if (s == &legacy || streams.find(s) != nullptr) drain(*s);
  }
}

void Runtime::abandon() {
  for (auto* s : all_streams()) {
    for (auto queue = std::move(s->queue); auto& o : queue) {
      if (o.always) o.work();
      o.marker->done = true;
    }
    s->queue.clear();
  }
  forget_destroyed();
}

cudaError_t Runtime::submit(cudaStream_t handle, cudaGraphNodeType type, Work work) {
  CUstream_st* const s = find_stream(handle);
  if (s == nullptr) return cudaErrorInvalidResourceHandle;
  if (s->capture != nullptr) return add_node(*s, type, std::move(work));
  if (s == &legacy) {
    bool captured = false;
    for (auto* other : all_streams()) {
      if (other->capture == nullptr || !other->blocking) continue;
      other->capture->invalid = true;
      captured = true;
    }
    if (captured) return cudaErrorStreamCaptureImplicit;
  }
  enqueue(*s, std::move(work));
  return cudaSuccess;
}

}  // namespace simt::runtime

using namespace simt::runtime;

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* out, unsigned flags, int) {
  return call(Needs::device, [=](Runtime& r) {
    if (out == nullptr || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    auto s = std::make_unique<CUstream_st>();
    s->device = thread_state().device;
    s->blocking = flags != cudaStreamNonBlocking;
    *out = r.streams.add(std::move(s));
    return cudaSuccess;
  });
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* out, unsigned flags) {
  return cudaStreamCreateWithPriority(out, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t* out) { return cudaStreamCreateWithPriority(out, cudaStreamDefault, 0); }

// The work on it goes on.
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return call_to_release([=](Runtime& r) {
    CUstream_st* const s = r.streams.find(handle);
    if (s == nullptr || s->destroyed) return cudaErrorInvalidResourceHandle;
    if (s->capture != nullptr) s->capture->invalid = true;
    s->capture = nullptr;
    s->destroyed = true;
    if (s->queue.empty()) r.streams.remove(s);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return call(Needs::device, [=](Runtime& r) {
    CUstream_st* const s = r.find_stream(handle);
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (const auto e = r.forbid(s->capture != nullptr || r.unsafe_call_forbidden()); e != cudaSuccess) return e;
    r.drain(*s);
    return r.synchronised();
  });
}

// Time passes while somebody asks: each question lets one operation run.
cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return call(Needs::device, [=](Runtime& r) {
    CUstream_st* const s = r.find_stream(handle);
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (const auto e = r.forbid(s->capture != nullptr || r.unsafe_call_forbidden()); e != cudaSuccess) return e;
    if (s->queue.empty()) return r.synchronised();
    r.step(*s);
    return cudaErrorNotReady;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return call(Needs::device, [](Runtime& r) {
    if (const auto e = r.forbid(!r.active_captures().empty()); e != cudaSuccess) return e;
    r.drain_all();
    return r.synchronised();
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
  return call(Needs::device, [=](Runtime& r) {
    if (function == nullptr) return cudaErrorInvalidValue;
    return r.submit(handle, cudaGraphNodeTypeHost, [=] {
      thread_state().in_host_function = true;  // in which the API must not be called
      function(data);
      thread_state().in_host_function = false;
    });
  });
}
