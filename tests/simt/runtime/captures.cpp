// Stream capture: what would run is put into a graph. A call that CUDA forbids meanwhile spoils the capture.

#include "call.hpp"

#include <simt/options.hpp>

#include <algorithm>

namespace simt::runtime {

std::set<std::shared_ptr<Capture>> Runtime::active_captures() {
  std::set<std::shared_ptr<Capture>> active;
  for (const auto& [handle, stream] : streams) {
    if (stream->capture != nullptr) active.insert(stream->capture);
  }
  return active;
}

cudaError_t Runtime::forbid(bool forbidden) {
  if (!forbidden) return cudaSuccess;
  for (const auto& c : active_captures()) c->invalid = true;
  return cudaErrorStreamCaptureUnsupported;
}

// As the documentation of cudaThreadExchangeStreamCaptureMode has it.
bool Runtime::unsafe_call_forbidden() {
  const auto mine = thread_state().capture_mode;
  if (mine == cudaStreamCaptureModeRelaxed) return false;
  for (const auto& c : active_captures()) {
    if (c->thread == std::this_thread::get_id()) {
      if (c->mode != cudaStreamCaptureModeRelaxed) return true;
    } else if (mine == cudaStreamCaptureModeGlobal && c->mode == cudaStreamCaptureModeGlobal) {
      return true;
    }
  }
  return false;
}

cudaError_t Runtime::add_node(CUstream_st& s, cudaGraphNodeType type, Work work) {
  if (s.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  auto& nodes = s.capture->graph->nodes;
  nodes.push_back(std::make_shared<CUgraphNode_st>(CUgraphNode_st{type, std::move(work), s.tail}));
  s.tail = {nodes.back().get()};
  return cudaSuccess;
}

namespace {

// Whether all that `streams` have added comes before the end of the origin.
bool joined(const Capture& c, const std::vector<CUstream_st*>& streams) {
  std::set<const CUgraphNode_st*> before;
  std::vector<const CUgraphNode_st*> open(c.origin->tail.begin(), c.origin->tail.end());
  while (!open.empty()) {
    const auto* const node = open.back();
    open.pop_back();
    if (before.insert(node).second) open.insert(open.end(), node->after.begin(), node->after.end());
  }
  return std::all_of(streams.begin(), streams.end(), [&](const CUstream_st* s) {
    return s->capture.get() != &c ||
           std::all_of(s->tail.begin(), s->tail.end(), [&](const auto* node) { return before.count(node) != 0; });
  });
}

}  // namespace

}  // namespace simt::runtime

using namespace simt::runtime;

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return call(Needs::device, [=](Runtime& r) {
    CUstream_st* const s = r.find_stream(handle);
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (s == &r.legacy) return cudaErrorStreamCaptureUnsupported;
    if (s->capture != nullptr) return cudaErrorIllegalState;
    s->capture = std::make_shared<Capture>();
    s->capture->mode = mode;
    s->capture->thread = std::this_thread::get_id();
    s->capture->origin = s;
    s->capture->graph = std::make_unique<CUgraph_st>();
    s->tail.clear();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return call(Needs::device, [=](Runtime& r) {
    CUstream_st* const s = r.find_stream(handle);
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (graph == nullptr) return cudaErrorInvalidValue;
    *graph = nullptr;
    const auto c = s->capture;
    if (c == nullptr) return cudaErrorIllegalState;
    if (c->mode != cudaStreamCaptureModeRelaxed && c->thread != std::this_thread::get_id()) {
      return cudaErrorStreamCaptureWrongThread;
    }
    const bool matched = c->origin == s, whole = matched && joined(*c, r.all_streams());
    c->ended = true;
    for (auto* other : r.all_streams()) {
      if (other->capture != c) continue;
      other->capture = nullptr;
      other->tail.clear();
    }
    if (c->invalid) return cudaErrorStreamCaptureInvalidated;
    if (!matched) return cudaErrorStreamCaptureUnmatched;
    if (!whole) return cudaErrorStreamCaptureUnjoined;
    *graph = r.graphs.add(std::move(c->graph));
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return call(Needs::device, [=](Runtime& r) {
    const CUstream_st* const s = r.find_stream(handle);
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (status == nullptr) return cudaErrorInvalidValue;
    *status = s->capture == nullptr ? cudaStreamCaptureStatusNone
              : s->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                    : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  return call(Needs::nothing, [=](Runtime&) {
    if (mode == nullptr) return cudaErrorInvalidValue;
    std::swap(*mode, thread_state().capture_mode);
    return cudaSuccess;
  });
}
