// Shared memory: NaNs before every block, each variable alone between poisoned red zones and aligned as declared.

#include "device.hpp"
#include "worker.hpp"

#include <simt/kernel.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace simt {
namespace engine {

constexpr std::size_t red_zone = 1024, room_for_variables = 128u << 10, most_static_bytes = 48u << 10;

void Worker::begin_shared_memory(Block& b) {
  const std::size_t dynamic = launch->dynamic;
  const auto size = (dynamic + room_for_variables) / 1024 * 1024;
  if (!free_slabs.empty()) {
    b.slab = std::move(free_slabs.back());
    free_slabs.pop_back();
  }
  if (b.slab.size < size) {
    void* p = nullptr;
    if (posix_memalign(&p, 1024, size) != 0) throw std::bad_alloc();
    b.slab.bytes.reset(static_cast<std::byte*>(p));
    b.slab.size = b.slab.used = size;
  }
  unpoison(b.slab.bytes.get(), b.slab.used);
  std::memset(b.slab.bytes.get(), 0xff, b.slab.used);  // NaNs, whatever the last block left
  poison(b.slab.bytes.get(), b.slab.size);
  b.dynamic = b.slab.bytes.get() + red_zone;
  unpoison(b.dynamic, dynamic);
  b.slab.used = red_zone + (dynamic + 63) / 64 * 64 + red_zone;
  if (checker() == nullptr) return;
  checker()->block_begins(b.slab.bytes.get(), b.slab.bytes.get() + b.slab.size);
  if (dynamic > 0) checker()->shared_variable(b.dynamic, dynamic, "dynamic shared memory");
}

}  // namespace engine

void* shared_static(const void* key, std::size_t bytes, std::size_t align, const char* name) {
  using namespace engine;
  const Inside inside;
  Worker& w = inside.worker;
  Block& b = *w.running->owner;
  for (const auto& v : b.variables) {
    if (v.key == key) return v.address;
  }
  b.static_bytes += bytes;
  if (b.static_bytes > most_static_bytes) fail(text("%zu bytes of static shared memory", b.static_bytes));
  if (b.static_bytes + w.launch->dynamic > shared_limit()) {
    fail(text("%zu bytes of shared memory, of which the device has %zu", b.static_bytes + w.launch->dynamic,
              shared_limit()));
  }
  // Just as aligned as asked for, and no more: an over-aligned access must show.
  const auto at = (b.slab.used + 255) / 256 * 256 + std::max<std::size_t>(align, 1);
  const auto used = (at + bytes + 511) / 256 * 256;
  if (used > b.slab.size) fail("too many shared variables for the emulator");
  std::byte* const p = b.slab.bytes.get() + at;
  unpoison(p, bytes);
  std::memset(p, 0xff, bytes);
  b.slab.used = used;
  b.variables.push_back({key, p});
  if (checker() != nullptr) checker()->shared_variable(p, bytes, name);
  return p;
}

void* shared_dynamic() { return engine::this_worker().running->owner->dynamic; }

}  // namespace simt
