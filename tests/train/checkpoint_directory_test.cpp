// Checkpoints in a directory: which stay, which is found, and what is left alone.

#include "train/checkpoint_run.hpp"

#include "io/support.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"

#include <sys/wait.h>
#include <algorithm>
#include <filesystem>
#include <numeric>

namespace mt = minitrain;
using Steps = std::vector<std::uint64_t>;
using test::ContainsSubstring;
using test::Folder;

namespace {

constexpr double no_value = std::numeric_limits<double>::quiet_NaN();

/// Writes checkpoints that are told apart by their step alone.
class Writer {
 public:
  explicit Writer(mt::CheckpointDirectory& directory) : directory_(directory) { run_.snapshot(snapshot_); }
  void write(std::uint64_t step, double value = no_value) {
    snapshot_.state().steps = step;
    snapshot_.state().value = value;
    CHECK(directory_.write(snapshot_));
  }

 private:
  mt::CheckpointDirectory& directory_;
  test::Run<> run_;
  mt::Snapshot snapshot_;
};

pid_t dead_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

}  // namespace

TEST_CASE("a directory that is written to is locked, until the writer is gone, however it went", "[checkpoint]") {
  const Folder folder;
  const std::string path = folder / "run";
  const auto refused = [&] {
    test::check_error<mt::DataError>(
        mt::ErrorCode::io_error, [&] { mt::CheckpointDirectory(path).lock(); }, "found in use by another program");
  };
  {
    mt::CheckpointDirectory directory(path);
    mt::CheckpointDirectory(path).lock();  // which has gone already
    directory.lock();
    directory.lock();
    refused();
    mt::CheckpointDirectory copy(directory);
    copy.lock();
    CHECK(mt::CheckpointDirectory(path).steps().empty());  // reading needs none
    CHECK_FALSE(mt::CheckpointDirectory(path).newest());
  }
  {
    const mt::CheckpointWriter writer{mt::CheckpointDirectory(path)};
    CHECK_THROWS_AS(mt::CheckpointWriter{mt::CheckpointDirectory(path)}, mt::DataError);
  }
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    mt::CheckpointDirectory directory(path);
    directory.lock();
    static_cast<void>(::write(ready[1], "x", 1) == 1);
    for (;;) ::pause();
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  refused();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  mt::CheckpointDirectory(path).lock();
  for (const int end : ready) ::close(end);
}

TEST_CASE("checkpoints are named after their steps", "[checkpoint]") {
  const Folder folder;
  const mt::CheckpointDirectory directory(folder / "new/deep/run");
  CHECK(directory.path_of(1234) == folder / "new/deep/run/step_000000001234.safetensors");
  CHECK(directory.path_of(1'234'567'890'123) == folder / "new/deep/run/step_1234567890123.safetensors");
  CHECK(std::filesystem::is_directory(folder / "new/deep/run"));
  CHECK_FALSE(directory.newest());
  CHECK(directory.steps().empty());
}

TEST_CASE("the last checkpoints stay, and the best", "[checkpoint]") {
  const Folder folder;
  mt::CheckpointDirectory directory(folder / "run", 2, true);
  Writer writer(directory);
  writer.write(1, 0.5);
  writer.write(2, 0.25);
  writer.write(3, 0.75);
  CHECK(directory.steps() == Steps{2, 3});
  writer.write(4, 0.25);  // as good: the first stays
  writer.write(5);
  CHECK(directory.steps() == Steps{2, 4, 5});
  {
    mt::CheckpointDirectory again(folder / "run", 2, true);  // which finds out
    Writer other(again);
    other.write(6, 0.3);
    CHECK(again.steps() == Steps{2, 5, 6});
    other.write(7, 0.2);
    other.write(8, -0.5);
    other.write(9, 0.1);
    other.write(10, 0.1);
    CHECK(again.steps() == Steps{8, 9, 10});
  }
  mt::CheckpointDirectory last(folder / "run", 1, false);
  Writer third(last);
  third.write(11);
  CHECK(last.steps() == Steps{11});
  CHECK(last.newest().step == 11);
}

TEST_CASE("a checkpoint written again replaces itself, and its value", "[checkpoint]") {
  const Folder folder;
  mt::CheckpointDirectory directory(folder / "run", 1, true);
  Writer writer(directory);
  writer.write(1, 0.1);
  writer.write(1, 0.9);
  writer.write(2, 0.5);
  writer.write(3, 0.7);
  CHECK(directory.steps() == Steps{2, 3});
}

TEST_CASE("the newest checkpoint that is whole is found, and the others are named", "[checkpoint]") {
  const Folder folder;
  mt::CheckpointDirectory directory(folder / "run", 9);
  Writer writer(directory);
  for (const std::uint64_t step : {1, 2, 3, 4, 5, 6, 7}) writer.write(step);
  // 7 has one bit more, 6 is cut short, 5 is a directory, 4 is of no run, 3 was renamed.
  std::string bytes = test::read_all(directory.path_of(7));
  bytes[bytes.size() - 9] = static_cast<char>(bytes[bytes.size() - 9] ^ 4);  // in the last tensor
  test::write_all(directory.path_of(7), bytes);
  std::filesystem::resize_file(directory.path_of(6), 1000);
  std::filesystem::remove(directory.path_of(5));
  std::filesystem::create_directory(directory.path_of(5));
  test::write_all(directory.path_of(4), test::file_of("{}"));
  std::filesystem::copy_file(directory.path_of(1), directory.path_of(3),
                             std::filesystem::copy_options::overwrite_existing);
  const mt::NewestCheckpoint newest = directory.newest();
  REQUIRE(newest);
  CHECK(newest.step == 2);
  CHECK(newest.path == directory.path_of(2));
  CHECK(newest.file->metadata("minitrain.steps") != nullptr);
  REQUIRE(newest.skipped.size() == 5);
  const char* const reasons[] = {"CRC-32C", "truncated|cut short|pass the end", "found a directory", "no checksums",
                                 "state of step 1"};
  for (const std::size_t i : {0, 2, 3, 4}) CHECK_THAT(newest.skipped[i], ContainsSubstring(reasons[i]));
  for (std::size_t i = 0; i < 5; ++i) CHECK_THAT(newest.skipped[i], ContainsSubstring(directory.path_of(7 - i)));
}

