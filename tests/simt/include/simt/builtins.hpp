#pragma once
// What the CUDA compiler knows without a header: qualifiers, built-in variables and vector types.

#define __host__
#define __device__
#define __global__ __attribute__((unused))  // a static kernel of a header may stay unused
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __constant__ static const
#define __shared__ static_assert(false, "declare shared memory with MINITRAIN_SHARED or MINITRAIN_DYNAMIC_SHARED")

// --- vector types, aligned as CUDA aligns them --------------------------------------------------------------------

#define SIMT_VECTOR2(name, T, align) \
  struct alignas(align) name##2 {    \
    T x, y;                          \
  };                                 \
  constexpr name##2 make_##name##2(T x, T y) { return {x, y}; }
#define SIMT_VECTOR3(name, T) \
  struct name##3 {            \
    T x, y, z;                \
  };                          \
  constexpr name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }
#define SIMT_VECTOR4(name, T, align) \
  struct alignas(align) name##4 {    \
    T x, y, z, w;                    \
  };                                 \
  constexpr name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

SIMT_VECTOR2(char, signed char, 2)
SIMT_VECTOR4(char, signed char, 4)
SIMT_VECTOR2(uchar, unsigned char, 2)
SIMT_VECTOR4(uchar, unsigned char, 4)
SIMT_VECTOR2(short, short, 4)
SIMT_VECTOR4(short, short, 8)
SIMT_VECTOR2(ushort, unsigned short, 4)
SIMT_VECTOR4(ushort, unsigned short, 8)
SIMT_VECTOR2(int, int, 8)
SIMT_VECTOR3(int, int)
SIMT_VECTOR4(int, int, 16)
SIMT_VECTOR2(uint, unsigned, 8)
SIMT_VECTOR3(uint, unsigned)
SIMT_VECTOR4(uint, unsigned, 16)
SIMT_VECTOR2(float, float, 8)
SIMT_VECTOR3(float, float)
SIMT_VECTOR4(float, float, 16)
SIMT_VECTOR2(double, double, 16)
SIMT_VECTOR2(longlong, long long, 16)
SIMT_VECTOR2(ulonglong, unsigned long long, 16)
#undef SIMT_VECTOR2
#undef SIMT_VECTOR3
#undef SIMT_VECTOR4

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  constexpr operator uint3() const { return {x, y, z}; }
};

// --- built-in variables: the engine sets them whenever it resumes a thread ------------------------------------------

inline constinit thread_local uint3 threadIdx{};
inline constinit thread_local uint3 blockIdx{};
inline constinit thread_local dim3 blockDim{};
inline constinit thread_local dim3 gridDim{};
inline constexpr int warpSize = 32;
