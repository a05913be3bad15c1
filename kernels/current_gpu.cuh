// How a GPU is made current for a thread: its primary context is pushed, and popped afterwards. cudaSetDevice would do
// for the first, but putting back the GPU that was current with it makes a context there, hundreds of megabytes, where
// the program has never used that GPU. The runtime works on whatever primary context is on top. The driver's functions
// come through the runtime, so nothing links with the driver's library.
#pragma once
#include <minitrain/config.hpp>

#include <cuda.h>
#include <cuda_runtime.h>

namespace minitrain::inline MINITRAIN_ABI::cuda {

struct ContextCalls {
  CUresult (*device_get)(CUdevice*, int) = nullptr;
  CUresult (*retain)(CUcontext*, CUdevice) = nullptr;
  CUresult (*push)(CUcontext) = nullptr;
  CUresult (*pop)(CUcontext*) = nullptr;
};

template <class Function>
void find_driver_function(const char* name, Function& function) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
#if CUDART_VERSION >= 12050
  const cudaError_t status = cudaGetDriverEntryPointByVersion(name, &found, 11000, cudaEnableDefault, &result);
#elif CUDART_VERSION >= 12000
  const cudaError_t status = cudaGetDriverEntryPoint(name, &found, cudaEnableDefault, &result);
#else
  const cudaError_t status = cudaGetDriverEntryPoint(name, &found, cudaEnableDefault);
#endif
  if (status == cudaSuccess && result == cudaDriverEntryPointSuccess) function = reinterpret_cast<Function>(found);
  static_cast<void>(cudaGetLastError());
}

/// Asked for once, when the driver is known to be there.
inline const ContextCalls& context_calls() {
  static const ContextCalls calls = [] {
    ContextCalls c;
    find_driver_function("cuDeviceGet", c.device_get);
    find_driver_function("cuDevicePrimaryCtxRetain", c.retain);
    find_driver_function("cuCtxPushCurrent", c.push);
    find_driver_function("cuCtxPopCurrent", c.pop);
    return c;
  }();
  return calls;
}

/// The primary context of a GPU, made if there is none and kept to the end of the process, as the runtime does; null
/// where the driver does not offer it this way.
inline CUcontext primary_context(int index) {
  const ContextCalls& calls = context_calls();
  if (!calls.device_get || !calls.retain || !calls.push || !calls.pop) return nullptr;
  CUdevice device = 0;
  CUcontext context = nullptr;
  if (calls.device_get(&device, index) != CUDA_SUCCESS) return nullptr;
  return calls.retain(&context, device) == CUDA_SUCCESS ? context : nullptr;
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
