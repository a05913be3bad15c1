#pragma once
// The memory checker of the checked flavour: races, reads of what nobody wrote, accesses out of bounds, and host memory
// used by a kernel. Every two bytes of shared and device memory have a cell: the last write and two reads since.

#include <simt/checker.hpp>

#include <array>
#include <map>
#include <memory>
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
  using Address = std::uintptr_t;
  static constexpr Address granule = 2, cells_in_page = 512;

  struct Access {
    std::uint32_t block = 0;  // serial number; 0: none
    std::uint32_t code = 0;   // offset in the program's image
    std::uint32_t epoch = 0, clock = 0;
    std::uint16_t grid_epoch = 0;
    std::uint16_t thread : 15 = 0;
    std::uint16_t atomic : 1 = 0;
  };
  struct Cell {
    Access write, reads[2];
  };
  using Page = std::array<Cell, cells_in_page>;
  struct Variable {
    Address low, high;
    const char* name;
  };
  struct Region {
    Address low = 0, high = 0;
    bool shared = false;
    std::vector<bool> initialised;             // one for every granule
    std::vector<std::unique_ptr<Page>> pages;  // made when first touched
    std::vector<Variable> variables;           // of shared memory
    bool contains(Address a) const { return a >= low && a < high; }
  };

  static Region make(const void*, std::size_t, bool shared);
  Region* find(Address);
  static Cell& cell(Region&, Address index);
  static bool ordered(const Access&, const ThreadInfo&, bool shared);
  static bool harmless(const ThreadInfo&, const void*, bool write);
  static std::string nearest(const Region&, Address);
  void touch(Region&, Address index, const Access& now, const ThreadInfo&, std::size_t n, bool write, const void* code);
  void report(const std::string& what, const ThreadInfo&, std::size_t n, bool write, const void* code,
              const Access* other = nullptr);
  [[noreturn]] void report_and_stop(const std::string& what, const ThreadInfo&, std::size_t n, bool write,
                                    const void* code);

  std::map<Address, Region> regions_;
  std::array<Region*, 64> recent_{};  // by address
  std::vector<std::string> findings_;
  std::set<std::pair<const void*, std::uint32_t>> seen_;
};

}  // namespace simt::engine
