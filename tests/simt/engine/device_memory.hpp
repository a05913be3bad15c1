#pragma once
// Device memory: exactly as long as asked for, NaNs at first, and, under AddressSanitizer, poison for host code.

#include <cstddef>
#include <map>
#include <mutex>

namespace simt::engine {

struct Allocation {
  std::size_t bytes = 0;
  bool pooled = false;   // by cudaMallocAsync
  bool live = true;      // false: the stream has not yet come to the allocation
  bool leaving = false;  // given to cudaFreeAsync, and the stream has not yet come to it
};

class DeviceMemory {
 public:
  void* allocate(std::size_t bytes, bool pooled);
  void make_live(void*);
  bool release(void*);        // false: not the start of an allocation
  Allocation* find(void* p);  // that starts at p, or null

  bool holds(const void* p) const;                         // p points into an allocation, or just past one
  bool contains(const void* p, std::size_t n) const;       // [p, p + n) is inside one
  bool contains_live(const void* p, std::size_t n) const;  // that the stream has come to

  // Both ends may be host or device memory.
  void copy(void* to, const void* from, std::size_t bytes);
  void fill(void* to, int value, std::size_t bytes);

  void kernel_begins();  // from here the live allocations may be touched
  void kernel_ends();

  std::size_t bytes() const { return bytes_; }
  std::size_t count() const { return allocations_.size(); }
  std::size_t ever() const { return ever_; }

 private:
  using Map = std::map<const std::byte*, Allocation>;
  Map::const_iterator around(const void* p) const;
  void expose(const void* p, bool exposed);

  mutable std::recursive_mutex mutex_;
  Map allocations_;
  std::size_t bytes_ = 0, ever_ = 0;
  unsigned kernels_ = 0;
};

/// Lives until the process ends, so that whoever frees memory at exit still finds it.
DeviceMemory& device_memory();

}  // namespace simt::engine
