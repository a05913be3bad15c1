#pragma once
// The memory checker of the checked flavour: races, reads of what nobody wrote, accesses out of bounds, and host memory
// used by a kernel.

#include "shadow.hpp"

#include <simt/checker.hpp>

#include <set>
#include <vector>

namespace simt::engine {

class RaceChecker final : public Checker {
 public:
  void launch_begins() override;
  std::string launch_ends() override;
  void block_begins(const std::byte* low, const std::byte* high) override;
  void shared_variable(const void*, std::size_t, const char* name) override;
  void access(const ThreadInfo&, const void*, std::size_t, bool write, bool atomic, const void* code) override;
  void copy_begins(const ThreadInfo&, const void*, std::size_t, const void* code) override;
  void global_allocated(const void*, std::size_t) override;
  void global_freed(const void*) override;
  void global_initialised(const void*, std::size_t) override;

 private:
  static bool ordered(const Access&, const ThreadInfo&, bool shared);
  static bool harmless(const ThreadInfo&, const void*, bool write);
  void report(const std::string& what, const ThreadInfo&, std::size_t n, bool write, const void* code,
              const Access* other = nullptr);
  [[noreturn]] void report_and_stop(const std::string& what, const ThreadInfo&, std::size_t n, bool write,
                                    const void* code);

  Shadow shadow_;
  std::vector<std::string> findings_;
  std::set<std::pair<const void*, std::uint32_t>> seen_;
};

}  // namespace simt::engine
