// Includes MINITRAIN_KERNELS once per instruction set. No include guard: it is included by every header that has
// kernels.
//
//   #define MINITRAIN_KERNELS <minitrain/cpu/thing.inl>
//   #include <minitrain/cpu/for_each_isa.hpp>
//
// Inside the .inl file, MINITRAIN_ISA is the namespace of the instruction set, MINITRAIN_TARGET goes before each
// function, MINITRAIN_INLINE before each function that must be inlined. No lambdas in such files: nvcc's host pass
// drops their attributes.

#define MINITRAIN_ISA cpu::baseline
#define MINITRAIN_TARGET MINITRAIN_TARGET_BASELINE
#define MINITRAIN_INLINE MINITRAIN_INLINE_BASELINE
#include MINITRAIN_KERNELS
#undef MINITRAIN_ISA
#undef MINITRAIN_TARGET
#undef MINITRAIN_INLINE

#define MINITRAIN_ISA cpu::avx2
#define MINITRAIN_TARGET MINITRAIN_TARGET_AVX2
#define MINITRAIN_INLINE MINITRAIN_INLINE_AVX2
#include MINITRAIN_KERNELS
#undef MINITRAIN_ISA
#undef MINITRAIN_TARGET
#undef MINITRAIN_INLINE

#define MINITRAIN_ISA cpu::avx512
#define MINITRAIN_TARGET MINITRAIN_TARGET_AVX512
#define MINITRAIN_INLINE MINITRAIN_INLINE_AVX512
#include MINITRAIN_KERNELS
#undef MINITRAIN_ISA
#undef MINITRAIN_TARGET
#undef MINITRAIN_INLINE
#undef MINITRAIN_KERNELS
