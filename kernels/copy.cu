// copy.  Bytes between host memory and the GPU's: the only place that moves them, and where they are counted. No
// kernel; bound by the bus.
#include "context.cuh"

#include <minitrain/cuda/memory.hpp>

#include <cstring>

namespace minitrain::inline MINITRAIN_ABI {

void Cuda::Context::copy_to_gpu(const void* host, void* to, std::size_t bytes, cudaStream_t stream, const char* what) {
  check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, stream), what);
  (replay_ == nullptr ? traffic_ : captured_).sent(bytes);
}

void Cuda::Context::copy_from_gpu(const void* from, void* host, std::size_t bytes, cudaStream_t stream,
                                  const char* what) {
  check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, stream), what);
  (replay_ == nullptr ? traffic_ : captured_).received(bytes);
}

void Cuda::Context::upload_bytes(const void* host, std::size_t bytes, void* to) {
  if (bytes == 0) return;
  Staging& slot = staging_[next_staging_++ % staging_slots];
  if (slot.in_flight) check(cudaEventSynchronize(slot.copied), "wait for an upload");
  slot.in_flight = false;
  if (bytes > slot.bytes) {
    if (slot.pinned != nullptr) check(cudaFreeHost(std::exchange(slot.pinned, nullptr)), "pinned memory");
    slot.bytes = 0;
    check(cudaMallocHost(&slot.pinned, bytes), "pinned memory");
    slot.bytes = bytes;
  }
  std::memcpy(slot.pinned, host, bytes);
  copy_to_gpu(slot.pinned, to, bytes, stream_, "upload");
  check(cudaEventRecord(slot.copied, stream_), "upload");
  slot.in_flight = true;
}

namespace cuda {

void copy_from_host(const Cuda& device, const void* host, void* to, std::size_t bytes) {
  if (bytes == 0) return;
  const auto scope = device.arithmetic_scope();
  device.context()->copy_to_gpu(host, to, bytes, stream_of(device), "copy to the GPU");
  device.synchronize();  // pinned memory, and pageable memory that the GPU can read itself, is not staged
}

void copy_to_host(const Cuda& device, const void* from, void* host, std::size_t bytes) {
  const auto scope = device.arithmetic_scope();
  if (bytes != 0) device.context()->copy_from_gpu(from, host, bytes, stream_of(device), "copy from the GPU");
  device.synchronize();
}

}  // namespace cuda

Traffic traffic(const Cuda& device) { return device.context()->traffic(); }

}  // namespace minitrain::inline MINITRAIN_ABI
