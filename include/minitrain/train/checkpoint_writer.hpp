#pragma once
// CheckpointWriter: a thread that writes snapshots, so that training never waits for a disk.

#include <minitrain/train/checkpoint_directory.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

namespace minitrain::inline MINITRAIN_ABI {

/// What became of the snapshots so far.
struct CheckpointStatistics {
  std::size_t submitted = 0;
  std::size_t written = 0;
  std::size_t replaced = 0;  // by a newer one, while they waited for the disk
  std::size_t failed = 0, failed_in_a_row = 0;
  std::size_t not_removed = 0;    // writes after which an older checkpoint could not be removed
  std::uint64_t newest_step = 0;  // of the last that is on the disk, if any was written
  double seconds = 0;             // spent writing, beside the training or, in place, instead of it
  std::string last_failure{};     // its words
  std::string in_place{};         // why there is no thread, so that submit() itself writes; empty: there is one
};

/// Snapshots go in by move and come back, to be filled again, by buffer(). At most one is written, one waits, and one
/// is kept aside for being better than those after it; a newer one replaces the one that waits. A snapshot that cannot
/// be written is counted and its reason kept; training goes on with the checkpoints there are, until too many fail in a
/// row. All functions are for one thread, the one that trains.
class CheckpointWriter {
 public:
  using StartThread = std::function<std::thread(std::function<void()>)>;

  /// Where the system has no thread to give, submit() writes by itself, and statistics().in_place says why. Locks the
  /// directory as long as it lives, and throws what lock() throws.
  explicit CheckpointWriter(
      CheckpointDirectory directory, std::size_t max_failures = 5,
      const StartThread& start = [](std::function<void()> run) { return std::thread(std::move(run)); })
      : directory_(std::move(directory)), max_failures_(max_failures) {
    directory_.lock();
    free_.reserve(most_snapshots);
    try {
      thread_ = start([this] { run(); });
    } catch (const std::exception& error) {
      keep_words(in_place_, error.what());
    }
  }
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;
  /// Finishes what was submitted.
  ~CheckpointWriter() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  /// Snapshots that were submitted and are neither written, failed nor replaced. None: the next one is written at once.
  /// More than one: the last of them waits.
  std::size_t pending() const noexcept { return pending_.load(std::memory_order_relaxed); }

  /// A snapshot to fill: one that has been written before, with its memory, when there is one.
  Snapshot buffer() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return {};
    Snapshot snapshot = std::move(free_.back());
    free_.pop_back();
    return snapshot;
  }

  /// Takes the snapshot, to be written soon; never waits for the disk (unless in place). Throws DataError (io_error)
  /// when as many as max_failures could not be written in a row, with the words of the last.
  void submit(Snapshot&& snapshot) {
    {
      const std::lock_guard lock(mutex_);
      ++counts_.submitted;
      ++pending_;
      if (thread_.joinable()) {
        put_waiting(std::move(snapshot));
      } else {
        writing_ = std::move(snapshot);
      }
    }
    if (thread_.joinable()) {
      changed_.notify_all();
    } else {
      write();
    }
    throw_if_failing();
  }

  /// Waits until everything submitted is written, or has failed. Throws as submit() does.
  void finish() {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !writing_ && !waiting_ && !aside_; });
    }
    throw_if_failing();
  }

  CheckpointStatistics statistics() const {
    const std::lock_guard lock(mutex_);
    CheckpointStatistics result = counts_;
    result.last_failure = failure_.data();
    result.in_place = in_place_.data();
    return result;
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Words = std::array<char, 512>;  // kept without asking for memory, of which there may be none
  static constexpr std::size_t most_snapshots = 8;

  static void keep_words(Words& words, const char* text) noexcept {
    std::strncpy(words.data(), text, words.size() - 1);
  }

  void put_waiting(Snapshot&& snapshot) {
    if (waiting_) {
      // One without value is better than none, and worse than any.
      const auto value = [](const std::optional<Snapshot>& s) { return s->state().value; };
      if (value(waiting_) == value(waiting_) && !(aside_ && value(aside_) <= value(waiting_))) aside_.swap(waiting_);
      if (waiting_) {
        ++counts_.replaced;
        --pending_;
        recycle(*waiting_);
      }
    }
    waiting_ = std::move(snapshot);
  }
  void recycle(Snapshot& snapshot) noexcept {
    if (free_.size() < free_.capacity()) free_.push_back(std::move(snapshot));
  }

  void run() noexcept {
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stop_ || waiting_ || aside_; });
        std::optional<Snapshot>& next = aside_ ? aside_ : waiting_;  // in the order of their steps
        if (!next) return;
        writing_ = std::move(next);
        next.reset();
      }
      write();
      changed_.notify_all();
    }
  }

  /// What is in writing_, which nobody else touches meanwhile.
  void write() noexcept {
    const Clock::time_point start = Clock::now();
    const std::uint64_t step = writing_->state().steps;
    bool written = false, removed = true;
    Words words{};
    try {
      removed = directory_.write(*writing_);
      written = true;
    } catch (const std::exception& error) {
      keep_words(words, error.what());
    } catch (...) {
      keep_words(words, "an exception of an unknown type");
    }
    const std::lock_guard lock(mutex_);
    counts_.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    recycle(*writing_);
    writing_.reset();
    --pending_;
    if (written) {
      ++counts_.written;
      counts_.failed_in_a_row = 0;
      counts_.newest_step = step;
      counts_.not_removed += removed ? 0 : 1;
    } else {
      ++counts_.failed;
      ++counts_.failed_in_a_row;
      failure_ = words;
    }
  }

  void throw_if_failing() const {
    const std::lock_guard lock(mutex_);
    if (counts_.failed_in_a_row < max_failures_) return;
    throw DataError(ErrorCode::io_error,
                    {"checkpoints: the last ", counts_.failed_in_a_row,
                     " could not be written; the older ones stay. The last failure: ", failure_.data()});
  }

  CheckpointDirectory directory_;  // of write() alone
  std::size_t max_failures_;
  mutable std::mutex mutex_;  // of everything below
  std::condition_variable changed_;
  std::optional<Snapshot> writing_, waiting_, aside_;
  std::vector<Snapshot> free_;
  CheckpointStatistics counts_;
  std::atomic<std::size_t> pending_{0};  // read without the mutex, after every step
  Words failure_{}, in_place_{};
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
