#pragma once
// What every kernel file starts with: shared memory, launches and reductions, in one spelling for nvcc and for the
// emulator in tests/simt, which compiles the same files as C++.

#include "launch_log.cuh"

#include <cstddef>
#include <cstdlib>

// MINITRAIN_SHARED(float, tile, [64][68]);              __shared__ float tile[64][68];
// MINITRAIN_SHARED_ALIGNED(16, float, tile, [64][68]);  the same, for vector accesses
// MINITRAIN_DYNAMIC_SHARED(float, weights);             float* weights: the dynamic shared memory, 16-byte aligned
//
// MINITRAIN_SITE, last in a parameter list, is the caller's line, for the emulator.
#if defined(MINITRAIN_SIMT)
#define MINITRAIN_SHARED_ALIGNED(align, type, name, ...) \
  auto& name = ::simt::shared_variable<type __VA_ARGS__>([] {}, #name, align)
#define MINITRAIN_SHARED(type, name, ...) MINITRAIN_SHARED_ALIGNED(1, type, name, __VA_ARGS__)
#define MINITRAIN_DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(::simt::shared_dynamic())
#define MINITRAIN_SITE , ::simt::Site site = ::simt::Site::current()
#else
#define MINITRAIN_SHARED_ALIGNED(align, type, name, ...) \
  __shared__ __align__(align)                            \
  type name __VA_ARGS__
#define MINITRAIN_SHARED(type, name, ...) __shared__ type name __VA_ARGS__
#define MINITRAIN_DYNAMIC_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char minitrain_dynamic_shared[]; \
  type* const name = reinterpret_cast<type*>(minitrain_dynamic_shared)
#define MINITRAIN_SITE
#endif

namespace minitrain::inline MINITRAIN_ABI::cuda {

[[noreturn]] inline void launch_failed(cudaError_t status, const void* kernel, dim3 grid, dim3 block,
                                       std::size_t shared_bytes, LaunchLog* log) {
  const std::string what =
      joined({"launch of ", kernel_name(kernel), ", grid (", grid.x, ",", grid.y, ",", grid.z, "), block (", block.x,
              ",", block.y, ",", block.z, "), ", shared_bytes, " bytes of shared memory"});
  static_cast<void>(cudaGetLastError());  // reported here, so that the next launch is not blamed for it
  if (log != nullptr) log->check(status, what.c_str());
  check(status, what.c_str());
  std::abort();  // not reached: status is a failure
}

template <class... P, class... A>
void launch_with(bool cooperative, void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes,
                 const Stream& stream, A&&... arguments) {
  static_assert(sizeof...(P) == sizeof...(A), "the kernel takes another number of arguments");
  const void* const function = reinterpret_cast<const void*>(kernel);
  std::size_t number = 0;
  if (stream.log != nullptr) {
    stream.log->refuse_if_failed();
    number = stream.log->number_of(function);
  }
  cudaError_t status = cudaSuccess;
  if (shared_bytes > 48u * 1024u) {
    status =
        cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
  }
  if (status == cudaSuccess) {
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeCooperative;
    attribute.val.cooperative = 1;
    cudaLaunchConfig_t config{};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream.handle;
    config.attrs = &attribute;
    config.numAttrs = cooperative ? 1 : 0;
    status = cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...);
  }
  if (status != cudaSuccess) launch_failed(status, function, grid, block, shared_bytes, stream.log);
  if (stream.log != nullptr) stream.log->launched(number);
}

/// Runs kernel<<<grid, block, shared_bytes, stream>>>(arguments...). Throws DeviceError, naming the kernel, when it
/// cannot be launched, or when something that ran on the device before has failed.
template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes, const Stream& stream,
            A&&... arguments) {
  launch_with(false, kernel, grid, block, shared_bytes, stream, static_cast<A&&>(arguments)...);
}

