#pragma once
// AddressSanitizer's poison, where the build has it.

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIMT_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SIMT_ASAN 1
#endif
#if defined(SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace simt::engine {

inline void poison([[maybe_unused]] const void* p, [[maybe_unused]] std::size_t n) {
#if defined(SIMT_ASAN)
  __asan_poison_memory_region(p, n);
#endif
}

inline void unpoison([[maybe_unused]] const void* p, [[maybe_unused]] std::size_t n) {
#if defined(SIMT_ASAN)
  __asan_unpoison_memory_region(p, n);
#endif
}

}  // namespace simt::engine
