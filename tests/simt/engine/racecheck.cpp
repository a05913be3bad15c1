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

RaceChecker::Region RaceChecker::make(const void* p, std::size_t n, bool shared) {
  const auto low = reinterpret_cast<Address>(p);
  const auto granules = (n + granule - 1) / granule + 1;
  Region r{low, low + n, shared, std::vector<bool>(granules), {}, {}};
  r.pages.resize((granules + cells_in_page - 1) / cells_in_page);
  return r;
}

void RaceChecker::block_begins(const std::byte* low, const std::byte* high) {
  Region& r = regions_[reinterpret_cast<Address>(low)];
  if (r.high != reinterpret_cast<Address>(high)) {
    r = make(low, static_cast<std::size_t>(high - low), true);
    recent_ = {};
  } else {
    std::fill(r.initialised.begin(), r.initialised.end(), false);
  }
  r.variables.clear();
}

void RaceChecker::shared_variable(const void* p, std::size_t n, const char* name) {
  const auto a = reinterpret_cast<Address>(p);
  find(a)->variables.push_back({a, a + n, name});
}

void RaceChecker::global_allocated(const void* p, std::size_t n) {
  regions_[reinterpret_cast<Address>(p)] = make(p, n, false);
  recent_ = {};
}

void RaceChecker::global_freed(const void* p) {
  regions_.erase(reinterpret_cast<Address>(p));
  recent_ = {};
}

void RaceChecker::global_initialised(const void* p, std::size_t n) {
  const auto a = reinterpret_cast<Address>(p);
  Region* const r = find(a);
  if (r == nullptr || n == 0) return;
  const auto first = r->initialised.begin() + static_cast<std::ptrdiff_t>((a - r->low) / granule);
  const auto last = r->initialised.begin() + static_cast<std::ptrdiff_t>((a + n - 1 - r->low) / granule + 1);
  std::fill(first, last, true);
}

RaceChecker::Region* RaceChecker::find(Address a) {
  Region*& recent = recent_[a / 256 % recent_.size()];
  if (recent != nullptr && recent->contains(a)) return recent;
  auto it = regions_.upper_bound(a);
  if (it == regions_.begin()) return nullptr;
  --it;
  if (!it->second.contains(a)) return nullptr;
  recent = &it->second;
  return recent;
}

RaceChecker::Cell& RaceChecker::cell(Region& r, Address index) {
  auto& page = r.pages[index / cells_in_page];
  if (page == nullptr) page = std::make_unique<Page>();
  return (*page)[index % cells_in_page];
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
  Region* const r = find(a);
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
                                [&](const Variable& x) { return a >= x.low && a + n <= x.high; });
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
  for (auto i = (a - r->low) / granule; i <= (a + n - 1 - r->low) / granule; ++i) touch(*r, i, now, t, n, write, code);
}

void RaceChecker::touch(Region& r, Address i, const Access& now, const ThreadInfo& t, std::size_t n, bool write,
                        const void* code) {
  Cell& c = cell(r, i);
  const bool reads = !write || now.atomic != 0;
  if (reads && !r.initialised[i]) {
    report("reads uninitialised memory", t, n, write, code);
    r.initialised[i] = true;
  }
  if (!ordered(c.write, t, r.shared) && !(now.atomic != 0 && c.write.atomic != 0)) {
    report("races with the write", t, n, write, code, &c.write);
  }
  if (write) {
    for (const auto& x : c.reads) {
      if (!ordered(x, t, r.shared)) report("races with the read", t, n, write, code, &x);
    }
    c = {now, {}};
    r.initialised[i] = true;
  } else {
    const auto replaceable = [&](const Access& x) { return x.thread == now.thread || ordered(x, t, r.shared); };
    c.reads[replaceable(c.reads[0]) ? 0 : 1] = now;
  }
}

void RaceChecker::copy_begins(const ThreadInfo& t, const void* p, std::size_t n, const void* code) {
  access(t, p, n, true, false, code);
  const auto a = reinterpret_cast<Address>(p);
  Region* const r = find(a);
  if (r == nullptr) return;
  for (auto i = (a - r->low) / granule; i <= (a + n - 1 - r->low) / granule; ++i) r->initialised[i] = false;
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

std::string RaceChecker::nearest(const Region& r, Address a) {
  for (const auto& v : r.variables) {
    if (a >= v.low && a < v.high + 256) {
      return "(" + std::to_string(a - v.low) + " bytes into " + v.name + ", which has " +
             std::to_string(v.high - v.low) + ")";
    }
  }
  return "(in no variable)";
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
