// How fibers switch: System V x86-64 by hand (five nanoseconds), other processors by ucontext.

#include "fiber.hpp"

#include <simt/options.hpp>

#include <sys/mman.h>

#include <new>

#if !defined(SIMT_USE_UCONTEXT)
// Saves the callee-saved registers on the old stack and takes up the new one.
extern "C" void simt_switch(void** save, void* load);
asm(R"(
.text
.type simt_switch,@function
simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmpq *%rcx
.size simt_switch,.-simt_switch
)");
#endif

namespace simt::engine {

constexpr std::size_t guard_page = 4096, entry_frame = 4096;

void Fiber::prepare(void (*entry)()) {
  // The frame of the entry that was here before has never been left: its red zones still stand.
  unpoison(low + size - entry_frame, entry_frame);
#if !defined(SIMT_USE_UCONTEXT)
  auto** top = reinterpret_cast<void**>(low + size);
  *--top = nullptr;  // the entry's return address: it never returns
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  stack_pointer = top;
#else
  getcontext(&context);
  context.uc_stack.ss_sp = low;
  context.uc_stack.ss_size = size;
  makecontext(&context, entry, 0);
#endif
}

void Fiber::switch_to(Fiber& to, [[maybe_unused]] bool for_ever) {
#if defined(SIMT_ASAN)
  __sanitizer_start_switch_fiber(for_ever ? nullptr : &fake_stack, to.low, to.size);
#endif
#if !defined(SIMT_USE_UCONTEXT)
  simt_switch(&stack_pointer, to.stack_pointer);
#else
  swapcontext(&context, &to.context);
#endif
#if defined(SIMT_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

StackPool::~StackPool() {
  for (auto* stack : free_) munmap(stack - guard_page, bytes_ + guard_page);
}

std::byte* StackPool::take() {
  if (!free_.empty()) {
    auto* const stack = free_.back();
    free_.pop_back();
    return stack;
  }
  bytes_ = options().stack_bytes;
  void* const p =
      mmap(nullptr, bytes_ + guard_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  mprotect(p, guard_page, PROT_NONE);
  return static_cast<std::byte*>(p) + guard_page;
}

}  // namespace simt::engine
