// A launch: blocks one after another, on one or several threads of the operating system, in the order the seed gives;
// all at once when it is cooperative. Arithmetic flushes denormals, as kernels compiled with -ftz=true do.

#include "launch.hpp"

#include "device.hpp"
#include "device_memory.hpp"
#include "worker.hpp"

#include <simt/options.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace simt::engine {

namespace {

constexpr std::size_t shared_without_asking = 48u << 10;
constexpr std::uint64_t most_cooperative_blocks = 1024;

/// Denormals are zero, as operands and as results, while this lives.
class FlushDenormals {
#if defined(__x86_64__)
 public:
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040u); }
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#else
 public:
  FlushDenormals() {}
#endif
};

struct KernelRuns {
  KernelRuns() { device_memory().kernel_begins(); }
  ~KernelRuns() { device_memory().kernel_ends(); }
};

std::unordered_map<const void*, std::size_t>& dynamic_allowances() {
  static auto* const map = new std::unordered_map<const void*, std::size_t>;
  return *map;
}

/// Deals out the blocks of one launch and keeps the first failure.
class Turns {
 public:
  explicit Turns(const Launch& l) : launch_(l), blocks_(std::uint64_t{l.grid.x} * l.grid.y * l.grid.z) {}

  std::uint64_t blocks() const { return blocks_; }

  // One worker takes groups of blocks until there are none.
  void work() {
    const FlushDenormals arithmetic;
    const std::uint64_t group_size = launch_.cooperative ? blocks_ : 1;
    Worker& w = this_worker();
    w.launch = &launch_;
    w.failure = nullptr;
    w.random = 0x9e3779b97f4a7c15ull * (options().seed + 1) + launch_.serial;
    std::vector<Block> group;
    for (std::uint64_t first = 0; (first = next_.fetch_add(group_size)) < blocks_;) {
      group.clear();
      group.resize(group_size);
      for (std::uint64_t k = 0; k < group_size; ++k) w.begin(group[k], index(first + k));
      try {
        w.run_group(group);
        if (w.failure) std::rethrow_exception(w.failure);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
        next_ = blocks_;
      }
      for (auto& b : group) w.end(b);
    }
    w.launch = nullptr;
    w.failure = nullptr;
  }

  std::exception_ptr failure() const { return failure_; }

 private:
  uint3 index(std::uint64_t turn) const {
    const auto& grid = launch_.grid;
    const auto i = options().seed == 1 && !launch_.cooperative ? blocks_ - 1 - turn : turn;
    return {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
            static_cast<unsigned>(i / grid.x / grid.y)};
  }

  const Launch& launch_;
  const std::uint64_t blocks_;
  std::atomic<std::uint64_t> next_{0};
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace

bool allow_dynamic_shared(const void* kernel, std::size_t bytes) {
  if (bytes > shared_limit()) return false;
  dynamic_allowances()[kernel] = bytes;
  return true;
}

std::size_t dynamic_shared_allowed(const void* kernel) {
  const auto it = dynamic_allowances().find(kernel);
  return std::max(shared_without_asking, it == dynamic_allowances().end() ? 0 : it->second);
}

cudaError_t launch_error(const Launch& l) {
  const auto threads = std::uint64_t{l.block.x} * l.block.y * l.block.z;
  const auto blocks = std::uint64_t{l.grid.x} * l.grid.y * l.grid.z;
  if (l.call.kernel == nullptr) return cudaErrorInvalidDeviceFunction;
  if (compute_capability() < 75) return cudaErrorNoKernelImageForDevice;
  if (threads == 0 || threads > 1024 || l.block.z > 64) return cudaErrorInvalidConfiguration;
  if (blocks == 0 || l.grid.x > 0x7fffffffu || l.grid.y > 65535 || l.grid.z > 65535) {
    return cudaErrorInvalidConfiguration;
  }
  if (l.dynamic > std::min(dynamic_shared_allowed(l.call.kernel), shared_limit())) return cudaErrorInvalidValue;
  if (l.cooperative && blocks > most_cooperative_blocks) return cudaErrorCooperativeLaunchTooLarge;
  return cudaSuccess;
}

void run(const Launch& asked) {
  Launch l = asked;
  l.serial = next_serial();
  std::exception_ptr failure;
  std::string found;
  {
    const KernelRuns access;
    if (checker() != nullptr) checker()->launch_begins();
    Turns turns(l);
    const auto threads =
        l.cooperative || checker() != nullptr ? 1 : std::min<std::uint64_t>(options().os_threads, turns.blocks());
    if (threads <= 1) {
      turns.work();
    } else {
      std::vector<std::thread> pool;
      for (std::uint64_t i = 0; i < threads; ++i) pool.emplace_back([&] { turns.work(); });
      for (auto& t : pool) t.join();
    }
    failure = turns.failure();
    if (checker() != nullptr) found = checker()->launch_ends();
  }
  if (failure) std::rethrow_exception(failure);
  if (!found.empty()) throw error(found);
}

}  // namespace simt::engine
