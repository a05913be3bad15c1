// Devices: how many, and what they can do.

#include "../engine/device.hpp"
#include "call.hpp"

#include <simt/checker.hpp>

#include <cuda.h>

#include <cstring>

namespace simt::engine {

int compute_capability() {
  const auto& f = runtime::the_runtime().faults;
  return 10 * f.compute_major + f.compute_minor;
}

std::size_t shared_limit() {
  switch (compute_capability()) {
    case 75:
      return 64u << 10;
    case 80:
    case 87:
      return 163u << 10;
    case 86:
    case 89:
    case 120:
      return 99u << 10;
    default:
      return compute_capability() < 75 ? 48u << 10 : 227u << 10;
  }
}

void need_capability(int capability, const char* instruction) {
  if (compute_capability() >= capability) return;
  fail(std::string(instruction) + " needs compute capability " + std::to_string(capability / 10) + "." +
       std::to_string(capability % 10));
}

}  // namespace simt::engine

using namespace simt::runtime;

namespace {

cudaError_t known(const Runtime& r, int device) {
  return device >= 0 && device < r.faults.devices ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaDeviceProp properties(const Runtime& r) {
  cudaDeviceProp p{};
  std::strcpy(p.name, "Emulated GPU");
  p.totalGlobalMem = r.faults.total_memory;
  p.sharedMemPerBlock = 48u << 10;
  p.sharedMemPerBlockOptin = simt::engine::shared_limit();
  p.sharedMemPerMultiprocessor = simt::engine::shared_limit() + 1024;
  p.reservedSharedMemPerBlock = 1024;
  p.regsPerBlock = p.regsPerMultiprocessor = 65536;
  p.warpSize = 32;
  p.maxThreadsPerBlock = 1024;
  p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
  p.maxThreadsDim[2] = 64;
  p.maxGridSize[0] = 0x7fffffff;
  p.maxGridSize[1] = p.maxGridSize[2] = 65535;
  p.major = r.faults.compute_major;
  p.minor = r.faults.compute_minor;
  p.multiProcessorCount = r.faults.multiprocessors;
  p.maxThreadsPerMultiProcessor = 2048;
  p.maxBlocksPerMultiProcessor = 32;
  p.l2CacheSize = 50 << 20;
  p.memoryBusWidth = 5120;
  p.asyncEngineCount = 2;
  p.canMapHostMemory = p.concurrentKernels = p.unifiedAddressing = p.streamPrioritiesSupported = 1;
  p.cooperativeLaunch = p.memoryPoolsSupported = 1;
  return p;
}

// -1: not one of those that are emulated.
int attribute_of(const cudaDeviceProp& p, cudaDeviceAttr attribute) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      return p.maxThreadsPerBlock;
    case cudaDevAttrMaxBlockDimX:
      return p.maxThreadsDim[0];
    case cudaDevAttrMaxGridDimX:
      return p.maxGridSize[0];
    case cudaDevAttrMaxGridDimY:
      return p.maxGridSize[1];
    case cudaDevAttrMaxGridDimZ:
      return p.maxGridSize[2];
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return static_cast<int>(p.sharedMemPerBlock);
    case cudaDevAttrWarpSize:
      return p.warpSize;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      return p.regsPerBlock;
    case cudaDevAttrClockRate:
      return 1'755'000;  // kHz
    case cudaDevAttrMultiProcessorCount:
      return p.multiProcessorCount;
    case cudaDevAttrMemoryClockRate:
      return 2'619'000;
    case cudaDevAttrGlobalMemoryBusWidth:
      return p.memoryBusWidth;
    case cudaDevAttrL2CacheSize:
      return p.l2CacheSize;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return p.maxThreadsPerMultiProcessor;
    case cudaDevAttrAsyncEngineCount:
      return p.asyncEngineCount;
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrCooperativeLaunch:
    case cudaDevAttrMemoryPoolsSupported:
      return 1;
    case cudaDevAttrManagedMemory:
      return 0;
    case cudaDevAttrComputeCapabilityMajor:
      return p.major;
    case cudaDevAttrComputeCapabilityMinor:
      return p.minor;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return static_cast<int>(p.sharedMemPerMultiprocessor);
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return static_cast<int>(p.sharedMemPerBlockOptin);
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      return p.maxBlocksPerMultiProcessor;
  }
  return -1;
}

}  // namespace

