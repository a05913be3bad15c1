#pragma once
// The checker's shadow of shared and device memory: for every four bytes, or every byte where kernels touch less than
// four at a time, the last write and two reads since; for every byte, whether anyone wrote it.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

namespace simt::engine {

using Address = std::uintptr_t;

/// Who touched memory last, as much of it as later accesses are compared with.
struct Access {
  std::uint32_t block = 0;  // serial number; 0: nobody
  std::uint32_t code = 0;   // offset in the program's image
  std::uint32_t epoch = 0, clock = 0;
  std::uint16_t grid_epoch = 0;
  std::uint16_t thread : 15 = 0;
  std::uint16_t atomic : 1 = 0;
};

struct Cell {
  Access write, reads[2];
};

/// The cells of 1 KiB, made when it is first touched.
class Page {
 public:
  static constexpr Address bytes = 1024;

  // Calls f(cell) for each cell of the n bytes at `offset` in this page.
  template <class F>
  void for_each(Address offset, Address n, F&& f) {
    if (step_ == coarse && (offset % coarse != 0 || n % coarse != 0)) refine();
    for (Address i = offset / step_; i < (offset + n) / step_; ++i) f(cells_[i]);
  }

 private:
  static constexpr Address coarse = 4;

  void refine() {
    std::vector<Cell> fine(bytes);
    for (Address i = 0; i < bytes; ++i) fine[i] = cells_[i / coarse];
    cells_ = std::move(fine);
    step_ = 1;
  }

  Address step_ = coarse;
  std::vector<Cell> cells_ = std::vector<Cell>(bytes / coarse);
};

struct SharedVariable {
  Address low, high;
  const char* name;
};

/// The shadow of one allocation, or of one block's shared memory.
class Region {
 public:
  Region(Address low, Address high, bool is_shared)
      : low(low), high(high), shared(is_shared), pages_((high - low) / Page::bytes + 1), written_(high - low) {}

  Address low, high;
  bool shared;
  std::vector<SharedVariable> variables;  // of shared memory

  bool contains(Address a) const { return a >= low && a < high; }
  bool written(Address a, Address n) const { return std::memchr(&written_[a - low], 0, n) == nullptr; }
  void set_written(Address a, Address n, bool is_written) {
    if (n > 0) std::memset(&written_[a - low], is_written ? 1 : 0, n);
  }
  void forget_written() { std::fill(written_.begin(), written_.end(), std::uint8_t{0}); }

  // Calls f(cell) for each cell of [a, a + n).
  template <class F>
  void for_each(Address a, Address n, F&& f) {
    for (Address offset = a - low, end = offset + n; offset < end;) {
      const Address in_page = offset % Page::bytes, here = std::min(end - offset, Page::bytes - in_page);
      auto& page = pages_[offset / Page::bytes];
      if (page == nullptr) page = std::make_unique<Page>();
      page->for_each(in_page, here, f);
      offset += here;
    }
  }

 private:
  std::vector<std::unique_ptr<Page>> pages_;
  std::vector<std::uint8_t> written_;
};

/// All regions, found by address.
class Shadow {
 public:
  Region& add(const void* p, std::size_t n, bool shared) {
    const auto low = reinterpret_cast<Address>(p);
    recent_ = {};
    regions_.erase(low);
    return regions_.emplace(low, Region(low, low + n, shared)).first->second;
  }
  void remove(const void* p) {
    recent_ = {};
    regions_.erase(reinterpret_cast<Address>(p));
  }
  Region* find(Address a) {
    Region*& recent = recent_[a / 256 % recent_.size()];
    if (recent != nullptr && recent->contains(a)) return recent;
    auto it = regions_.upper_bound(a);
    if (it == regions_.begin()) return nullptr;
    --it;
    if (!it->second.contains(a)) return nullptr;
    recent = &it->second;
    return recent;
  }

 private:
  std::map<Address, Region> regions_;
  std::array<Region*, 64> recent_{};
};

}  // namespace simt::engine