/// The same with all blocks on the device at once, so that grid_sync may be used.
template <class... P, class... A>
void launch_cooperative(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes, const Stream& stream,
                        A&&... arguments) {
  launch_with(true, kernel, grid, block, shared_bytes, stream, static_cast<A&&>(arguments)...);
}

/// Blocks of `per_block` that cover n, at least 1 and at most `most`: for kernels that stride over the grid.
inline unsigned blocks_for(std::size_t n, std::size_t per_block, unsigned most = 1u << 20) {
  const std::size_t blocks = (n + per_block - 1) / per_block;
  return blocks == 0 ? 1u : blocks < most ? static_cast<unsigned>(blocks) : most;
}

// --- in kernels ---------------------------------------------------------------------------------------------------

inline constexpr unsigned all_lanes = 0xffffffffu;

struct Sum {
  static constexpr float identity = 0.0f;
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Max {
  static constexpr float identity = -__builtin_huge_valf();
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

/// Combines the 32 values of a whole warp in a tree of exchanges 16, 8, 4, 2, 1 lanes away; every lane gets the result,
/// the same bits in each.
template <class Combine>
__device__ inline float warp_reduce(float value, Combine combine) {
#pragma unroll
  for (int away = 16; away > 0; away /= 2) value = combine(value, __shfl_xor_sync(all_lanes, value, away));
  return value;
}

/// Combines the values of a block, which must consist of whole warps: each warp by warp_reduce, then the warps' results
/// by warp_reduce. Every thread gets the result, and must call. The order depends on the block's size only.
template <class Combine>
__device__ inline float block_reduce(float value, Combine combine) {
  MINITRAIN_SHARED(float, partial, [32]);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned lane = thread % 32, warps = blockDim.x * blockDim.y * blockDim.z / 32;
  value = warp_reduce(value, combine);
  if (lane == 0) partial[thread / 32] = value;
  __syncthreads();
  value = warp_reduce(lane < warps ? partial[lane] : Combine::identity, combine);
  __syncthreads();  // partial may be used again
  return value;
}

__device__ inline float block_sum(float value) { return block_reduce(value, Sum{}); }
__device__ inline float block_max(float value) { return block_reduce(value, Max{}); }

/// load(step, l) and use(step, l) for l = 0, ..., count - 1, a multiple of `Ahead`. Shared memory takes some thirty
/// cycles, and there may be no other warp to use them, so each step is loaded `Ahead` steps before it is used.
template <int Ahead, class Step, class Load, class Use>
__device__ inline void pipelined(int count, Load load, Use use) {
  Step steps[Ahead];
#pragma unroll
  for (int d = 0; d < Ahead; ++d) load(steps[d], d);
#pragma unroll 2
  for (int first = 0; first < count; first += Ahead) {
#pragma unroll
    for (int d = 0; d < Ahead; ++d) {
      use(steps[d], first + d);
      if (first + Ahead + d < count) load(steps[d], first + Ahead + d);
    }
  }
}

/// All threads of a cooperative launch wait for one another, and see what the others wrote before. `counter` is zero
/// when it is first used, and belongs to this launch alone while it runs.
__device__ inline void grid_sync([[maybe_unused]] unsigned* counter MINITRAIN_SITE) {
#if defined(MINITRAIN_SIMT)
  ::simt::grid_barrier(site);
#else
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0 && threadIdx.z == 0) {
    // Each round adds 2^31 in all: the top bit turns when the last block has come, and no round has to reset anything.
    const bool first = blockIdx.x == 0 && blockIdx.y == 0 && blockIdx.z == 0;
    const unsigned others = gridDim.x * gridDim.y * gridDim.z - 1;
    __threadfence();
    const unsigned before = atomicAdd(counter, first ? 0x80000000u - others : 1u);
    while (((before ^ *static_cast<volatile unsigned*>(counter)) & 0x80000000u) == 0) {
    }
    __threadfence();
  }
  __syncthreads();
#endif
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
