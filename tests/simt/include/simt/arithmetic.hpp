#pragma once
// CUDA's names for atomics, cached loads, bits and arithmetic. Rounded operations are those of the processor: the same
// bits as the GPU's. Approximate ones (__expf, __fdividef, rsqrtf) are better here than there.

#include <simt/builtins.hpp>
#include <simt/kernel.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

// --- atomics --------------------------------------------------------------------------------------------------------

#define SIMT_ATOMIC(name, op)                     \
  template <class T>                              \
  T name(T* a, std::type_identity_t<T> v) {       \
    return simt::atomic_rmw(simt::Rmw::op, a, v); \
  }
SIMT_ATOMIC(atomicAdd, add)
SIMT_ATOMIC(atomicMin, min)
SIMT_ATOMIC(atomicMax, max)
SIMT_ATOMIC(atomicExch, exchange)
SIMT_ATOMIC(atomicAnd, bit_and)
SIMT_ATOMIC(atomicOr, bit_or)
SIMT_ATOMIC(atomicXor, bit_xor)
#undef SIMT_ATOMIC
template <class T>
T atomicCAS(T* a, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
  return simt::atomic_cas(a, expected, desired);
}

// --- loads and stores with a hint for the caches --------------------------------------------------------------------

#define SIMT_LOAD(name) \
  template <class T>    \
  T name(const T* p) {  \
    return *p;          \
  }
#define SIMT_STORE(name)                           \
  template <class T>                               \
  void name(T* p, std::type_identity_t<T> value) { \
    *p = value;                                    \
  }
SIMT_LOAD(__ldg)
SIMT_LOAD(__ldca)
SIMT_LOAD(__ldcg)
SIMT_LOAD(__ldcs)
SIMT_STORE(__stwb)
SIMT_STORE(__stcg)
SIMT_STORE(__stcs)
#undef SIMT_LOAD
#undef SIMT_STORE

// --- bits -----------------------------------------------------------------------------------------------------------

inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((std::uint64_t{a} * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<unsigned long long>((Wide{a} * b) >> 64);
}
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline unsigned __brev(unsigned x) {
  unsigned reversed = 0;
  for (int i = 0; i < 32; ++i) reversed |= (x >> i & 1u) << (31 - i);
  return reversed;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned by) {
  by %= 32;
  return by == 0 ? high : high << by | low >> (32 - by);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned by) {
  by %= 32;
  return by == 0 ? low : low >> by | high << (32 - by);
}

// --- arithmetic -----------------------------------------------------------------------------------------------------

inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __dsqrt_rn(double a) { return std::sqrt(a); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline int __float2int_rd(float x) { return static_cast<int>(std::floor(x)); }
inline int __float2int_rz(float x) { return static_cast<int>(x); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline float __exp2f(float x) { return std::exp2(x); }
inline float __logf(float x) { return std::log(x); }
inline float __log2f(float x) { return std::log2(x); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline void sincospif(float x, float* s, float* c) {
  *s = static_cast<float>(std::sin(x * 3.14159265358979323846));
  *c = static_cast<float>(std::cos(x * 3.14159265358979323846));
}
constexpr int min(int a, int b) { return a < b ? a : b; }
constexpr int max(int a, int b) { return a > b ? a : b; }
constexpr unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
constexpr unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
constexpr long long min(long long a, long long b) { return a < b ? a : b; }
constexpr long long max(long long a, long long b) { return a > b ? a : b; }
constexpr unsigned long long min(unsigned long long a, unsigned long long b) { return a < b ? a : b; }
constexpr unsigned long long max(unsigned long long a, unsigned long long b) { return a > b ? a : b; }
constexpr unsigned long min(unsigned long a, unsigned long b) { return a < b ? a : b; }
constexpr unsigned long max(unsigned long a, unsigned long b) { return a > b ? a : b; }
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
