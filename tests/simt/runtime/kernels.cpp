// Kernels as the runtime sees them: launches, attributes, occupancy, names.

#include "../engine/device.hpp"
#include "../engine/launch.hpp"
#include "../engine/report.hpp"
#include "call.hpp"

#include <simt/options.hpp>

#include <algorithm>
#include <cstdio>

using namespace simt::runtime;
namespace engine = simt::engine;

namespace {

constexpr int threads_on_multiprocessor = 2048, blocks_on_multiprocessor = 32;

int blocks_at_once(int block_size, std::size_t dynamic_shared) {
  const int by_threads = threads_on_multiprocessor / ((block_size + 31) / 32 * 32);
  const auto by_memory = (engine::shared_limit() + 1024) / (dynamic_shared + 1024);
  return std::min({blocks_on_multiprocessor, by_threads, static_cast<int>(std::min<std::size_t>(by_memory, 1000))});
}

void run_kernel(Runtime& r, const engine::Launch& launch) {
  ++r.kernels;
  if (r.faults.fail_launch > 0 && --r.faults.fail_launch == 0) {
    r.sticky = r.faults.launch_error;
    return;
  }
  try {
    engine::run(launch);
  } catch (const simt::error& e) {
    if (!simt::options().faults_stick) throw;
    std::fprintf(stderr, "%s\n", e.what());
    r.sticky = cudaErrorLaunchFailure;
  }
}

}  // namespace

cudaError_t simt::launch(const cudaLaunchConfig_t& config, KernelCall kernel) {
  return call(Needs::device, [&](Runtime& r) {
    bool cooperative = false;
    for (unsigned i = 0; i < config.numAttrs; ++i) {
      if (config.attrs[i].id == cudaLaunchAttributeCooperative) cooperative = config.attrs[i].val.cooperative != 0;
    }
    const engine::Launch launch{kernel, config.gridDim, config.blockDim, config.dynamicSmemBytes, cooperative};
    if (const auto e = engine::launch_error(launch); e != cudaSuccess) return e;
    if (cooperative) {
      const auto threads = static_cast<int>(launch.block.x * launch.block.y * launch.block.z);
      const auto most = static_cast<unsigned>(blocks_at_once(threads, launch.dynamic) * r.faults.multiprocessors);
      if (std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z > most)
        return cudaErrorCooperativeLaunchTooLarge;
    }
    return r.submit(config.stream, cudaGraphNodeTypeKernel, [&r, launch] { run_kernel(r, launch); });
  });
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return call(Needs::device, [=](Runtime&) {
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0) return cudaErrorInvalidValue;
    const bool allowed = engine::allow_dynamic_shared(kernel, static_cast<std::size_t>(value));
    return allowed ? cudaSuccess : cudaErrorInvalidValue;
  });
}

// Registers and static shared memory are not known here.
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  return call(Needs::device, [=](Runtime& r) {
    if (attributes == nullptr) return cudaErrorInvalidValue;
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    if (engine::compute_capability() < 75) return cudaErrorNoKernelImageForDevice;
    *attributes = {};
    attributes->maxThreadsPerBlock = 1024;
    attributes->numRegs = 32;
    attributes->binaryVersion = engine::compute_capability();
    attributes->ptxVersion = r.faults.code_version != 0 ? r.faults.code_version : attributes->binaryVersion;
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(engine::dynamic_shared_allowed(kernel));
    return cudaSuccess;
  });
}

cudaError_t cudaFuncGetName(const char** name, const void* kernel) {
  return call(Needs::device, [=](Runtime&) {
    static std::map<const void*, std::string> names;
    if (name == nullptr || kernel == nullptr) return cudaErrorInvalidValue;
    auto& found = names[kernel];
    if (found.empty()) found = engine::mangled_name(kernel);
    if (found.empty()) return cudaErrorInvalidDeviceFunction;
    *name = found.c_str();
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel, int block_size,
                                                          std::size_t dynamic_shared) {
  return call(Needs::device, [=](Runtime&) {
    if (blocks == nullptr || block_size < 1) return cudaErrorInvalidValue;
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    *blocks = block_size > 1024 ? 0 : blocks_at_once(block_size, dynamic_shared);
    return cudaSuccess;
  });
}
