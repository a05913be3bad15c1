#pragma once
// InterruptGuard: SIGINT, SIGTERM and SIGUSR1 as a request to stop in good order.

#include <minitrain/core/error.hpp>

#include <signal.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <span>

namespace minitrain::inline MINITRAIN_ABI {

/// A request to stop. Any thread may make it, and a signal handler.
class InterruptFlag {
 public:
  static_assert(std::atomic<int>::is_always_lock_free, "signal handlers may use lock-free atomics only");

  /// Returns false when there was a request already, which stays. A signal comes before a request without one.
  bool request(int signal = 0) noexcept {
    int before = quiet;
    if (state_.compare_exchange_strong(before, signal)) return true;
    before = 0;
    return signal != 0 && state_.compare_exchange_strong(before, signal);
  }
  bool requested() const noexcept { return state_.load() != quiet; }
  /// The signal that made the request, or 0.
  int signal() const noexcept { return requested() ? state_.load() : 0; }
  /// 128 + signal: what a program returns that was stopped by one, 143 for SIGTERM; 0 where there was none.
  int exit_status() const noexcept { return signal() == 0 ? 0 : 128 + signal(); }
  void clear() noexcept { state_.store(quiet); }

 private:
  static constexpr int quiet = -1;
  std::atomic<int> state_{quiet};
};

namespace detail {

/// The flag that the handler sets. A handler is given nothing but the number of the signal, so this one pointer has to
/// be where a plain function finds it: the only mutable state that the library keeps outside of objects.
inline std::atomic<InterruptFlag*>& interrupt_target() noexcept {
  static constinit std::atomic<InterruptFlag*> target{nullptr};
  static_assert(std::atomic<InterruptFlag*>::is_always_lock_free);
  return target;
}

/// The first signal sets the flag; another one does what it does by default, at once.
inline void handle_interrupt(int signal) noexcept {
  const int error = errno;
  InterruptFlag* const flag = interrupt_target().load();
  if (flag == nullptr || !flag->request(signal)) {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);
    ::raise(signal);  // delivered when this function returns
  }
  errno = error;
}

}  // namespace detail

/// While it lives, the first of these signals sets a flag, which a training loop looks at between steps: time to save
/// and to return. The second ends the program at once. The handlers of before come back at
/// the end; a signal that was ignored stays ignored. One guard at a time, or one inside the other.
///
///   InterruptGuard interrupt;                       // or {SIGTERM}
///   while (!interrupt.requested()) { ...step... }
///   return interrupt.flag().exit_status();          // 143 after SIGTERM
class InterruptGuard {
 public:
  /// Throws OptionError for a signal that cannot be handled, with no handler changed.
  explicit InterruptGuard(std::initializer_list<int> signals = {SIGINT, SIGTERM, SIGUSR1})
      : previous_(detail::interrupt_target().exchange(&flag_)) {
    struct sigaction action {};
    action.sa_handler = detail::handle_interrupt;
    action.sa_flags = SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    for (const int signal : signals) {
      Handler& handler = handlers_[count_];
      handler.signal = signal;
      errno = EINVAL;
      if (count_ + 1 == handlers_.size() || ::sigaction(signal, nullptr, &handler.before) != 0 ||
          (handler.before.sa_handler != SIG_IGN && ::sigaction(signal, &action, nullptr) != 0)) {
        const int error = errno;
        restore();
        throw OptionError({"InterruptGuard: signal ", signal, " cannot be handled: ", std::strerror(error)});
      }
      if (handler.before.sa_handler != SIG_IGN) ++count_;
    }
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard() { restore(); }

  bool requested() const noexcept { return flag_.requested(); }
  InterruptFlag& flag() noexcept { return flag_; }
  const InterruptFlag& flag() const noexcept { return flag_; }

 private:
  struct Handler {
    int signal = 0;
    struct sigaction before {};
  };

  void restore() noexcept {
    while (count_ > 0) {
      --count_;
      ::sigaction(handlers_[count_].signal, &handlers_[count_].before, nullptr);
    }
    detail::interrupt_target().store(previous_);
  }

  InterruptFlag flag_;
  InterruptFlag* previous_;
  std::array<Handler, 17> handlers_{};
  std::size_t count_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI
