// Events: each record puts a new marker into a stream; whoever waits does so for the marker of the time he asked.

#include "call.hpp"

#include <algorithm>

using namespace simt::runtime;

namespace {

cudaError_t captured(const CUevent_st& e) {
  e.capture->invalid = true;
  return cudaErrorCapturedEvent;
}

}  // namespace

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* out, unsigned flags) {
  return call(Needs::device, [=](Runtime& r) {
    if (out == nullptr || flags > (cudaEventBlockingSync | cudaEventDisableTiming)) return cudaErrorInvalidValue;
    auto e = std::make_unique<CUevent_st>();
    e->timing = (flags & cudaEventDisableTiming) == 0;
    *out = r.events.add(std::move(e));
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t* out) { return cudaEventCreateWithFlags(out, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return call_to_release(
      [=](Runtime& r) { return r.events.remove(handle) ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
  return call(Needs::device, [=](Runtime& r) {
    CUevent_st* const e = r.events.find(handle);
    CUstream_st* const s = r.find_stream(stream);
    if (e == nullptr || s == nullptr) return cudaErrorInvalidResourceHandle;
    if (s->capture != nullptr) {
      if (s->capture->invalid) return cudaErrorStreamCaptureInvalidated;
      e->capture = s->capture;
      e->tail = s->tail;
      return cudaSuccess;
    }
    e->capture = nullptr;
    e->marker = r.enqueue(*s, nullptr);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t handle, unsigned flags) {
  return call(Needs::device, [=](Runtime& r) {
    CUevent_st* const e = r.events.find(handle);
    CUstream_st* const s = r.find_stream(stream);
    if (e == nullptr || s == nullptr) return cudaErrorInvalidResourceHandle;
    if (flags != cudaEventWaitDefault) return cudaErrorInvalidValue;
    if (s->capture != nullptr && s->capture->invalid) return cudaErrorStreamCaptureInvalidated;
    if (e->capture == nullptr) {
      if (s->capture != nullptr) {  // the work it stands for would not be in the graph
        s->capture->invalid = true;
        return cudaErrorStreamCaptureIsolation;
      }
      if (e->marker != nullptr) r.enqueue(*s, nullptr, {e->marker});
      return cudaSuccess;
    }
    if (e->capture->ended) return cudaErrorCapturedEvent;
    if (s == &r.legacy) {
      e->capture->invalid = true;
      return cudaErrorStreamCaptureImplicit;
    }
    if (s->capture != nullptr && s->capture != e->capture) {
      s->capture->invalid = e->capture->invalid = true;
      return cudaErrorStreamCaptureMerge;
    }
    s->capture = e->capture;  // the stream joins the capture, if it has not yet
    for (auto* node : e->tail) {
      if (std::find(s->tail.begin(), s->tail.end(), node) == s->tail.end()) s->tail.push_back(node);
    }
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return call(Needs::device, [=](Runtime& r) {
    CUevent_st* const e = r.events.find(handle);
    if (e == nullptr) return cudaErrorInvalidResourceHandle;
    if (e->capture != nullptr) return captured(*e);
    if (const auto refused = r.forbid(r.unsafe_call_forbidden()); refused != cudaSuccess) return refused;
    if (e->marker != nullptr) r.drain(MarkerPointer(e->marker));
    return r.synchronised();
  });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return call(Needs::device, [=](Runtime& r) {
    CUevent_st* const e = r.events.find(handle);
    if (e == nullptr) return cudaErrorInvalidResourceHandle;
    if (e->capture != nullptr) return captured(*e);
    if (const auto refused = r.forbid(r.unsafe_call_forbidden()); refused != cudaSuccess) return refused;
    if (e->marker == nullptr || e->marker->done) return r.synchronised();
    r.step(*e->marker->stream);
    return cudaErrorNotReady;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return call(Needs::device, [=](Runtime& r) {
    const CUevent_st* const a = r.events.find(start);
    const CUevent_st* const b = r.events.find(end);
    if (a == nullptr || b == nullptr || !a->timing || !b->timing) return cudaErrorInvalidResourceHandle;
    if (milliseconds == nullptr) return cudaErrorInvalidValue;
    if (a->capture != nullptr || b->capture != nullptr) return cudaErrorCapturedEvent;
    if (a->marker == nullptr || b->marker == nullptr) return cudaErrorInvalidResourceHandle;
    if (!a->marker->done || !b->marker->done) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(b->marker->at - a->marker->at).count();
    return cudaSuccess;
  });
}
