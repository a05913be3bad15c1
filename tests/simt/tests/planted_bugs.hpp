#pragma once
// Kernels with planted bugs, each beside its correct twin (Bug = false).

#include "support.hpp"

namespace test::planted {

template <bool Bug>  // 64 threads reverse an array through shared memory
__global__ void missing_barrier(const float* x, float* y) {
  MINITRAIN_SHARED(float, tile, [64]);
  tile[threadIdx.x] = x[threadIdx.x];
  if (!Bug) __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];
}

template <bool Bug>  // a tile is used twice; the second filling must wait for the first's readers
__global__ void missing_second_barrier(const float* x, float* y) {
  MINITRAIN_SHARED(float, tile, [64]);
  float sum = 0;
  for (int k = 0; k < 2; ++k) {
    tile[threadIdx.x] = x[threadIdx.x] * static_cast<float>(k + 1);
    __syncthreads();
    sum += tile[63 - threadIdx.x];
    if (!Bug) __syncthreads();
  }
  y[threadIdx.x] = sum;
}

template <bool Bug>  // one thread reads what the others overwrite
__global__ void overwritten_too_early(const float* x, float* y) {
  MINITRAIN_SHARED(float, tile, [64]);
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  float sum = 0;
  if (threadIdx.x == 63) {
    for (unsigned i = 0; i < 64; ++i) sum += tile[i];
  }
  if (!Bug) __syncthreads();
  tile[threadIdx.x] = 0;
  y[threadIdx.x] = sum + tile[threadIdx.x];
}

template <bool Bug>  // lanes of a warp talk through shared memory
__global__ void missing_syncwarp(const float* x, float* y) {
  MINITRAIN_SHARED(float, tile, [32]);
  tile[threadIdx.x] = x[threadIdx.x];
  if (!Bug) __syncwarp();
  y[threadIdx.x] = tile[31 - threadIdx.x];
}

template <bool Bug>  // the grid is rounded up, the array is not
__global__ void tile_edge(const float* x, float* y, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (Bug || i < n) y[i] = x[i];
}

template <bool Bug>
__global__ void shared_overrun(const float* x, float* y) {
  MINITRAIN_SHARED(float, tile, [64]);
  float* const p = tile;  // hides the bound from UBSan
  p[threadIdx.x + (Bug ? 1 : 0)] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = p[threadIdx.x];
}

template <bool Bug>  // writes past the end of a row, but within the array
__global__ void row_overrun(const float* x, float* y) {
  MINITRAIN_SHARED(float, tile, [4][16]);
  const unsigned r = threadIdx.x / 16, c = threadIdx.x % 16 + (Bug && r < 3 ? 1 : 0);
  tile[r][c] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = tile[r][threadIdx.x % 16];
}

template <bool Bug>  // only 48 of 64 elements are filled
__global__ void uninitialised_shared(const float* x, float* y) {
  MINITRAIN_SHARED(float, tile, [64]);
  if (!Bug || threadIdx.x < 48) tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];
}

template <bool Bug>  // the same where a maximum swallows the NaN
__global__ void uninitialised_maximum(const float* x, float* y) {
  MINITRAIN_SHARED(float, tile, [64]);
  if (!Bug || threadIdx.x < 48) tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  float m = -1e30f;
  for (int i = 0; i < 64; ++i) m = fmaxf(m, tile[i]);
  y[threadIdx.x] = m;
}

template <bool Bug>
__global__ void divergent_barrier(const float* x, float* y) {
  MINITRAIN_SHARED(float, tile, [64]);
  tile[threadIdx.x] = x[threadIdx.x];
  if (Bug && threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = tile[63 - threadIdx.x];
}

template <bool Bug>  // a whole warp leaves before the barrier
__global__ void early_return(const float* x, float* y, unsigned n) {
  MINITRAIN_SHARED(float, tile, [64]);
  const bool mine = threadIdx.x < n;
  if (Bug && !mine) return;
  tile[threadIdx.x] = mine ? x[threadIdx.x] : 0.0f;
  __syncthreads();
  if (mine) y[threadIdx.x] = tile[n - 1 - threadIdx.x];
}

template <bool Bug>  // half a warp shuffles, with a mask that names all of it
__global__ void shuffle_mask(const float* x, float* y) {
  float v = x[threadIdx.x];
  if (threadIdx.x < 16) {
    for (int o = 8; o > 0; o /= 2) v += __shfl_xor_sync(Bug ? cuda::all_lanes : 0xffffu, v, o);
  }
  __syncthreads();
  y[threadIdx.x] = v;
}

template <bool Bug>  // reads a lane that the mask leaves out
__global__ void shuffle_source(const float* x, float* y) {
  float v = x[threadIdx.x];
  if (threadIdx.x < 16) v += __shfl_down_sync(0xffffu, v, Bug ? 8 : 0);
  y[threadIdx.x] = v;
}

template <bool Bug>  // every block adds to the same number
__global__ void lost_update(const float* x, float* y) {
  if (threadIdx.x != 0) return;
  if (Bug) {
    y[0] += x[blockIdx.x];
  } else {
    atomicAdd(y, x[blockIdx.x]);
  }
}

template <bool Bug>
__global__ void missing_copy_wait(const float* x, float* y) {
  MINITRAIN_SHARED_ALIGNED(16, float, tile, [64]);
  if (threadIdx.x < 16) cuda::ptx::copy_async<16>(tile + 4 * threadIdx.x, x + 4 * threadIdx.x);
  cuda::ptx::copy_async_commit();
  if (!Bug) cuda::ptx::copy_async_wait<0>();
  __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];
}

template <bool Bug>  // each thread reads what it has copied itself
__global__ void own_copy_not_awaited(const float* x, float* y) {
  MINITRAIN_SHARED(float, tile, [64]);
  cuda::ptx::copy_async<4>(tile + threadIdx.x, x + threadIdx.x);
  cuda::ptx::copy_async_commit();
  if (!Bug) cuda::ptx::copy_async_wait<0>();
  y[threadIdx.x] = tile[threadIdx.x];
}

template <bool Bug>
__global__ void misaligned_vector(const float* x, float* y) {
  const float4 v = *reinterpret_cast<const float4*>(x + (Bug ? 1 : 0));
  y[threadIdx.x] = v.x + v.y + v.z + v.w;
}

template <bool Bug>  // nobody asked for shared memory that is aligned to vectors
__global__ void misaligned_shared(const float* x, float* y) {
  MINITRAIN_SHARED_ALIGNED((Bug ? 4 : 16), float, tile, [64]);
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = reinterpret_cast<const float4*>(tile)[threadIdx.x / 4].x;
}

template <bool Bug>  // blocks pass numbers on without the grid's barrier
__global__ void missing_grid_sync(const float* x, float* y, unsigned* counter) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x, n = gridDim.x * blockDim.x;
  y[i] = x[i];
  if (!Bug) cuda::grid_sync(counter);
  const float other = y[n - 1 - i];
  if (!Bug) cuda::grid_sync(counter);
  y[i] = other;
}

inline float host_table[64];
template <bool Bug>  // a variable of the host program, which a device does not have
__global__ void host_variable(const float* x, float* y) {
  y[threadIdx.x] = (Bug ? host_table : x)[threadIdx.x];
}

template <class T>
__global__ void copy(const T* x, T* y) {
  y[threadIdx.x] = x[threadIdx.x];
}

template <class T>
__global__ void scratchpad(T* y) {
  MINITRAIN_DYNAMIC_SHARED(T, memory);
  memory[threadIdx.x] = 1;
  y[threadIdx.x] = memory[threadIdx.x];
}

}  // namespace test::planted
