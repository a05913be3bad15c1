// Memory: of the device, directly or in stream order from its pool, and pinned memory of the host.

#include "call.hpp"

#include "../engine/sanitizer.hpp"
#include "../engine/worker.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace simt::runtime {

Runtime::Place Runtime::place_of(const void* p) const {
  if (engine::device_memory().holds(p)) return Place::device;
  auto it = pinned.upper_bound(static_cast<const std::byte*>(p));
  if (it == pinned.begin()) return Place::pageable;
  --it;
  return static_cast<const std::byte*>(p) < it->first + it->second ? Place::pinned : Place::pageable;
}

bool Runtime::may_allocate(std::size_t bytes) {
  if (faults.fail_allocation > 0 && --faults.fail_allocation == 0) return false;
  const std::size_t used = engine::device_memory().bytes();
  if (bytes > faults.total_memory || used > faults.total_memory - bytes) return false;
  ++allocations;
  return true;
}

namespace {

void pool_changes(CUmemPoolHandle_st& pool, std::ptrdiff_t bytes) {
  pool.used += static_cast<std::size_t>(bytes);
  pool.used_high = std::max(pool.used_high, pool.used);
  pool.reserved = std::max(pool.reserved, pool.used);
  pool.reserved_high = std::max(pool.reserved_high, pool.reserved);
}

}  // namespace

}  // namespace simt::runtime

using namespace simt::runtime;
using simt::engine::device_memory;

cudaError_t cudaMalloc(void** out, std::size_t bytes) {
  return call(Needs::device, [=](Runtime& r) {
    if (out == nullptr) return cudaErrorInvalidValue;
    if (const auto e = r.forbid(r.unsafe_call_forbidden()); e != cudaSuccess) return e;
    *out = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (!r.may_allocate(bytes)) return cudaErrorMemoryAllocation;
    *out = device_memory().allocate(bytes, false);
    return cudaSuccess;
  });
}

cudaError_t cudaFree(void* p) {
  return call_to_release([=](Runtime& r) {
    if (const auto e = r.forbid(r.unsafe_call_forbidden()); e != cudaSuccess) return e;
    if (p == nullptr) return cudaSuccess;
    const auto* const a = device_memory().find(p);
    if (a == nullptr || a->leaving) return cudaErrorInvalidValue;
    const std::size_t pooled = a->pooled ? a->bytes : 0;
    struct Release {  // also when the work before it fails
      Runtime& r;
      void* p;
      std::size_t pooled;
      ~Release() {
        device_memory().release(p);
        pool_changes(r.pool, -static_cast<std::ptrdiff_t>(pooled));
      }
    } release{r, p, pooled};
    r.drain_all();
    return cudaSuccess;
  });
}

cudaError_t cudaMallocAsync(void** out, std::size_t bytes, cudaStream_t stream) {
  return call(Needs::device, [=](Runtime& r) {
    CUstream_st* const s = r.find_stream(stream);
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (out == nullptr) return cudaErrorInvalidValue;
    if (const auto e = r.forbid(s->capture != nullptr); e != cudaSuccess) return e;  // no memory nodes here
    *out = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (!r.may_allocate(bytes)) return cudaErrorMemoryAllocation;
    void* const p = device_memory().allocate(bytes, true);
    pool_changes(r.pool, static_cast<std::ptrdiff_t>(bytes));
    *out = p;
    r.enqueue(
        *s, [p] { device_memory().make_live(p); }, {}, true);
    return cudaSuccess;
  });
}

cudaError_t cudaFreeAsync(void* p, cudaStream_t stream) {
  return call_to_release([=](Runtime& r) {
    CUstream_st* const s = r.find_stream(stream);
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (const auto e = r.forbid(s->capture != nullptr); e != cudaSuccess) return e;
    if (p == nullptr) return cudaSuccess;
    auto* const a = device_memory().find(p);
    if (a == nullptr || !a->pooled || a->leaving) return cudaErrorInvalidValue;
    a->leaving = true;
    const auto bytes = static_cast<std::ptrdiff_t>(a->bytes);
    const auto release = [&r, p, bytes] {
      device_memory().release(p);
      pool_changes(r.pool, -bytes);
    };
    r.enqueue(*s, release, {}, true);
    return cudaSuccess;
  });
}