TEST_CASE("files that are no checkpoints are left alone, and what a dead process left half written is removed",
          "[checkpoint]") {
  const Folder folder;
  std::filesystem::create_directory(folder / "run");
  const std::string name = "run/step_000000000005.safetensors";
  const auto dead = name + ".tmp-" + std::to_string(dead_process()) + "-0";
  const auto ours = name + ".tmp-" + std::to_string(::getpid()) + "-0";  // of a process before us with our number
  const auto alive = name + ".tmp-" + std::to_string(::getppid()) + "-0";
  const std::vector<std::string> foreign{"run/notes.txt",
                                         "run/step_5.safetensors",
                                         "run/step_00000000000x.safetensors",
                                         "run/step_0000000000005.safetensors",
                                         "run/best.safetensors",
                                         "run/notes.tmp-1-0",
                                         name + ".tmp-x-0",
                                         name + ".tmp-0-0"};
  for (const std::string& file : foreign) test::write_all(folder / file, "x");
  for (const std::string& file : {dead, ours, alive}) test::write_all(folder / file, "half");
  const std::string locked = name + ".tmp-" + std::to_string(::getpid()) + "-1";
  test::write_all(folder / locked, "half");
  const int lock = ::open((folder / locked).c_str(), O_RDWR);
  REQUIRE(::flock(lock, LOCK_EX) == 0);  // as another thread of ours that is writing it

  mt::CheckpointDirectory directory(folder / "run", 1);
  Writer writer(directory);
  for (const std::uint64_t step : {1, 2, 3}) writer.write(step);
  CHECK(directory.steps() == Steps{3});
  for (const std::string& file : foreign) CHECK(std::filesystem::exists(folder / file));
  CHECK_FALSE(std::filesystem::exists(folder / dead));
  CHECK_FALSE(std::filesystem::exists(folder / ours));
  CHECK(std::filesystem::exists(folder / alive));
  CHECK(std::filesystem::exists(folder / locked));
  ::close(lock);
}

TEST_CASE("a directory with a later checkpoint of another run is not mixed with this one", "[checkpoint]") {
  const Folder folder;
  mt::CheckpointDirectory directory(folder / "run", 2);
  Writer writer(directory);
  for (const std::uint64_t step : {10, 20, 30}) writer.write(step);
  directory.expect_none_after(30);
  CHECK_THROWS_WITH(directory.expect_none_after(0),
                    ContainsSubstring("holds one of step 30") && ContainsSubstring("this run is at step 0"));
  writer.write(5);  // and does not take the place of the others
  CHECK(directory.steps() == Steps{5, 20, 30});
  directory.forget_after(20);
  CHECK(directory.steps() == Steps{5, 20});
  CHECK(directory.newest().step == 20);
}

TEST_CASE("a directory that cannot be is refused with the system's words", "[checkpoint][bad input]") {
  const Folder folder;
  test::write_all(folder / "file", "x");
  const auto refused = [](const std::string& path, const char* words) {
    test::check_error<mt::DataError>(
        mt::ErrorCode::io_error, [&] { mt::CheckpointDirectory{path}; }, words);
  };
  refused(folder / "file", "expected a directory for checkpoints, found a file");
  refused(folder / "file/run", "Not a directory");
  CHECK_THROWS_AS(mt::CheckpointDirectory(folder / "run", 0), mt::OptionError);
  mt::CheckpointDirectory slashes(folder / "a//b/");
  CHECK(std::filesystem::is_directory(folder / "a/b"));
}

TEST_CASE("options of checkpoints are checked", "[checkpoint][bad input]") {
  const auto refused = [](const mt::CheckpointOptions& options, const char* words) {
    CHECK_THROWS_WITH(options.check("Trainer"), ContainsSubstring(words));
  };
  mt::CheckpointOptions{}.check();
  mt::CheckpointOptions{.directory = "run"}.check();
  refused({.directory = "run", .keep_last = 0}, "Trainer: keep_last is 0");
  refused({.directory = "run", .max_failures = 0}, "max_failures is 0");
  refused({.directory = "run", .every_epochs = 0}, "every_steps and every_epochs are 0");
  refused({.directory = std::string("r\0n", 3)}, "zero byte");
  const mt::CheckpointOptions options{.directory = "run", .every_steps = 10, .every_epochs = 2};
  CHECK(options.due_after_step(20));
  CHECK_FALSE(options.due_after_step(21));
  CHECK(options.due_after_epoch(4));
  CHECK_FALSE(options.due_after_epoch(5));
  CHECK_FALSE(mt::CheckpointOptions{}.due_after_epoch(1));
}
