// The thread that writes checkpoints: it is never waited for, replaces what waits, reports what fails, and finishes.

#include "train/checkpoint_run.hpp"

#include "io/pretend_disk.hpp"
#include "io/support.hpp"
#include "support/catch.hpp"

#include <condition_variable>
#include <filesystem>
#include <mutex>

namespace mt = minitrain;
using Steps = std::vector<std::uint64_t>;
using test::ContainsSubstring;
using test::Folder;

namespace {

/// A disk that stands still until it is told to go on.
class SlowFiles : public mt::FileSystem {
 public:
  int fdatasync(int) const override {
    std::unique_lock lock(mutex_);
    waiting_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return go_; });
    return 0;
  }
  /// Until a write stands still.
  void wait() const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_; });
  }
  void go_on() const {
    const std::lock_guard lock(mutex_);
    go_ = true;
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool waiting_ = false, go_ = false;
};

void submit(mt::CheckpointWriter& writer, const test::Run<>& run, std::uint64_t step,
            double value = std::numeric_limits<double>::quiet_NaN()) {
  mt::Snapshot snapshot = writer.buffer();
  run.snapshot(snapshot);
  snapshot.state().steps = step;
  snapshot.state().value = value;
  writer.submit(std::move(snapshot));
}

std::thread no_thread(const std::function<void()>&) {
  throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
}

}  // namespace

TEST_CASE("checkpoints are written beside the training, which goes on from any of them", "[checkpoint][threads]") {
  const Folder folder;
  test::Run<> run;
  {
    mt::CheckpointWriter writer(mt::CheckpointDirectory(folder / "run", 3, false));
    for (int i = 0; i < 40; ++i) {
      run.advance();
      mt::Snapshot snapshot = writer.buffer();
      run.snapshot(snapshot);
      writer.submit(std::move(snapshot));
    }
    writer.finish();
    const mt::CheckpointStatistics statistics = writer.statistics();
    CHECK(statistics.submitted == 40);
    CHECK(statistics.written + statistics.replaced == 40);
    CHECK(statistics.failed == 0);
    CHECK(statistics.newest_step == run.steps());
    CHECK(statistics.in_place.empty());
    CHECK(statistics.seconds > 0);
  }
  test::Run<> other;
  const mt::NewestCheckpoint newest = mt::CheckpointDirectory(folder / "run").newest();
  REQUIRE(newest);
  other.load(*newest.file, newest.path);
  CHECK(other.bytes() == run.bytes());
}

TEST_CASE("while the disk is busy a newer snapshot replaces the one that waits, but for the best",
          "[checkpoint][threads]") {
  const Folder folder;
  const test::Run<> run;
  const SlowFiles files;
  {
    mt::CheckpointWriter writer(mt::CheckpointDirectory(folder / "run", 9, true, files));
    submit(writer, run, 1);
    files.wait();
    submit(writer, run, 2);
    submit(writer, run, 3, 0.5);
    submit(writer, run, 4, 0.25);
    submit(writer, run, 5, 0.75);
    submit(writer, run, 6);
    submit(writer, run, 7);
    const mt::CheckpointStatistics statistics = writer.statistics();
    CHECK(statistics.submitted == 7);
    CHECK(statistics.written == 0);
    CHECK(statistics.replaced == 4);  // 2, 3, 5 and 6
    files.go_on();
  }  // finishes
  const mt::CheckpointDirectory directory(folder / "run", 9);
  CHECK(directory.steps() == Steps{1, 4, 7});
}

