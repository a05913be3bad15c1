#pragma once
// SlotRing: threads that fill slots ahead of the one who empties them, in order.

#include <minitrain/core/error.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// A ring of `slots` slots; slot ticket % slots is for the work with that number. take(t), take(t + 1), ... hand out
/// slots that `fill` has filled, each held until the next is taken; meanwhile workers fill the ones behind. Another
/// ticket than the next begins anew from there. Nothing but time depends on the workers; without any, take() fills by
/// itself. Who destroys a ring, or begins anew, waits for the fills that are under way: they are asked to stop.
class SlotRing {
 public:
  /// What a fill is given.
  struct Work {
    std::size_t slot = 0;
    std::uint64_t ticket = 0;
    bool first = false;  // of a sequence: nothing was filled just before it
    std::stop_token stop{};
    std::atomic<std::uint64_t>* current = nullptr;  // where to say what is being worked on
  };
  using Fill = std::function<void(const Work&)>;
  /// What a ticket is, for messages; `current` as the fill has left it, nothing_current if it has not.
  using Name = std::function<std::string(std::uint64_t ticket, std::uint64_t current)>;
  static constexpr std::uint64_t nothing_current = ~std::uint64_t{0};

  SlotRing(std::size_t slots, Fill fill, Name name) : slots_(slots), fill_(std::move(fill)), name_(std::move(name)) {}
  SlotRing(const SlotRing&) = delete;
  SlotRing& operator=(const SlotRing&) = delete;
  ~SlotRing() { stop_workers(); }

  std::size_t slots() const noexcept { return slots_.size(); }
  std::size_t workers() const noexcept { return workers_.size(); }
  /// Workers fill no slot from this ticket on; take() still can.
  void end_at(std::uint64_t ticket) {
    const std::lock_guard lock(mutex_);
    end_ = ticket;
    wake_worker(false);
  }
  /// Starts another worker. Throws std::system_error when the system has no thread for it; nothing has changed then.
  void add_worker() {
    workers_.push_back(std::make_unique<Worker>());
    try {
      Worker& worker = *workers_.back();
      worker.thread = std::thread([this, &worker] { work(worker); });
    } catch (...) {
      workers_.pop_back();
      throw;
    }
  }

  /// The slot of this ticket, filled; the one taken before is given back. Throws what the fill threw, after which the
  /// next take() begins anew; and DataError (timed_out) when it takes longer than `deadline`, if that is not 0.
  std::size_t take(std::uint64_t ticket, std::chrono::duration<double> deadline = {}) {
    std::unique_lock lock(mutex_);
    const bool follows = running_ && ticket == base_ + 1;
    if (!follows) begin_at(ticket, deadline, lock);
    base_ = ticket;
    Slot& slot = slots_[ticket % slots_.size()];
    if (workers_.empty() || (ticket >= end_ && next_ <= ticket)) {  // it is nobody's work, nor will be
      if (next_ <= ticket) next_ = ticket + 1;
      slot.state = State::filling;
      lock.unlock();
      fill_slot({ticket % slots_.size(), ticket, !follows, stop_.get_token(), nullptr}, slot);
      lock.lock();
      slot.state = State::filled;
    } else {
      const auto filled = [&] { return slot.state == State::filled && slot.ticket == ticket; };
      wake_worker(!filled());
      wait(lock, deadline, ticket, filled);
    }
    if (slot.error) {
      running_ = false;
      std::rethrow_exception(std::exchange(slot.error, nullptr));
    }
    return ticket % slots_.size();
  }

 private:
  enum class State { free, filling, filled };
  struct Slot {
    State state = State::free;
    std::uint64_t ticket = 0;
    std::exception_ptr error;
  };
  struct Worker {
    std::atomic<std::uint64_t> current{nothing_current};
    std::uint64_t ticket = 0;
    bool busy = false;
    std::thread thread;
  };

  /// Tickets that are nobody's work yet and may be.
  std::uint64_t room() const noexcept {
    const std::uint64_t end = std::min(end_, base_ + slots_.size());
    return running_ && next_ < end ? end - next_ : 0;
  }

