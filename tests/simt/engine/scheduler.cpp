// The scheduler: threads run until they meet a barrier, a warp collective or their end; then the next one goes on.

#include "device.hpp"
#include "worker.hpp"

#include <simt/options.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace simt {
namespace engine {

namespace {

Checker* the_checker = nullptr;
std::atomic<std::uint32_t> serial_numbers{0};

void fiber_entry() {
  Worker& w = this_worker();
#if defined(SIMT_ASAN)
  const void* low;
  __sanitizer_finish_switch_fiber(nullptr, &low, &w.scheduler.size);
  w.scheduler.low = static_cast<std::byte*>(const_cast<void*>(low));
#endif
  try {
    w.inside = false;
    w.launch->call.entry(w.launch->call.arguments.get());
    w.inside = true;
    w.exit_thread(*w.running);
  } catch (...) {
    w.inside = true;
    w.failure = std::current_exception();
    w.running->state = State::done;
  }
  w.running->fiber.switch_to(w.scheduler, true);
  std::abort();
}

}  // namespace

Worker& this_worker() {
  static thread_local Worker worker;
  return worker;
}

Checker* checker() { return the_checker; }
std::uint32_t next_serial() { return ++serial_numbers; }

void Worker::begin(Block& b, uint3 index) {
  const Launch& l = *launch;
  const unsigned n = l.block.x * l.block.y * l.block.z;
  const auto serial = next_serial();
  b.index = index;
  b.alive = n;
  begin_shared_memory(b);
  b.threads = std::vector<Thread>(n);
  b.warps = std::vector<Warp>((n + 31) / 32);
  const auto* const arguments = static_cast<const std::byte*>(l.call.arguments.get());
  for (unsigned i = 0; i < n; ++i) {
    Thread& t = b.threads[i];
    t.launch = l.serial;
    t.block = serial;
    t.thread = i;
    t.warp = i / 32;
    t.lane = i % 32;
    t.index = {i % l.block.x, i / l.block.x % l.block.y, i / l.block.x / l.block.y};
    t.owner = &b;
    t.fiber.low = stacks.take();
    t.fiber.size = stacks.bytes();
    t.fiber.prepare(fiber_entry);
    t.stack_low = t.fiber.low;
    t.stack_high = t.fiber.low + t.fiber.size;
    t.shared_low = b.slab.bytes.get();
    t.shared_high = t.shared_low + b.slab.size;
    t.arguments_low = arguments;
    t.arguments_high = arguments + l.call.argument_bytes;
    b.warps[t.warp].lanes[t.lane] = &t;
    b.warps[t.warp].exists |= 1u << t.lane;
  }
}

void Worker::end(Block& b) {
  for (auto& t : b.threads) {
    // A fiber that was given up leaves its frames' red zones behind.
    if (t.state != State::done || failure) unpoison(t.fiber.low, t.fiber.size);
    stacks.give_back(t.fiber.low);
  }
  free_slabs.push_back(std::move(b.slab));
}

void Worker::resume(Thread& t) {
  threadIdx = t.index;
  blockIdx = t.owner->index;
  running = &t;
  scheduler.switch_to(t.fiber);
  running = nullptr;
}

void Worker::wait(State state, Site site) {
  Thread& t = *running;
  t.state = state;
  t.site = site;
  t.fiber.switch_to(scheduler);
  inside = true;
}

void Worker::run_group(std::vector<Block>& blocks) {
  group = &blocks;
  blockDim = launch->block;
  gridDim = launch->grid;
  next.clear();
  grid_alive = static_cast<unsigned>(blocks.size() * blocks[0].threads.size());
  grid_waiting = 0;
  for (auto& b : blocks) {
    for (auto& t : b.threads) next.push_back(&t);
  }
  const auto seed = options().seed;
  while (!next.empty() && !failure) {
    ready.swap(next);
    next.clear();
    if (seed == 1) std::reverse(ready.begin(), ready.end());
    if (seed > 1) {
      for (std::size_t i = ready.size(); i > 1; --i) std::swap(ready[i - 1], ready[next_random() % i]);
    }
    for (auto* t : ready) {
      resume(*t);
      if (failure) return;
    }
  }
  if (grid_alive > 0) {
    throw error("simt: deadlock in " + describe_address(launch->call.kernel) + ", block " + text(blocks[0].index) +
                ": no thread can go on" + waiting_list());
  }
}

std::string Worker::waiting_list() const {
  struct Group {
    std::string what;
    unsigned count = 0;
    uint3 first{};
  };
  std::vector<Group> groups;
  for (const auto& b : *group) {
    for (const auto& t : b.threads) {
      std::string what = t.state == State::done ? "have returned" : "";
      if (t.state == State::block_barrier) what = "wait in __syncthreads at " + text(t.site);
      if (t.state == State::grid_barrier) what = "wait in grid sync at " + text(t.site);
      if (t.state == State::warp_collective) {
        what = std::string("wait in ") + name_of(t.collective->op) + text(" with mask 0x%08x at ", t.collective->mask) +
               text(t.site);
      }
      auto g = std::find_if(groups.begin(), groups.end(), [&](auto& x) { return x.what == what; });
      if (g == groups.end()) g = groups.insert(groups.end(), {what, 0, t.index});
      ++g->count;
    }
  }
  std::string out;
  for (const auto& g : groups) out += text("\n    %u threads, the first ", g.count) + text(g.first) + ", " + g.what;
  return out;
}

void Worker::exit_thread(Thread& t) {
  Block& b = *t.owner;
  Warp& w = b.warps[t.warp];
  t.state = State::done;
  --b.alive;
  --grid_alive;
  w.exited |= 1u << t.lane;
  const auto open = w.open;
  for (auto* c : open) {
    if ((c->mask >> t.lane & 1u) != 0) complete(w, *c);
  }
  if (b.waiting > 0) {
    if (!options().allow_early_exit) {
      fail(text("returns while %u threads of its block wait in __syncthreads", b.waiting));
    }
    if (b.waiting == b.alive) release_block(b);
  }
  if (grid_waiting > 0 && grid_waiting == grid_alive) release_grid();
}

}  // namespace engine

