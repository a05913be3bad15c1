// Device memory is host memory that only kernels and copies may touch.

#include "device_memory.hpp"

#include "sanitizer.hpp"
#include "worker.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace simt::engine {

DeviceMemory& device_memory() {
  static auto* const memory = new DeviceMemory;
  return *memory;
}

void* DeviceMemory::allocate(std::size_t bytes, bool pooled) {
  void* p = nullptr;
  if (posix_memalign(&p, 256, std::max<std::size_t>(bytes, 1)) != 0) throw std::bad_alloc();
  std::memset(p, 0xff, bytes);
  const std::lock_guard lock(mutex_);
  allocations_[static_cast<std::byte*>(p)] = {.bytes = bytes, .pooled = pooled, .live = !pooled};
  bytes_ += bytes;
  ++ever_;
  if (kernels_ == 0 || pooled) poison(p, bytes);
  if (!pooled && checker() != nullptr) checker()->global_allocated(p, bytes);
  return p;
}

void DeviceMemory::make_live(void* p) {
  const std::lock_guard lock(mutex_);
  Allocation* const a = find(p);
  if (a == nullptr || a->live) return;
  a->live = true;
  if (kernels_ > 0) unpoison(p, a->bytes);
  if (checker() != nullptr) checker()->global_allocated(p, a->bytes);
}

bool DeviceMemory::release(void* p) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = allocations_.find(static_cast<std::byte*>(p));
    if (it == allocations_.end()) return false;
    unpoison(p, it->second.bytes);
    bytes_ -= it->second.bytes;
    allocations_.erase(it);
  }
  if (checker() != nullptr) checker()->global_freed(p);
  std::free(p);
  return true;
}

Allocation* DeviceMemory::find(void* p) {
  const std::lock_guard lock(mutex_);
  const auto it = allocations_.find(static_cast<std::byte*>(p));
  return it == allocations_.end() ? nullptr : &it->second;
}

DeviceMemory::Map::const_iterator DeviceMemory::around(const void* p) const {
  const auto* const b = static_cast<const std::byte*>(p);
  auto it = allocations_.upper_bound(b);
  if (it == allocations_.begin()) return allocations_.end();
  --it;
  return b <= it->first + it->second.bytes ? it : allocations_.end();
}

bool DeviceMemory::holds(const void* p) const {
  const std::lock_guard lock(mutex_);
  return around(p) != allocations_.end();
}

bool DeviceMemory::contains(const void* p, std::size_t n) const {
  const std::lock_guard lock(mutex_);
  const auto it = around(p);
  return it != allocations_.end() && n <= it->second.bytes &&
         static_cast<std::size_t>(static_cast<const std::byte*>(p) - it->first) <= it->second.bytes - n;
}

bool DeviceMemory::contains_live(const void* p, std::size_t n) const {
  const std::lock_guard lock(mutex_);
  return contains(p, n) && around(p)->second.live;
}

void DeviceMemory::expose(const void* p, bool exposed) {
  const auto it = around(p);
  if (it == allocations_.end() || kernels_ > 0) return;
  (exposed ? unpoison : poison)(it->first, it->second.bytes);
}

void DeviceMemory::copy(void* to, const void* from, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  expose(to, true);
  expose(from, true);
  std::memmove(to, from, bytes);
  expose(to, false);
  expose(from, false);
  if (checker() != nullptr) checker()->global_initialised(to, bytes);
}

void DeviceMemory::fill(void* to, int value, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  expose(to, true);
  std::memset(to, value, bytes);
  expose(to, false);
  if (checker() != nullptr) checker()->global_initialised(to, bytes);
}

void DeviceMemory::kernel_begins() {
  const std::lock_guard lock(mutex_);
  if (kernels_++ > 0) return;
  for (auto& [p, a] : allocations_) {
    if (a.live) unpoison(p, a.bytes);
  }
}

void DeviceMemory::kernel_ends() {
  const std::lock_guard lock(mutex_);
  if (--kernels_ > 0) return;
  for (auto& [p, a] : allocations_) poison(p, a.bytes);
}

}  // namespace simt::engine
