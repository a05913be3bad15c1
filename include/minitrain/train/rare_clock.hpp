#pragma once
// RareClock: whether it is time for something, asked at every step without a look at the clock each time.

#include <minitrain/config.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// due() every `interval` seconds, give or take an eighth. Where steps are shorter than that by far, most calls only
/// count: as many as made up an eighth of the interval when last measured, and at most twice as many as before, so that
/// steps that slow down are noticed soon.
class RareClock {
 public:
  using Clock = std::chrono::steady_clock;

  explicit RareClock(double interval) noexcept : interval_(interval) {}

  void restart(Clock::time_point now) noexcept {
    due_from_ = looked_ = now;
    stride_ = left_ = 1;
  }
  /// Counts a step; looks at the clock when it may be time.
  bool due() noexcept {
    if (--left_ > 0) return false;
    const Clock::time_point now = Clock::now();
    if (interval_ < shortest) {
      looked_ = now;
      left_ = 1;
      return true;
    }
    const double passed = seconds(now - looked_), wanted = interval_ / 8;
    const auto fitting =
        passed > 0 ? static_cast<double>(stride_) * wanted / passed : 2.0 * static_cast<double>(stride_);
    stride_ = std::max<std::size_t>(1, static_cast<std::size_t>(std::min(fitting, 2.0 * static_cast<double>(stride_))));
    stride_ = std::min<std::size_t>(stride_, 1 << 16);
    left_ = stride_;
    looked_ = now;
    if (seconds(now - due_from_) < interval_) return false;
    due_from_ = now;
    return true;
  }
  /// When due() looked last.
  Clock::time_point looked() const noexcept { return looked_; }

  static double seconds(Clock::duration time) noexcept { return std::chrono::duration<double>(time).count(); }

 private:
  static constexpr double shortest = 1e-9;  // the clock's step: below it, every call is due

  double interval_;
  std::size_t stride_ = 1, left_ = 1;
  Clock::time_point due_from_{}, looked_{};
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail
