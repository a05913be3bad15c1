#pragma once
// Instruction sets: which there are, which this processor has, and the vector types kernels are written in.
//
// Kernels are written once, in terms of Vec<T>, in files included once per instruction set by cpu/for_each_isa.hpp. A
// Vec has 16 floats or 8 doubles whatever the instruction set: one AVX-512 register, two AVX2 registers, four baseline
// registers. So every sum across lanes has one shape, and AVX2 and AVX-512 give the same bits. A product that feeds a
// sum is always written fma(), so that no compiler flag decides where to round; only the baseline, which has no such
// instruction, rounds twice. This is the one header beside config.hpp that holds #if.

#include <minitrain/config.hpp>

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define MINITRAIN_SIMD_X86 1
#include <immintrin.h>
#define MINITRAIN_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define MINITRAIN_INLINE_AVX2 __attribute__((always_inline, target("avx2,fma"))) inline
#define MINITRAIN_TARGET_AVX512 __attribute__((target("avx2,fma,bmi2,avx512f,avx512bw,avx512dq,avx512vl")))
#define MINITRAIN_INLINE_AVX512 \
  __attribute__((always_inline, target("avx2,fma,bmi2,avx512f,avx512bw,avx512dq,avx512vl"))) inline
#else
#define MINITRAIN_SIMD_X86 0
#define MINITRAIN_TARGET_AVX2
#define MINITRAIN_INLINE_AVX2 inline
#define MINITRAIN_TARGET_AVX512
#define MINITRAIN_INLINE_AVX512 inline
#endif
#define MINITRAIN_TARGET_BASELINE
#define MINITRAIN_INLINE_BASELINE __attribute__((always_inline)) inline

#include <minitrain/cpu/simd_baseline.hpp>
#include <minitrain/cpu/words_baseline.hpp>
#if MINITRAIN_SIMD_X86
#include <minitrain/cpu/simd_avx2.hpp>
#include <minitrain/cpu/simd_avx512.hpp>
#include <minitrain/cpu/words_avx2.hpp>
#include <minitrain/cpu/words_avx512.hpp>
#endif

namespace minitrain::inline MINITRAIN_ABI {

/// Instruction sets the CPU kernels are compiled for.
enum class Isa { baseline, avx2, avx512, best };

namespace cpu {

#if MINITRAIN_SIMD_X86

/// The best instruction set of this processor. Asks the processor, so ask once.
inline Isa best_isa() noexcept {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2")) {
    return Isa::avx512;
  }
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? Isa::avx2 : Isa::baseline;
}

/// While it lives, this thread takes denormal numbers for zero and makes none: arithmetic on them is many times slower,
/// and they carry nothing that training needs. Part of exactness: set always, everywhere.
class FlushDenormals {
 public:
  FlushDenormals() noexcept : saved_(_mm_getcsr()) {
    if ((saved_ & bits) != bits) _mm_setcsr(saved_ | bits);
  }
  ~FlushDenormals() {
    if ((saved_ & bits) != bits) _mm_setcsr(saved_);
  }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  static constexpr unsigned bits = 0x8040;  // flush to zero, denormals are zero
  unsigned saved_;
};

/// Clears the upper halves of the vector registers where its life ends, for code of the baseline, which many processors
/// run slower after that of AVX until somebody has. Compilers do so behind a kernel, but g++ not at -O0, -O1 and -Os,
/// and does not say which it is at; clang++ not at -O0. A nanosecond. Assembly: code for the baseline may inline no
/// function for AVX. Only behind a kernel for AVX, since others may be on a processor that lacks the instruction.
class LeaveVectors {
 public:
  LeaveVectors() noexcept {}
  ~LeaveVectors() {
    asm volatile("vzeroupper" ::
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15");
  }
  LeaveVectors(const LeaveVectors&) = delete;
  LeaveVectors& operator=(const LeaveVectors&) = delete;
};

inline void spin_pause() noexcept { _mm_pause(); }

#else

namespace avx2 {
using namespace baseline;
}
namespace avx512 {
using namespace baseline;
}

inline Isa best_isa() noexcept { return Isa::baseline; }

class FlushDenormals {
 public:
  FlushDenormals() noexcept {}
  ~FlushDenormals() {}
};

class LeaveVectors {
 public:
  LeaveVectors() noexcept {}
  ~LeaveVectors() {}
};

inline void spin_pause() noexcept {}

#endif

}  // namespace cpu
}  // namespace minitrain::inline MINITRAIN_ABI
