// cp.async: a copy may happen at any time between its issue and the wait for its group: at the wait with seed 0, at
// once with seed 1, at either with others.

#include "device.hpp"
#include "worker.hpp"

#include <simt/kernel.hpp>
#include <simt/options.hpp>

#include <cstring>

namespace simt {

namespace {

void perform(const engine::Copy& c) {
  const auto n = static_cast<std::size_t>(c.source_bytes);
  if (n > 0) std::memcpy(c.to, c.from, n);
  std::memset(c.to + n, 0, static_cast<std::size_t>(c.bytes) - n);
}

}  // namespace

void cp_async(void* to, const void* from, int bytes, int source_bytes) {
  const engine::Inside inside;
  engine::Worker& w = inside.worker;
  engine::Thread& t = *w.running;
  const void* const code = __builtin_return_address(0);
  engine::need_capability(80, "cp.async");
  const auto addresses = reinterpret_cast<std::uintptr_t>(to) | reinterpret_cast<std::uintptr_t>(from);
  if ((bytes != 4 && bytes != 8 && bytes != 16) || source_bytes < 0 || source_bytes > bytes ||
      addresses % static_cast<unsigned>(bytes) != 0) {
    fail(engine::text("cp.async of %d bytes is malformed or misaligned", bytes));
  }
  if (to < t.shared_low || to >= t.shared_high) fail("cp.async does not write to shared memory");
  const auto seed = options().seed;
  const bool at_once = seed == 1 || (seed > 1 && w.next_random() % 2 == 0);
  const engine::Copy c{static_cast<std::byte*>(to), static_cast<const std::byte*>(from), bytes, source_bytes, at_once};
  if (auto* const checker = engine::checker()) {
    if (source_bytes > 0) checker->access(t, from, static_cast<std::size_t>(source_bytes), false, false, code);
    checker->copy_begins(t, to, static_cast<std::size_t>(bytes), code);
  }
  if (c.done) perform(c);
  t.open_copies.push_back(c);
}

void cp_async_commit() {
  const engine::Inside inside;
  engine::Thread& t = *inside.worker.running;
  t.copy_groups.push_back(std::move(t.open_copies));
  t.open_copies.clear();
}

void cp_async_wait(int in_flight) {
  const engine::Inside inside;
  engine::Thread& t = *inside.worker.running;
  const void* const code = __builtin_return_address(0);
  while (t.copy_groups.size() > static_cast<std::size_t>(in_flight)) {
    for (const auto& c : t.copy_groups.front()) {
      if (auto* const checker = engine::checker()) {
        checker->access(t, c.to, static_cast<std::size_t>(c.bytes), true, false, code);
      }
      if (!c.done) perform(c);
    }
    t.copy_groups.erase(t.copy_groups.begin());
  }
}

}  // namespace simt
