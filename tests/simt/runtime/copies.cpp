// Copies and fills. What the pointers are is checked against what the caller says when he asks; that the memory is
// still there, when the stream comes to it.

#include "call.hpp"

#include <cstring>

using namespace simt::runtime;
using simt::engine::device_memory;
using Place = Runtime::Place;

namespace {

// Whether [p, p + n) is what it seems to be: device memory in one allocation, or not device memory.
bool whole(const Runtime& r, const void* p, std::size_t n) {
  return r.place_of(p) != Place::device || device_memory().contains(p, n);
}

void need_live(const Runtime& r, const void* p, std::size_t n, bool device, const char* what) {
  if (!device || device_memory().contains_live(p, n)) return;
  const bool early = r.place_of(p) == Place::device;
  throw simt::error(std::string("simt: ") + what + ": device memory that the stream's order has " +
                    (early ? "not allocated yet" : "freed already") + " when it comes to it");
}

struct Transfer {
  void* to;
  const void* from;
  std::size_t bytes;
  bool to_device, from_device;

  void run(Runtime& r) const {
    need_live(r, to, bytes, to_device, "cudaMemcpy");
    need_live(r, from, bytes, from_device, "cudaMemcpy");
    device_memory().copy(to, from, bytes);
    ++r.copies;
  }
};

// What is wrong with a transfer, if anything is.
cudaError_t classify(const Runtime& r, Transfer& t, cudaMemcpyKind kind) {
  t.to_device = r.place_of(t.to) == Place::device;
  t.from_device = r.place_of(t.from) == Place::device;
  if (t.to == nullptr || t.from == nullptr) return cudaErrorInvalidValue;
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind != cudaMemcpyDefault && (to_device != t.to_device || from_device != t.from_device)) {
    return cudaErrorInvalidValue;
  }
  return whole(r, t.to, t.bytes) && whole(r, t.from, t.bytes) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t copy(Runtime& r, Transfer t, cudaMemcpyKind kind, cudaStream_t stream) {
  CUstream_st* const s = r.find_stream(stream);
  if (s == nullptr) return cudaErrorInvalidResourceHandle;
  if (t.bytes == 0) return cudaSuccess;
  if (const auto e = classify(r, t, kind); e != cudaSuccess) return e;
  const bool pageable_source = !t.from_device && r.place_of(t.from) == Place::pageable;
  const bool pageable = pageable_source || (!t.to_device && r.place_of(t.to) == Place::pageable);
  // A graph would read or write it at every launch, long after its owner may have gone.
  if (const auto e = r.forbid(s->capture != nullptr && pageable); e != cudaSuccess) return e;
  if (!pageable_source || !t.to_device) return r.submit(stream, cudaGraphNodeTypeMemcpy, [&r, t] { t.run(r); });
  // The caller may change it as soon as the call has returned: it is copied now.
  auto staged = std::make_shared<std::vector<std::byte>>(t.bytes);
  std::memcpy(staged->data(), t.from, t.bytes);
  t.from = staged->data();
  return r.submit(stream, cudaGraphNodeTypeMemcpy, [&r, t, staged] { t.run(r); });
}

cudaError_t fill(Runtime& r, void* to, int value, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return r.find_stream(stream) != nullptr ? cudaSuccess : cudaErrorInvalidResourceHandle;
  const bool device = r.place_of(to) == Place::device;
  if (r.place_of(to) == Place::pageable || !whole(r, to, bytes)) return cudaErrorInvalidValue;
  return r.submit(stream, cudaGraphNodeTypeMemset, [&r, to, value, bytes, device] {
    need_live(r, to, bytes, device, "cudaMemset");
    device_memory().fill(to, value, bytes);
    ++r.fills;
  });
}

}  // namespace

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return call(Needs::device, [=](Runtime& r) { return copy(r, {to, from, bytes, false, false}, kind, stream); });
}

// On the legacy stream; between two places on the device it does not wait.
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return call(Needs::device, [=](Runtime& r) {
    if (const auto e = r.forbid(r.unsafe_call_forbidden()); e != cudaSuccess) return e;
    const auto e = copy(r, {to, from, bytes, false, false}, kind, nullptr);
    if (e != cudaSuccess) return e;
    if (r.place_of(to) != Place::device || r.place_of(from) != Place::device) r.drain(r.legacy);
    return r.synchronised();
  });
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  return call(Needs::device, [=](Runtime& r) { return fill(r, to, value, bytes, stream); });
}

cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  return call(Needs::device, [=](Runtime& r) {
    if (const auto e = r.forbid(r.unsafe_call_forbidden()); e != cudaSuccess) return e;
    return fill(r, to, value, bytes, nullptr);
  });
}