// --- the pool -------------------------------------------------------------------------------------------------------

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* out, int device) {
  return call(Needs::device, [=](Runtime& r) {
    if (device < 0 || device >= r.faults.devices) return cudaErrorInvalidDevice;
    *out = &r.pool;
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  return call(Needs::device, [=](Runtime& r) {
    if (pool != &r.pool || value == nullptr) return cudaErrorInvalidValue;
    if (attribute <= cudaMemPoolReuseAllowInternalDependencies) return cudaSuccess;
    if (attribute == cudaMemPoolAttrReleaseThreshold) {
      std::memcpy(&pool->release_threshold, value, sizeof pool->release_threshold);
    } else if (attribute == cudaMemPoolAttrReservedMemHigh) {
      pool->reserved_high = pool->reserved;
    } else if (attribute == cudaMemPoolAttrUsedMemHigh) {
      pool->used_high = pool->used;
    } else {
      return cudaErrorInvalidValue;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  return call(Needs::device, [=](Runtime& r) {
    if (pool != &r.pool || value == nullptr) return cudaErrorInvalidValue;
    const std::uint64_t values[] = {pool->release_threshold, pool->reserved, pool->reserved_high, pool->used,
                                    pool->used_high};
    if (attribute < cudaMemPoolAttrReleaseThreshold || attribute > cudaMemPoolAttrUsedMemHigh) {
      return cudaErrorInvalidValue;
    }
    std::memcpy(value, &values[attribute - cudaMemPoolAttrReleaseThreshold], sizeof values[0]);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, std::size_t keep) {
  return call(Needs::device, [=](Runtime& r) {
    if (pool != &r.pool) return cudaErrorInvalidValue;
    pool->reserved = std::max(pool->used, std::min(pool->reserved, keep));
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return call(Needs::device, [=](Runtime& r) {
    if (free == nullptr || total == nullptr) return cudaErrorInvalidValue;
    *total = r.faults.total_memory;
    *free = *total - std::min(*total, device_memory().bytes() + r.pool.reserved - r.pool.used);
    return cudaSuccess;
  });
}

// --- pinned memory --------------------------------------------------------------------------------------------------

cudaError_t cudaHostAlloc(void** out, std::size_t bytes, unsigned flags) {
  return call(Needs::device, [=](Runtime& r) {
    if (out == nullptr || flags > 7) return cudaErrorInvalidValue;
    if (const auto e = r.forbid(r.unsafe_call_forbidden()); e != cudaSuccess) return e;
    *out = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (!r.may_allocate(0)) return cudaErrorMemoryAllocation;
    void* p = nullptr;
    if (posix_memalign(&p, 4096, bytes) != 0) return cudaErrorMemoryAllocation;
    std::memset(p, 0xff, bytes);
    r.pinned[static_cast<std::byte*>(p)] = bytes;
    if (auto* const checker = simt::engine::checker()) {  // the device can reach it
      checker->global_allocated(p, bytes);
      checker->global_initialised(p, bytes);
    }
    *out = p;
    return cudaSuccess;
  });
}
cudaError_t cudaMallocHost(void** out, std::size_t bytes, unsigned flags) { return cudaHostAlloc(out, bytes, flags); }

cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned) {
  return call(Needs::device, [=](Runtime& r) {
    if (device == nullptr || r.place_of(host) != Runtime::Place::pinned) return cudaErrorInvalidValue;
    *device = host;
    return cudaSuccess;
  });
}

cudaError_t cudaFreeHost(void* p) {
  return call_to_release([=](Runtime& r) {
    if (const auto e = r.forbid(r.unsafe_call_forbidden()); e != cudaSuccess) return e;
    if (p == nullptr) return cudaSuccess;
    if (r.pinned.count(static_cast<std::byte*>(p)) == 0) return cudaErrorInvalidValue;
    r.drain_all();
    r.pinned.erase(static_cast<std::byte*>(p));
    if (auto* const checker = simt::engine::checker()) checker->global_freed(p);
    std::free(p);
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* p) {
  return call(Needs::device, [=](Runtime& r) {
    if (attributes == nullptr) return cudaErrorInvalidValue;
    const auto place = r.place_of(p);
    void* const address = const_cast<void*>(p);
    *attributes = {cudaMemoryTypeUnregistered, -1, nullptr, address};
    if (place == Runtime::Place::device) *attributes = {cudaMemoryTypeDevice, 0, address, nullptr};
    if (place == Runtime::Place::pinned) *attributes = {cudaMemoryTypeHost, 0, address, address};
    return cudaSuccess;
  });
}
