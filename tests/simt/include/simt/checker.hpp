#pragma once
// What a memory checker may know of a running kernel, and is told. racecheck.cpp is the one there is.

#include <cstddef>
#include <cstdint>
#include <string>

namespace simt {

struct ThreadInfo {
  std::uint32_t launch = 0, block = 0;  // serial numbers, over the whole process
  std::uint32_t thread = 0, warp = 0, lane = 0;
  std::uint32_t epoch = 0;       // block barriers passed
  std::uint32_t grid_epoch = 0;  // grid barriers passed
  std::uint32_t clock = 1;       // own logical time, stepped at every warp barrier
  std::uint32_t seen[32] = {};   // clocks of the warp's other lanes known to have passed
  const std::byte *stack_low = nullptr, *stack_high = nullptr;
  const std::byte *shared_low = nullptr, *shared_high = nullptr;
  const std::byte *arguments_low = nullptr, *arguments_high = nullptr;
};
const ThreadInfo* current_thread();  // null outside kernels and inside the engine

struct Checker {
  virtual ~Checker() = default;
  virtual void launch_begins() {}
  virtual std::string launch_ends() { return {}; }  // what it found
  virtual void block_begins(const std::byte* /*shared_low*/, const std::byte* /*shared_high*/) {}
  virtual void shared_variable(const void*, std::size_t, const char*) {}
  virtual void access(const ThreadInfo&, const void*, std::size_t, bool /*write*/, bool /*atomic*/,
                      const void* /*code*/) {}
  // An asynchronous copy into [p, p + n) is under way: written by now for whoever reads, yet undefined.
  virtual void copy_begins(const ThreadInfo&, const void*, std::size_t, const void* /*code*/) {}
  virtual void global_allocated(const void*, std::size_t) {}
  virtual void global_freed(const void*) {}
  virtual void global_initialised(const void*, std::size_t) {}
};
void set_checker(Checker*);

std::string describe_thread();                    // "block (1,0,0) thread (3,0,0)"
std::string describe_address(const void* code);   // "file.cuh:12 kernel"
[[noreturn]] void fail(const std::string& what);  // throws simt::error from inside a kernel
[[noreturn]] void stop(const std::string& what);  // the same without unwinding, where a kernel does not expect a throw

}  // namespace simt
