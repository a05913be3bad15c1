#pragma once
// The few instructions that C++ cannot say: one function each, with PTX for the device and a call into the emulator of
// tests/simt for the CPU. Those that need sm_80 trap on what is older: ask for the device's capability before a launch.

#include "launch.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace minitrain::inline MINITRAIN_ABI::cuda::ptx {

/// d = a b + c for a 16 x 16 and b 16 x 8 in bf16, and c, d in fp32, over a whole warp. Lane 4 g + t holds:
/// a: register r is row g + 8 (r % 2), columns 2 t + 8 (r / 2) and the next;  b: register r is column g, rows 2 t + 8 r
/// and the next;  c, d: element i is row g + 8 (i / 2), column 2 t + i % 2. sm_80.
__device__ inline void mma_m16n8k16_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                                         const float (&c)[4] MINITRAIN_SITE) {
#if defined(MINITRAIN_SIMT)
  ::simt::mma_m16n8k16_bf16(d, a, b, c, site);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
#else
  __trap();
#endif
}

/// The same with a and b in fp16. sm_75, there as two instructions of half the depth.
__device__ inline void mma_m16n8k16_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                                        const float (&c)[4] MINITRAIN_SITE) {
#if defined(MINITRAIN_SIMT)
  ::simt::mma_m16n8k16_f16(d, a, b, c, site);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
#else
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%7,%8,%9,%10};"
               : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(b[0]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}

/// d = a b + c for a 16 x 8 and b 8 x 8 in tf32: fp32 numbers whose low 13 bits are not read (round_to_tf32 first).
/// Lane 4 g + t holds: a: register r is row g + 8 (r % 2), column t + 4 (r / 2);  b: register r is column g, row t + 4
/// r; c, d as above. sm_80.
__device__ inline void mma_m16n8k8_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2],
                                        const float (&c)[4] MINITRAIN_SITE) {
#if defined(MINITRAIN_SIMT)
  ::simt::mma_m16n8k8_tf32(d, a, b, c, site);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])), "r"(__float_as_uint(a[3])),
        "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
#else
  __trap();
#endif
}

/// The nearest tf32 number, ties away from zero, as an fp32 number. sm_80.
__device__ inline float round_to_tf32(float x) {
#if defined(MINITRAIN_SIMT)
  return ::simt::round_to_tf32(x);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
#else
  __trap();
  return x;
#endif
}

/// Two 8 x 8 matrices of 16-bit elements from shared memory: lane l < 16 gives the address of row l % 8 of matrix l /
/// 8, 16-byte aligned. Lane 4 g + t gets from each matrix row g, columns 2 t and 2 t + 1; transposed, column g, rows 2
/// t and 2 t + 1. sm_75.
template <bool Transposed>
__device__ inline void ldmatrix_x2(unsigned (&r)[2], const void* row MINITRAIN_SITE) {
#if defined(MINITRAIN_SIMT)
  ::simt::ldmatrix(r, 2, Transposed, row, site);
#else
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(address)
                 : "memory");
  }
#endif
}

/// Four of them: lane l gives the address of row l % 8 of matrix l / 8. sm_75.
template <bool Transposed>
__device__ inline void ldmatrix_x4(unsigned (&r)[4], const void* row MINITRAIN_SITE) {
#if defined(MINITRAIN_SIMT)
  ::simt::ldmatrix(r, 4, Transposed, row, site);
#else
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  }
#endif
}

/// Copies `source_bytes` (0 to Bytes) to shared memory in the background and fills up to Bytes with zeros. Bytes is 4,
/// 8 or 16, and both pointers are aligned to it, also where nothing is read. sm_80.
template <int Bytes>
__device__ inline void copy_async(void* shared, const void* global, int source_bytes = Bytes) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
#if defined(MINITRAIN_SIMT)
  ::simt::cp_async(shared, global, Bytes, source_bytes);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  if constexpr (Bytes == 16) {  // past the first-level cache
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(source_bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(global), "n"(Bytes),
                 "r"(source_bytes)
                 : "memory");
  }
#else
  __trap();
#endif
}

/// Closes a group: the copies of this thread since the last. sm_80.
__device__ inline void copy_async_commit() {
#if defined(MINITRAIN_SIMT)
  ::simt::cp_async_commit();
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  __trap();
#endif
}

/// Waits until all but the latest `InFlight` groups of this thread are there. Other threads need a barrier after it.
template <int InFlight>
__device__ inline void copy_async_wait() {
#if defined(MINITRAIN_SIMT)
  ::simt::cp_async_wait(InFlight);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(InFlight) : "memory");
#else
  __trap();
#endif
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda::ptx
