#pragma once
// Threads: a pool that runs one parallel region at a time, without allocation or lock on the way in.

#include <minitrain/cpu/simd.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI::cpu {

/// `threads` - 1 workers beside the calling thread. run(parts, f) calls f(0), ..., f(parts - 1), each once, and returns
/// when all are done. Whoever is free takes the next part, the caller too: when the other cores are busy with something
/// else, it does not wait for workers that have not begun. A waiting thread spins for some microseconds, as long as a
/// training step leaves it idle, and then sleeps in the kernel, so that it does not burn the core that another needs.
/// Parts must not throw and regions do not nest.
class Threads {
 public:
  static constexpr std::size_t most_parts = 1024;

  explicit Threads(std::size_t threads) {
    workers_.reserve(threads - 1);
    try {
      for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Threads() { stop(); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  template <class F>
  void run(std::size_t parts, F& f) noexcept {
    call_ = [](void* context, std::size_t part) { (*static_cast<F*>(context))(part); };
    context_ = &f;
    left_.store(static_cast<std::uint32_t>(parts), std::memory_order_relaxed);
    const std::uint32_t region = region_.load(std::memory_order_relaxed) + 1;
    claims_.store(Claim{region, static_cast<std::uint16_t>(parts), 0}, std::memory_order_release);
    region_.store(region, std::memory_order_release);
    region_.notify_all();
    take_parts();
    wait(left_, [](std::uint32_t left) { return left == 0; });
  }

 private:
  static constexpr int spins = 4000;

  /// The next part of a region that nobody has taken yet. In one word with the region's number, so that a worker that
  /// comes late cannot take a part of another region for one of its own.
  struct alignas(8) Claim {
    std::uint32_t region;
    std::uint16_t parts, next;
  };

  void take_parts() noexcept {
    Claim claim = claims_.load(std::memory_order_acquire);
    while (claim.next < claim.parts) {
      const Claim taken{claim.region, claim.parts, static_cast<std::uint16_t>(claim.next + 1)};
      if (!claims_.compare_exchange_weak(claim, taken, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      // The region cannot end before this part is done, so call_ and context_ are its own.
      call_(context_, claim.next);
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
      claim = claims_.load(std::memory_order_acquire);
    }
  }

  template <class Done>
  static std::uint32_t wait(const std::atomic<std::uint32_t>& value, Done done) noexcept {
    std::uint32_t now = value.load(std::memory_order_acquire);
    for (int spin = 0; !done(now) && spin < spins; ++spin) {
      spin_pause();
      now = value.load(std::memory_order_acquire);
    }
    while (!done(now)) {
      value.wait(now, std::memory_order_acquire);
      now = value.load(std::memory_order_acquire);
    }
    return now;
  }

  void work() noexcept {
    const FlushDenormals flush;
    std::uint32_t seen = 0;
    while (true) {
      seen = wait(region_, [seen](std::uint32_t region) { return region != seen; });
      if (stopping_.load(std::memory_order_relaxed)) return;
      take_parts();
    }
  }

  void stop() noexcept {
    stopping_.store(true, std::memory_order_relaxed);
    region_.fetch_add(1, std::memory_order_release);
    region_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  void (*call_)(void*, std::size_t) = nullptr;
  void* context_ = nullptr;
  alignas(64) std::atomic<std::uint32_t> region_{0};
  alignas(64) std::atomic<Claim> claims_{Claim{0, 0, 0}};
  alignas(64) std::atomic<std::uint32_t> left_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace minitrain::inline MINITRAIN_ABI::cpu
