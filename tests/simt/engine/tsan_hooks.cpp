// What -fsanitize=thread makes the compiler call before every access. Kernels are compiled with it; the functions are
// defined here, so libtsan is not linked. (The Linux kernel's KCSAN works the same way.)

#include "racecheck.hpp"
#include "worker.hpp"

#include <simt/kernel.hpp>
#include <simt/options.hpp>

namespace {

simt::engine::RaceChecker& checker() {
  static auto* const the_checker = [] {
    auto* const c = new simt::engine::RaceChecker;
    simt::set_checker(c);
    return c;
  }();
  return *the_checker;
}
[[maybe_unused]] const auto* const at_start = &checker();

unsigned countdown = 0, noise = 1;

void touch(const void* p, std::size_t n, bool write, const void* code) {
  if (simt::current_thread() == nullptr) return;
  {
    // The linker may have given us instrumented copies of inline functions: what we do is no access of the kernel's.
    const simt::engine::Inside inside;
    checker().access(*inside.worker.running, p, n, write, false, code);
  }
  if (const auto often = simt::options().preempt; often > 0 && countdown-- == 0) {
    noise = noise * 1664525u + 1013904223u;
    countdown = noise % (2 * often);
    simt::yield();
  }
}

}  // namespace

#define SIMT_CODE __builtin_return_address(0)
#define SIMT_TOUCH(n)                                                       \
  void __tsan_read##n(void* p) { touch(p, n, false, SIMT_CODE); }           \
  void __tsan_write##n(void* p) { touch(p, n, true, SIMT_CODE); }           \
  void __tsan_unaligned_read##n(void* p) { touch(p, n, false, SIMT_CODE); } \
  void __tsan_unaligned_write##n(void* p) { touch(p, n, true, SIMT_CODE); } \
  void __tsan_volatile_read##n(void* p) { touch(p, n, false, SIMT_CODE); }  \
  void __tsan_volatile_write##n(void* p) { touch(p, n, true, SIMT_CODE); }  \
  void __tsan_read_write##n(void* p) {                                      \
    touch(p, n, false, SIMT_CODE);                                          \
    touch(p, n, true, SIMT_CODE);                                           \
  }
#define SIMT_FETCH(bits, T, op) \
  T __tsan_atomic##bits##_fetch_##op(volatile T* a, T v, int) { return __atomic_fetch_##op(a, v, __ATOMIC_SEQ_CST); }
#define SIMT_ATOMIC(bits, T)                                                                                        \
  T __tsan_atomic##bits##_load(const volatile T* a, int) { return __atomic_load_n(a, __ATOMIC_SEQ_CST); }           \
  void __tsan_atomic##bits##_store(volatile T* a, T v, int) { __atomic_store_n(a, v, __ATOMIC_SEQ_CST); }           \
  T __tsan_atomic##bits##_exchange(volatile T* a, T v, int) { return __atomic_exchange_n(a, v, __ATOMIC_SEQ_CST); } \
  SIMT_FETCH(bits, T, add)                                                                                          \
  SIMT_FETCH(bits, T, sub)                                                                                          \
  SIMT_FETCH(bits, T, and)                                                                                          \
  SIMT_FETCH(bits, T, or)                                                                                           \
  SIMT_FETCH(bits, T, xor)                                                                                          \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile T* a, T* e, T v, int, int) {                           \
    return __atomic_compare_exchange_n(a, e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                         \
  }                                                                                                                 \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile T* a, T* e, T v, int, int) {                             \
    return __atomic_compare_exchange_n(a, e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                         \
  }                                                                                                                 \
  T __tsan_atomic##bits##_compare_exchange_val(volatile T* a, T e, T v, int, int) {                                 \
    __atomic_compare_exchange_n(a, &e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                               \
    return e;                                                                                                       \
  }

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read_range(void* p, unsigned long n) { touch(p, n, false, SIMT_CODE); }
void __tsan_write_range(void* p, unsigned long n) { touch(p, n, true, SIMT_CODE); }
void* __tsan_memcpy(void* to, const void* from, unsigned long n) {
  touch(from, n, false, SIMT_CODE);
  touch(to, n, true, SIMT_CODE);
  return __builtin_memcpy(to, from, n);
}
void* __tsan_memmove(void* to, const void* from, unsigned long n) {
  touch(from, n, false, SIMT_CODE);
  touch(to, n, true, SIMT_CODE);
  return __builtin_memmove(to, from, n);
}
void* __tsan_memset(void* to, int v, unsigned long n) {
  touch(to, n, true, SIMT_CODE);
  return __builtin_memset(to, v, n);
}
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }
SIMT_TOUCH(1)
SIMT_TOUCH(2)
SIMT_TOUCH(4)
SIMT_TOUCH(8)
SIMT_TOUCH(16)
SIMT_ATOMIC(8, unsigned char)
SIMT_ATOMIC(16, unsigned short)
SIMT_ATOMIC(32, unsigned)
SIMT_ATOMIC(64, unsigned long)
}
