#pragma once
// The heap of a test program, counted and made to fail on demand. Include it in exactly one file of a program: it
// replaces *every* form of operator new and delete there. A form left out would be the runtime's (under
// AddressSanitizer, one that may not meet our free).

#include <malloc.h>
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace test::heap {

inline constexpr std::size_t never = ~std::size_t{0};

inline std::atomic<std::size_t> allocations = 0;     // that have succeeded
inline std::atomic<std::size_t> live = 0, peak = 0;  // bytes
inline std::atomic<std::size_t> largest = never;     // bytes of the largest allocation that succeeds
inline std::atomic<std::size_t> remaining = never;   // allocations that succeed from now on

inline void* allocate(std::size_t size, std::size_t alignment) noexcept {
  if (size > largest || remaining == 0) return nullptr;
  if (remaining != never) --remaining;
  const std::size_t rounded = (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* const memory =
      alignment > alignof(std::max_align_t) ? std::aligned_alloc(alignment, rounded) : std::malloc(rounded);
  if (memory == nullptr) return nullptr;
  ++allocations;
  const std::size_t now = live += ::malloc_usable_size(memory);
  for (std::size_t seen = peak; now > seen && !peak.compare_exchange_weak(seen, now);) {
  }
  return memory;
}

inline void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  void* const memory = allocate(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

inline void release(void* memory) noexcept {
  live -= ::malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace test::heap

// Inlined, they look to g++ like a new met by a free.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(std::size_t n) { return test::heap::allocate_or_throw(n, 1); }
void* operator new[](std::size_t n) { return test::heap::allocate_or_throw(n, 1); }
void* operator new(std::size_t n, std::align_val_t a) { return test::heap::allocate_or_throw(n, std::size_t(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return test::heap::allocate_or_throw(n, std::size_t(a)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return test::heap::allocate(n, 1); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return test::heap::allocate(n, 1); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return test::heap::allocate(n, std::size_t(a));
}
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return test::heap::allocate(n, std::size_t(a));
}

void operator delete(void* p) noexcept { test::heap::release(p); }
void operator delete[](void* p) noexcept { test::heap::release(p); }
void operator delete(void* p, std::size_t) noexcept { test::heap::release(p); }
void operator delete[](void* p, std::size_t) noexcept { test::heap::release(p); }
void operator delete(void* p, std::align_val_t) noexcept { test::heap::release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { test::heap::release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { test::heap::release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { test::heap::release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { test::heap::release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { test::heap::release(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { test::heap::release(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { test::heap::release(p); }

#pragma GCC diagnostic pop
