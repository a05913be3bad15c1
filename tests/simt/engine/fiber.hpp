#pragma once
// A fiber: a stack of its own that is entered and left by a switch of registers. AddressSanitizer is told of every
// switch.

#include "sanitizer.hpp"

#if !defined(__x86_64__) || defined(SIMT_UCONTEXT)
#define SIMT_USE_UCONTEXT 1
#include <ucontext.h>
#endif

#include <cstddef>
#include <vector>

namespace simt::engine {

struct Fiber {
#if !defined(SIMT_USE_UCONTEXT)
  void* stack_pointer = nullptr;
#else
  ucontext_t context;
#endif
  std::byte* low = nullptr;  // of the stack
  std::size_t size = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's

  void prepare(void (*entry)());  // which never returns
  void switch_to(Fiber& to, bool for_ever = false);
};

/// Stacks with a page below that nobody may touch, kept for the next block.
class StackPool {
 public:
  StackPool() = default;
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool();
  std::byte* take();  // its lowest byte
  void give_back(std::byte* stack) { free_.push_back(stack); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::vector<std::byte*> free_;
  std::size_t bytes_ = 0;
};

}  // namespace simt::engine
