#pragma once
// Memory operations of the CUDA device: fill, copy, and how many samples to take at a time.

#include <minitrain/core/permutation.hpp>
#include <minitrain/core/traffic.hpp>
#include <minitrain/cuda/device.hpp>

#include <span>

namespace minitrain::inline MINITRAIN_ABI {

template <class T>
void fill_zero(const Cuda& device, const View<T, Cuda>& y) {
  cuda::fill_zero(device, y.data(), y.size() * sizeof(T));
}

template <class T>
void copy_from_host(const Cuda& device, const T* host, const View<T, Cuda>& y) {
  cuda::copy_from_host(device, host, y.data(), y.size() * sizeof(T));
}
/// Waits for everything queued before it.
template <class T>
void copy_to_host(const Cuda& device, const View<const T, Cuda>& x, T* host) {
  cuda::copy_to_host(device, x.data(), host, x.size() * sizeof(T));
}

/// Whether no element is infinite or NaN. Waits for the answer.
bool all_finite(const Cuda& device, const View<const float, Cuda>& x);

/// out[j] = permutation(first + j), on the host, for data that stays there.
inline void fill_order(const Cuda&, const Permutation& permutation, std::uint64_t first, std::span<std::uint64_t> out) {
  permutation.fill(first, out);
}

/// Bytes that can still be allocated. Waits for the memory that is on its way back.
std::size_t free_bytes(const Cuda& device);

/// All copies between host memory and the GPU's since the device was made, those of replayed steps among them.
Traffic traffic(const Cuda& device);

/// Who computes the matrix products that have come up so far, a line each: our own kernels or cuBLASLt
/// (CudaOptions::exact), with the times that decided.
std::string describe_choices(const Cuda& device);

/// Micro-batches whose sizes are multiples of it give the bits of the undivided batch: 1 in fp32, 8 in tf32, 16 in bf16
/// and fp16; 0 where nothing is promised, on a device that is not exact.
std::size_t split_granule(const Cuda& device);

/// A GPU is fastest with the whole batch at once; as much of it as fits into a quarter of the memory that is free, in
/// whole granules.
std::size_t choose_micro_batch(const Cuda& device, std::size_t batch_size, std::size_t bytes_per_sample,
                               std::size_t parameter_bytes);

}  // namespace minitrain::inline MINITRAIN_ABI