  /// Wakes a worker, if one sleeps who could work, for half a ring or all that is left before the end; for less only
  /// where this thread waits. Waking a thread takes 20 us, longer than many a batch. No wake-up is lost: workers sleep
  /// only while there is no room; room appears only in take() and end_at(), which come here; and when take() waits,
  /// somebody is at work on its slot, or one is woken before it waits, who takes tickets in order, of which that one
  /// comes next. All of it under the mutex.
  void wake_worker(bool waiting) {
    const std::uint64_t found = room();
    if (sleeping_ == 0 || found == 0) return;
    if (waiting || found >= std::min<std::uint64_t>((slots_.size() + 1) / 2, end_ - next_)) room_.notify_one();
  }

  void fill_slot(const Work& work, Slot& slot) noexcept {
    try {
      fill_(work);
    } catch (...) {
      slot.error = std::current_exception();
    }
  }

  void work(Worker& worker) {
    std::unique_lock lock(mutex_);
    for (;;) {
      while (!ending_ && room() == 0) {
        ++sleeping_;
        room_.wait(lock);
        --sleeping_;
      }
      if (ending_) return;
      const std::uint64_t ticket = next_++;
      wake_worker(true);  // of several, one wakes the next
      Slot& slot = slots_[ticket % slots_.size()];
      slot.state = State::filling;
      slot.ticket = worker.ticket = ticket;
      slot.error = nullptr;
      worker.busy = true;
      ++busy_;
      const Work work{ticket % slots_.size(), ticket, ticket == begin_, stop_.get_token(), &worker.current};
      lock.unlock();
      worker.current.store(nothing_current, std::memory_order_relaxed);
      fill_slot(work, slot);
      lock.lock();
      slot.state = State::filled;
      worker.busy = false;
      --busy_;
      filled_.notify_all();
    }
  }

  template <class Done>
  void wait(std::unique_lock<std::mutex>& lock, std::chrono::duration<double> deadline, std::uint64_t ticket,
            const Done& done) {
    if (deadline.count() <= 0) return filled_.wait(lock, done);
    if (filled_.wait_for(lock, deadline, done)) return;
    running_ = false;
    fail_late(ticket, deadline);
  }

  /// Forgets what was filled, once the fills under way have ended, and starts with `ticket`.
  void begin_at(std::uint64_t ticket, std::chrono::duration<double> deadline, std::unique_lock<std::mutex>& lock) {
    running_ = false;
    if (busy_ > 0) stop_.request_stop();
    wait(lock, deadline, ticket, [&] { return busy_ == 0; });
    if (stop_.stop_requested()) stop_ = std::stop_source();
    for (Slot& slot : slots_) slot = Slot();
    begin_ = base_ = next_ = ticket;
    running_ = true;
  }

  [[noreturn]] void fail_late(std::uint64_t ticket, std::chrono::duration<double> deadline) const {
    bool busy_with_it = false;
    for (const auto& worker : workers_) busy_with_it = busy_with_it || (worker->busy && worker->ticket == ticket);
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const Worker& worker = *workers_[i];
      if (!worker.busy || (busy_with_it && worker.ticket != ticket)) continue;
      throw DataError(ErrorCode::timed_out,
                      {"DataLoader: worker ", i, " of ", workers_.size(), " has worked for ", deadline.count(),
                       " seconds or longer on ", name_(worker.ticket, worker.current.load(std::memory_order_relaxed)),
                       ": look at what reads it, or allow more time"});
    }
    throw DataError(ErrorCode::timed_out, {"DataLoader: no worker came to ", name_(ticket, nothing_current), " within ",
                                           deadline.count(), " seconds: look at what they wait for"});
  }

  void stop_workers() noexcept {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      stop_.request_stop();
    }
    room_.notify_all();
    for (const auto& worker : workers_) worker->thread.join();
  }

  std::vector<Slot> slots_;
  Fill fill_;
  Name name_;
  std::mutex mutex_;
  std::condition_variable room_, filled_;
  std::stop_source stop_;
  std::vector<std::unique_ptr<Worker>> workers_;
  bool running_ = false, ending_ = false;
  std::size_t busy_ = 0, sleeping_ = 0;            // fills under way; workers without one who wait for room
  std::uint64_t begin_ = 0, base_ = 0, next_ = 0;  // first ticket, the one taken last, the next to be filled
  std::uint64_t end_ = ~std::uint64_t{0};
};

}  // namespace minitrain::inline MINITRAIN_ABI