cudaError_t cudaGetDeviceCount(int* count) {
  return call(Needs::nothing, [=](Runtime& r) {
    if (count == nullptr) return cudaErrorInvalidValue;
    *count = 0;
    if (r.faults.driver_missing) return cudaErrorInsufficientDriver;
    if (r.faults.devices < 1) return cudaErrorNoDevice;
    *count = r.faults.devices;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return call(Needs::device, [=](Runtime& r) {
    if (const auto e = known(r, device); e != cudaSuccess) return e;
    thread_state().device = device;
    r.contexts.insert(device);
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return call(Needs::device, [=](Runtime&) {
    if (device == nullptr) return cudaErrorInvalidValue;
    *device = thread_state().device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int device) {
  return call(Needs::device, [=](Runtime& r) {
    if (out == nullptr) return cudaErrorInvalidValue;
    if (const auto e = known(r, device); e != cudaSuccess) return e;
    *out = properties(r);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return call(Needs::device, [=](Runtime& r) {
    if (value == nullptr) return cudaErrorInvalidValue;
    if (const auto e = known(r, device); e != cudaSuccess) return e;
    *value = attribute_of(properties(r), attribute);
    return *value >= 0 ? cudaSuccess : cudaErrorInvalidValue;
  });
}

// 0: there is no driver.
cudaError_t cudaDriverGetVersion(int* version) {
  return call(Needs::nothing, [=](Runtime& r) {
    if (version == nullptr) return cudaErrorInvalidValue;
    *version = r.faults.driver_missing ? 0 : CUDART_VERSION;
    return cudaSuccess;
  });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  return call(Needs::nothing, [=](Runtime&) {
    if (version == nullptr) return cudaErrorInvalidValue;
    *version = CUDART_VERSION;
    return cudaSuccess;
  });
}

// --- the driver's functions ------------------------------------------------------------------------------------------

namespace {

// The primary context of device i.
struct Primary {
  char of[16];
} primaries;

CUresult device_get(CUdevice* device, int ordinal) {
  if (ordinal < 0 || ordinal >= the_runtime().faults.devices) return CUDA_ERROR_INVALID_VALUE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult primary_retain(CUcontext* context, CUdevice device) {
  const std::lock_guard lock(the_runtime().mutex);
  if (device < 0 || device >= static_cast<int>(sizeof primaries.of)) return CUDA_ERROR_INVALID_VALUE;
  the_runtime().contexts.insert(device);
  *context = reinterpret_cast<CUcontext>(&primaries.of[device]);
  return CUDA_SUCCESS;
}

CUresult push_current(CUcontext context) {
  thread_state().below.push_back(thread_state().device);
  thread_state().device = static_cast<int>(reinterpret_cast<char*>(context) - primaries.of);
  return CUDA_SUCCESS;
}

CUresult pop_current(CUcontext* context) {
  if (thread_state().below.empty()) return CUDA_ERROR_INVALID_CONTEXT;
  *context = reinterpret_cast<CUcontext>(&primaries.of[thread_state().device]);
  thread_state().device = thread_state().below.back();
  thread_state().below.pop_back();
  return CUDA_SUCCESS;
}

}  // namespace

cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult* result) {
  return call(Needs::nothing, [=](Runtime&) {
    const std::string_view name = symbol;
    *function = name == "cuDeviceGet"                ? reinterpret_cast<void*>(device_get)
                : name == "cuDevicePrimaryCtxRetain" ? reinterpret_cast<void*>(primary_retain)
                : name == "cuCtxPushCurrent"         ? reinterpret_cast<void*>(push_current)
                : name == "cuCtxPopCurrent"          ? reinterpret_cast<void*>(pop_current)
                                                     : nullptr;
    *result = *function != nullptr ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
  });
}
