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

/// f(). When an exception leaves it, told(its words) is called before it goes on; what told() throws gives way to it.
template <class F, class Told>
decltype(auto) telling_failure(F&& f, Told&& told) {
  const auto tell = [&](const char* words) {
    try {
      told(words);
    } catch (...) {
    }
  };
  try {
    return f();
  } catch (const std::exception& error) {
    tell(error.what());
    throw;
  } catch (...) {
    tell("an exception of an unknown type");
    throw;
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
