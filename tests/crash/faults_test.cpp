// Every call for files, every allocation and every thread of checkpoints fails in turn; and in the steady state a
// snapshot allocates nothing.

#include "io/pretend_disk.hpp"
#include "io/support.hpp"
#include "support/catch.hpp"
#include "support/counted_heap.hpp"
#include "train/checkpoint_run.hpp"

#include <filesystem>

namespace mt = minitrain;
using Loop = test::Run<>;

namespace {

std::thread no_thread(const std::function<void()>&) {
  throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
}

/// Fails every allocation but the next `count` while f() runs; whether f() threw, which must be for want of memory.
template <class F>
bool with_allocations(std::size_t count, F&& f) {
  bool thrown = false;
  test::heap::remaining = count;
  try {
    f();
  } catch (const std::bad_alloc&) {
    thrown = true;
  } catch (const mt::Error& error) {
    test::heap::remaining = test::heap::never;
    thrown = true;
    CHECK(error.code() == mt::ErrorCode::out_of_memory);
  }
  test::heap::remaining = test::heap::never;
  return thrown;
}

}  // namespace

TEST_CASE("checkpoints whose k-th call for files fails lose nothing that was acknowledged", "[faults][checkpoint]") {
  std::size_t failures = 0;
  for (const int error : {EIO, ENOSPC, EINTR, 0}) {
    for (std::size_t k = 0;; ++k) {
      const test::Folder folder;
      const test::FailingFiles files(k, error);
      INFO("call " << k << ", error " << error);
      Loop run;
      std::uint64_t acknowledged = 0;
      try {
        mt::CheckpointDirectory directory(folder / "run", 1, true, files);
        mt::CheckpointWriter writer(directory, 2, no_thread);
        for (std::uint64_t step = 1; step <= 4; ++step) {
          mt::Snapshot snapshot = writer.buffer();
          run.snapshot(snapshot);
          snapshot.state().steps = step;
          snapshot.state().value = step == 2 ? 0.1 : 0.2;
          writer.submit(std::move(snapshot));
          if (writer.statistics().written > 0) acknowledged = writer.statistics().newest_step;
        }
        failures += writer.statistics().failed;
        CHECK(writer.statistics().failed <= (error == EIO || error == ENOSPC ? 1 : 0));
        CHECK(acknowledged >= 3);
      } catch (const mt::DataError& e) {  // the directory could not be made
        CHECK(e.code() == mt::ErrorCode::io_error);
        ++failures;
        continue;
      }
      CHECK(files.open_files() == 0);
      const mt::CheckpointDirectory after(folder / "run", 1);
      const mt::NewestCheckpoint newest = after.newest();
      CHECK(newest.step >= acknowledged);
      CHECK(newest.skipped.empty());
      for (const auto& entry : std::filesystem::directory_iterator(folder / "run"))
        CHECK(entry.path().string().find(".tmp-") == std::string::npos);
      if (files.calls() <= k) break;
    }
  }
  CHECK(failures > 40);
}

TEST_CASE("a directory that cannot be read is an error, a file that cannot be is skipped", "[faults][checkpoint]") {
  const test::Folder folder;
  mt::Snapshot snapshot;
  Loop().snapshot(snapshot);
  {
    mt::CheckpointDirectory directory(folder / "run", 2);
    for (std::uint64_t step = 1; step <= 2; ++step) {
      snapshot.state().steps = step;
      directory.write(snapshot);
    }
  }
  std::size_t thrown = 0, older = 0;
  for (std::size_t k = 0;; ++k) {
    test::FailingFiles files;
    const mt::CheckpointDirectory directory(folder / "run", 2, true, files);
    const std::size_t before = files.calls();
    const test::FailingFiles failing(k);
    try {
      const mt::CheckpointDirectory same(folder / "run", 2, false, failing);
      const mt::NewestCheckpoint newest = same.newest();
      REQUIRE(newest);
      older += newest.step == 1 ? 1 : 0;
      CHECK(newest.skipped.size() == (newest.step == 1 ? 1 : 0));
    } catch (const mt::DataError& error) {
      CHECK(error.code() == mt::ErrorCode::io_error);
      ++thrown;
    }
    CHECK(before > 0);
    CHECK(failing.open_files() == 0);
    if (failing.calls() <= k) break;
  }
  CHECK(thrown >= 3);
  CHECK(older >= 3);
}

