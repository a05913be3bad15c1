// How accesses are judged. Two are ordered when a barrier of the grid, the block or the warp lies between them; atomics
// and fences order nothing here.

#include "racecheck.hpp"

#include <simt/builtins.hpp>

#include <algorithm>

extern "C" const char __executable_start, __data_start;  // of the program's image: what lies between is constant

namespace simt::engine {

namespace {

constexpr std::size_t most_findings = 20;

std::uint32_t offset_of(const void* code) {
  const auto offset = reinterpret_cast<std::uintptr_t>(code) - reinterpret_cast<std::uintptr_t>(&__executable_start);
  return offset >> 32 == 0 ? static_cast<std::uint32_t>(offset) : 0;
}

std::string nearest(const Region& r, Address a) {
  for (const auto& v : r.variables) {
    if (a >= v.low && a < v.high + 256) {
      return "(" + std::to_string(a - v.low) + " bytes into " + v.name + ", which has " +
             std::to_string(v.high - v.low) + ")";
    }
  }
  return "(in no variable)";
}

}  // namespace

void RaceChecker::launch_begins() {
  findings_.clear();
  seen_.clear();
}

std::string RaceChecker::launch_ends() {
  std::string all;
  for (const auto& f : findings_) all += (all.empty() ? "" : "\n") + f;
  return all;
}

void RaceChecker::block_begins(const std::byte* low, const std::byte* high) {
  Region* r = shadow_.find(reinterpret_cast<Address>(low));
  if (r == nullptr || r->low != reinterpret_cast<Address>(low) || r->high != reinterpret_cast<Address>(high)) {
    r = &shadow_.add(low, static_cast<std::size_t>(high - low), true);
  }
  r->forget_written();
  r->variables.clear();
}

void RaceChecker::shared_variable(const void* p, std::size_t n, const char* name) {
  const auto a = reinterpret_cast<Address>(p);
  shadow_.find(a)->variables.push_back({a, a + n, name});
}

void RaceChecker::global_allocated(const void* p, std::size_t n) { shadow_.add(p, n, false); }
void RaceChecker::global_freed(const void* p) { shadow_.remove(p); }

void RaceChecker::global_initialised(const void* p, std::size_t n) {
  const auto a = reinterpret_cast<Address>(p);
  if (Region* const r = shadow_.find(a)) r->set_written(a, n, true);
}

// Whether the access `a` is known to have happened before what thread `t` does now.
bool RaceChecker::ordered(const Access& a, const ThreadInfo& t, bool shared) {
  if (a.block == 0 || a.block < t.launch) return true;                   // an earlier launch
  if (a.grid_epoch < t.grid_epoch) return true;                          // a grid barrier
  if (a.block != t.block) return shared;                                 // the block before had the same shared memory
  if (a.thread == t.thread || a.epoch < t.epoch) return true;            // a block barrier
  return a.thread / 32u == t.warp && t.seen[a.thread % 32u] >= a.clock;  // a warp barrier
}

void RaceChecker::access(const ThreadInfo& t, const void* p, std::size_t n, bool write, bool atomic, const void* code) {
  if (p >= t.stack_low && p < t.stack_high) return;  // its own
  const auto a = reinterpret_cast<Address>(p);
  Region* const r = shadow_.find(a);
  if (r == nullptr) {
    if (!harmless(t, p, write)) report_and_stop("uses memory that is not the device's", t, n, write, code);
    return;
  }
  if (!r->shared) {
    if (a + n > r->high) report_and_stop("is out of bounds in device memory", t, n, write, code);
  } else if (p < t.shared_low || p >= t.shared_high) {
    report_and_stop("uses another block's shared memory", t, n, write, code);
  } else {
    const auto v = std::find_if(r->variables.begin(), r->variables.end(),
                                [&](const SharedVariable& x) { return a >= x.low && a + n <= x.high; });
    if (v == r->variables.end()) {
      report_and_stop("is out of bounds in shared memory " + nearest(*r, a), t, n, write, code);
    }
  }
  Access now;
  now.block = t.block;
  now.code = offset_of(code);
  now.epoch = t.epoch;
  now.clock = t.clock;
  now.grid_epoch = static_cast<std::uint16_t>(t.grid_epoch);
  now.thread = static_cast<std::uint16_t>(t.thread & 0x7fffu);
  now.atomic = atomic ? 1 : 0;
  const bool reads = !write || atomic;
  if (reads && !r->written(a, n)) {
    report("reads uninitialised memory", t, n, write, code);
    r->set_written(a, n, true);
  }
  if (write) r->set_written(a, n, true);
  r->for_each(a, n, [&](Cell& c) {
    if (!ordered(c.write, t, r->shared) && !(atomic && c.write.atomic != 0)) {
      report("races with the write", t, n, write, code, &c.write);
    }
    if (write) {
      for (const auto& x : c.reads) {
        if (!ordered(x, t, r->shared)) report("races with the read", t, n, write, code, &x);
      }
      c = {now, {}};
    } else {
      const auto replaceable = [&](const Access& x) { return x.thread == now.thread || ordered(x, t, r->shared); };
      c.reads[replaceable(c.reads[0]) ? 0 : 1] = now;
    }
  });
}

void RaceChecker::copy_begins(const ThreadInfo& t, const void* p, std::size_t n, const void* code) {
  access(t, p, n, true, false, code);
  const auto a = reinterpret_cast<Address>(p);
  if (Region* const r = shadow_.find(a)) r->set_written(a, n, false);
}

// The kernel's arguments, built-in variables, constants of the program.
bool RaceChecker::harmless(const ThreadInfo& t, const void* p, bool write) {
  const auto* const b = static_cast<const std::byte*>(p);
  const auto in = [&](const auto& v) {
    return b >= reinterpret_cast<const std::byte*>(&v) && b < reinterpret_cast<const std::byte*>(&v + 1);
  };
  return !write && ((b >= t.arguments_low && b < t.arguments_high) || in(threadIdx) || in(blockIdx) || in(blockDim) ||
                    in(gridDim) || (p >= &__executable_start && p < &__data_start));
}

void RaceChecker::report(const std::string& what, const ThreadInfo& t, std::size_t n, bool write, const void* code,
                         const Access* other) {
  if (!seen_.insert({code, other != nullptr ? other->code : 0}).second || findings_.size() >= most_findings) return;
  std::string text = "simt: " + describe_thread() + ": " + (write ? "write" : "read") + " of " + std::to_string(n) +
                     " bytes at " + describe_address(static_cast<const char*>(code) - 1) + " " + what;
  if (other != nullptr) {
    text += " of thread " + std::to_string(other->thread) + (other->block == t.block ? "" : " of another block") +
            " at " + describe_address(other->code == 0 ? nullptr : &__executable_start + other->code - 1);
  }
  findings_.push_back(text);
}

// What the access would do is not to be had: it could be to any memory of this program.
void RaceChecker::report_and_stop(const std::string& what, const ThreadInfo& t, std::size_t n, bool write,
                                  const void* code) {
  report(what, t, n, write, code);
  stop(launch_ends());
}

}  // namespace simt::engine
