#pragma once
// Version and build switches: the only header of the library with #if (cpu/simd.hpp, which names the instruction sets,
// is the one exception).

#define MINITRAIN_VERSION_MAJOR 0
#define MINITRAIN_VERSION_MINOR 1
#define MINITRAIN_VERSION_PATCH 0
#define MINITRAIN_VERSION "0.1.0"

/// MINITRAIN_CHECKS=1 checks every element access of a View (throws ShapeError); 0, the default, checks shapes only
/// where an object is made. The switch changes inline bodies, so it is spelled into the ABI namespace: objects built
/// with and without it do not link into one another.
#ifndef MINITRAIN_CHECKS
#define MINITRAIN_CHECKS 0
#endif

#if MINITRAIN_CHECKS
#define MINITRAIN_ABI v0_checked
#else
#define MINITRAIN_ABI v0
#endif

namespace minitrain::inline MINITRAIN_ABI {

inline constexpr bool checks_enabled = MINITRAIN_CHECKS != 0;

}  // namespace minitrain::inline MINITRAIN_ABI