TEST_CASE("a state whose k-th allocation fails is as it was, and so is its file", "[faults][checkpoint]") {
  const test::Folder folder;
  const std::string path = folder / "state";
  const test::FailingFiles no_waiting;
  Loop run, other;
  run.advance(2);
  {
    mt::Snapshot snapshot;
    other.snapshot(snapshot);
    write_snapshot(snapshot, path);
  }
  const std::string old_file = test::read_all(path), run_bytes = run.bytes(), other_bytes = other.bytes();
  std::size_t writes = 0;
  for (;; ++writes) {
    const std::size_t live = test::heap::live;
    const bool failed = with_allocations(writes, [&] {
      mt::Snapshot snapshot;
      run.snapshot(snapshot);
      write_snapshot(snapshot, path, {}, no_waiting);
    });
    const std::size_t live_after = test::heap::live;
    INFO("allocation " << writes);
    CHECK(live_after == live);
    CHECK(run.bytes() == run_bytes);
    CHECK((test::read_all(path) == old_file) == failed);
    CHECK(folder.count() == 1);
    if (!failed) break;
  }
  CHECK(writes > 100);
  std::size_t reads = 0;
  for (;; ++reads) {
    const std::size_t live = test::heap::live;
    const bool failed = with_allocations(reads, [&] { other.load(path); });
    const std::size_t live_after = test::heap::live;
    INFO("allocation " << reads);
    CHECK(live_after == live);
    CHECK(other.bytes() == (failed ? other_bytes : run_bytes));
    if (!failed) break;
  }
  CHECK(reads > 100);
}

TEST_CASE("a writer of checkpoints whose k-th allocation fails goes on, and keeps what there is",
          "[faults][checkpoint]") {
  std::size_t k = 0, failures = 0;
  for (bool whole = false; !whole; ++k) {
    const test::Folder folder;
    Loop run;
    const test::FailingFiles no_waiting;
    mt::CheckpointDirectory directory(folder / "run", 1, true, no_waiting);
    std::uint64_t acknowledged = 0;
    const std::size_t live = test::heap::live;
    {
      std::optional<mt::CheckpointWriter> writer;
      const auto submit = [&](std::uint64_t step) {
        mt::Snapshot snapshot = writer->buffer();
        run.snapshot(snapshot);
        snapshot.state().steps = step;
        writer->submit(std::move(snapshot));
        writer->finish();
      };
      const bool failed = with_allocations(k, [&] {
        writer.emplace(directory, 99);
        submit(1);
        submit(2);
      });
      INFO("allocation " << k);
      if (!writer) {
        ++failures;
        continue;
      }
      writer->finish();
      const mt::CheckpointStatistics before = writer->statistics();
      failures += before.failed;
      whole = !failed && before.failed == 0 && before.in_place.empty() && before.not_removed == 0;
      submit(3);
      CHECK(writer->statistics().failed == before.failed);
      acknowledged = writer->statistics().newest_step;
    }
    CHECK(acknowledged == 3);
    CHECK(directory.newest().step == 3);
    CHECK(directory.steps().size() <= 2);
    CHECK(test::heap::live <= live + 4096);
  }
  CHECK(k > 100);
  CHECK(failures > 50);
}

TEST_CASE("snapshots after the first allocate nothing", "[checkpoint]") {
  class Standing : public mt::FileSystem {
   public:
    enum State { idle, standing, released };
    int fdatasync(int) const override {
      State before = idle;
      state.compare_exchange_strong(before, standing);
      state.notify_all();
      state.wait(standing);
      return 0;
    }
    mutable std::atomic<State> state = idle;
  };
  const test::Folder folder;
  const Standing files;
  Loop run;
  mt::CheckpointWriter writer(mt::CheckpointDirectory(folder / "run", 2, true, files));
  const auto submit = [&] {
    mt::Snapshot snapshot = writer.buffer();
    run.snapshot(snapshot);
    writer.submit(std::move(snapshot));
  };
  submit();
  files.state.wait(Standing::idle);  // one is being written, and stands
  submit();
  submit();
  for (int i = 0; i < 20; ++i) {
    run.advance();
    if (i == 3) submit(), submit();  // inside a window: there is one slab more
    const std::size_t before = test::heap::allocations;
    if (i > 3) {
      submit();
      CHECK(test::heap::allocations == before);
    }
  }
  CHECK(writer.statistics().replaced == 19);
  files.state = Standing::released;
  files.state.notify_all();
}