// --- what checkers and reports ask ----------------------------------------------------------------------------------

void set_checker(Checker* c) { engine::the_checker = c; }

const ThreadInfo* current_thread() {
  const auto& w = engine::this_worker();
  return w.inside ? nullptr : w.running;
}

std::string describe_thread() {
  const auto* const t = engine::this_worker().running;
  return "block " + engine::text(t->owner->index) + " thread " + engine::text(t->index);
}

void fail(const std::string& what) {
  throw error("simt: " + describe_thread() + ", in the kernel at " +
              describe_address(engine::this_worker().launch->call.kernel) + ": " + what);
}

// The fiber is left for ever; so are all others of its launch.
void stop(const std::string& what) {
  auto& w = engine::this_worker();
  w.inside = true;
  w.failure = std::make_exception_ptr(error(what));
  w.running->state = engine::State::done;
  w.running->fiber.switch_to(w.scheduler, true);
  std::abort();
}

#if defined(SIMT_ASAN)
// AddressSanitizer calls it before it reports: its own words know nothing of blocks and threads.
extern "C" void __asan_on_error() {
  const auto& w = engine::this_worker();
  if (w.running != nullptr) std::fprintf(stderr, "simt: %s\n", describe_thread().c_str());
}
#endif

void trap(Site site) {
  const engine::Inside inside;
  fail("traps at " + engine::text(site));
}

void yield() {
  auto& w = engine::this_worker();
  if (w.running == nullptr) return;
  const engine::Inside inside;
  w.next.push_back(w.running);
  w.running->fiber.switch_to(w.scheduler);
}

}  // namespace simt
