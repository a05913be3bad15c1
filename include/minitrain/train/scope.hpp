#pragma once
// What happens when a scope is left.

#include <minitrain/config.hpp>

#include <exception>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

/// Keeps a flag true while it lives.
class TrueInScope {
 public:
  explicit TrueInScope(bool& flag) noexcept : flag_(flag) { flag_ = true; }
  ~TrueInScope() { flag_ = false; }
  TrueInScope(const TrueInScope&) = delete;
  TrueInScope& operator=(const TrueInScope&) = delete;

 private:
  bool& flag_;
};

/// Calls f() when the scope is left.
template <class F>
class OnExit {
 public:
  explicit OnExit(F f) : f_(std::move(f)) {}
  ~OnExit() { f_(); }
  OnExit(const OnExit&) = delete;
  OnExit& operator=(const OnExit&) = delete;

 private:
  F f_;
};

/// Calls f() when an exception leaves the scope. What f throws gives way to that exception.
template <class F>
class OnException {
 public:
  explicit OnException(F f) : f_(std::move(f)) {}
  ~OnException() {
    if (std::uncaught_exceptions() == before_) return;
    try {
      f_();
    } catch (...) {
    }
  }
  OnException(const OnException&) = delete;
  OnException& operator=(const OnException&) = delete;

 private:
  F f_;
  int before_ = std::uncaught_exceptions();
};

}  // namespace minitrain::inline MINITRAIN_ABI