TEST_CASE("no snapshot is taken that would be replaced: the step after the writer is free has the next one",
          "[checkpoint][threads]") {
  const Folder folder;
  test::Run<> run;
  const SlowFiles files;
  const mt::Cpu device;
  const mt::Callbacks callbacks;
  const mt::Audience audience(callbacks);
  const std::vector<float> best;
  mt::TrainerOptions options{.batch_size = run.batch};
  options.checkpoint = {.directory = folder / "run", .every_steps = 5, .every_epochs = 1, .keep_last = 9};
  mt::RunProgress progress;
  mt::Checkpointing<float, mt::Cpu> checkpoints(device, options, run.core(), progress, best, audience, files);
  std::size_t taken = 0;
  const auto step = [&](std::size_t to) {
    run.core().set_steps(to);
    if (!checkpoints.due_after_step()) return false;
    checkpoints.submit();
    ++taken;
    return true;
  };
  for (std::size_t i = 1; i <= 5; ++i) CHECK(step(i) == (i == 5));
  files.wait();
  for (std::size_t i = 6; i <= 31; ++i) CHECK_FALSE(step(i));
  const auto epoch = [&](double value) {
    ++progress.epochs;
    progress.value = value;
    progress.value_steps = run.steps();
    checkpoints.after_epoch();
  };
  epoch(2);  // waits
  run.core().set_steps(32);
  epoch(3);  // worse, and there is one already
  run.core().set_steps(33);
  epoch(1);  // the best
  run.core().set_steps(34);
  epoch(1);
  CHECK(progress.saved_steps == 33);
  files.go_on();
  checkpoints.finish();
  CHECK(mt::CheckpointDirectory(folder / "run", 9).steps() == Steps{5, 31, 33});
  CHECK(step(36));  // due since 32
  checkpoints.finish();
  CHECK_FALSE(step(37));
  CHECK(step(40));
  checkpoints.finish();
  run.core().set_steps(43);
  checkpoints.at_end();  // which is always saved
  CHECK(mt::CheckpointDirectory(folder / "run", 9).steps() == Steps{5, 31, 33, 36, 40, 43});
  CHECK(taken == 3);
}

TEST_CASE("checkpoints that cannot be written are counted, the old ones stay, and too many in a row stop the run",
          "[checkpoint][threads]") {
  const Folder folder;
  const test::Run<> run;
  test::FailingFiles files;
  for (const bool threads : {true, false}) {
    const std::string path = folder / (threads ? "threads" : "in_place");
    files.work_again();
    mt::CheckpointDirectory directory(path, 3, true, files);
    mt::CheckpointWriter writer =
        threads ? mt::CheckpointWriter(directory, 3) : mt::CheckpointWriter(directory, 3, no_thread);
    const auto one = [&](std::uint64_t step) {
      submit(writer, run, step);
      writer.finish();
    };
    one(1);
    files.fail_from_now_on(ENOSPC);
    one(2);
    one(3);
    CHECK(writer.statistics().failed_in_a_row == 2);
    CHECK_THAT(writer.statistics().last_failure, ContainsSubstring("No space left on device"));
    files.work_again();
    one(4);
    CHECK(writer.statistics().failed_in_a_row == 0);
    CHECK(writer.statistics().failed == 2);
    CHECK(writer.statistics().newest_step == 4);
    files.fail_from_now_on(EROFS);
    one(5);
    one(6);
    try {
      one(7);
      FAIL_CHECK("nothing was thrown");
    } catch (const mt::DataError& error) {
      CHECK(error.code() == mt::ErrorCode::io_error);
      CHECK_THAT(error.what(),
                 ContainsSubstring("the last 3 could not be written") && ContainsSubstring("Read-only file system"));
    }
    files.work_again();
    CHECK(directory.steps() == Steps{1, 4});
    CHECK(directory.newest().step == 4);
    CHECK(writer.statistics().in_place.empty() == threads);
  }
}

TEST_CASE("a state that is not finite is a failure like others", "[checkpoint][threads]") {
  const Folder folder;
  test::Run<> run;
  mt::CheckpointWriter writer(mt::CheckpointDirectory(folder / "run"));
  submit(writer, run, 1);
  writer.finish();
  run.core().network().parameters()[0] = std::numeric_limits<float>::quiet_NaN();
  submit(writer, run, 2);
  writer.finish();
  CHECK(writer.statistics().failed == 1);
  CHECK_THAT(writer.statistics().last_failure, ContainsSubstring("not all parameters are finite"));
  CHECK(mt::CheckpointDirectory(folder / "run").newest().step == 1);
}

TEST_CASE("where there is no thread to have, checkpoints are written in place, which is said",
          "[checkpoint][threads]") {
  const Folder folder;
  const test::Run<> run;
  mt::CheckpointWriter writer(mt::CheckpointDirectory(folder / "run"), 5, no_thread);
  CHECK_THAT(writer.statistics().in_place, ContainsSubstring("Resource temporarily unavailable"));
  submit(writer, run, 1);
  CHECK(writer.statistics().written == 1);
  submit(writer, run, 2);
  CHECK(mt::CheckpointDirectory(folder / "run").steps() == Steps{1, 2});
  writer.finish();
}

TEST_CASE("a writer with nothing to do ends at once", "[checkpoint][threads]") {
  const Folder folder;
  for (int i = 0; i < 100; ++i) {
    mt::CheckpointWriter writer(mt::CheckpointDirectory(folder / "run"));
    if (i % 2 == 0) writer.finish();
  }
  CHECK(mt::CheckpointDirectory(folder / "run").steps().empty());
}
