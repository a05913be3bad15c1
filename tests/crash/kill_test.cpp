// A process that checkpoints all the time is killed at random moments, again and again: what it had acknowledged is
// there, and in the end the run is the one that nobody killed. MINITRAIN_KILLS sets how many kills; 100 without.

#include "io/support.hpp"
#include "support/catch.hpp"
#include "train/checkpoint_run.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>

namespace mt = minitrain;

namespace {

using Loop = test::Run<float, mt::Adam>;
constexpr std::size_t hidden = 1'500;  // 170 KB with the moments

std::size_t micro_batches_of(const mt::SafetensorsFile& file) {
  const std::string& text = *file.metadata("micro_batches");
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Goes on from the newest checkpoint, and checkpoints after every micro-batch, until it is killed.
[[noreturn]] void train(const std::string& path, std::atomic<std::uint64_t>& acknowledged) {
  Loop run(3, {}, hidden);
  std::size_t micro_batches = 0;
  mt::CheckpointDirectory directory(path, 2);
  if (const mt::NewestCheckpoint newest = directory.newest()) {
    run.load(*newest.file, newest.path);
    micro_batches = micro_batches_of(*newest.file);
  }
  mt::CheckpointWriter writer(std::move(directory), 1);
  for (;;) {
    run.advance();
    mt::Snapshot snapshot = writer.buffer();
    run.snapshot(snapshot, {{"micro_batches", std::to_string(++micro_batches)}});
    writer.submit(std::move(snapshot));
    const mt::CheckpointStatistics statistics = writer.statistics();
    if (statistics.written > 0) acknowledged.store(statistics.newest_step);
  }
}

}  // namespace

TEST_CASE("a run killed at random moments loses nothing that it had acknowledged, and is the run that nobody killed",
          "[faults][checkpoint]") {
  const char* const wanted = std::getenv("MINITRAIN_KILLS");
  const int kills = wanted != nullptr ? std::atoi(wanted) : 100;
  const test::Folder folder;
  const std::string path = folder / "run";
  void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  auto& acknowledged = *new (page) std::atomic<std::uint64_t>(0);

  std::mt19937 random(1);
  Loop whole(3, {}, hidden);
  std::size_t done = 0, killed = 0, damaged = 0, lost = 0, went_back = 0, different = 0, before_the_first = 0;
  std::uint64_t newest_step = 0;
  for (int i = 0; i < kills; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        train(path, acknowledged);
      } catch (...) {
        ::_exit(1);
      }
    }
    ::usleep(random() % 60'000);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 1 : 0;

    if (::access(path.c_str(), F_OK) != 0) {
      ++before_the_first;
      continue;
    }
    const mt::NewestCheckpoint newest = mt::CheckpointDirectory(path, 2).newest();
    damaged += newest.skipped.size();
    if (newest.step < acknowledged.load()) ++lost;
    if (newest.step < newest_step) ++went_back;
    newest_step = newest.step;
    if (!newest) {
      ++before_the_first;
      continue;
    }
    const std::size_t micro_batches = micro_batches_of(*newest.file);
    if (micro_batches < done) ++went_back;
    while (done < micro_batches) whole.advance(), ++done;
    Loop resumed(3, {}, hidden);
    resumed.load(*newest.file, newest.path);
    if (resumed.bytes() != whole.bytes()) ++different;
  }
  CHECK(static_cast<int>(killed) == kills);
  CHECK(damaged == 0);
  CHECK(lost == 0);
  CHECK(went_back == 0);
  CHECK(different == 0);
  CHECK(newest_step > 0);
  CHECK(std::filesystem::exists(path));
  WARN(kills << " kills: " << damaged << " damaged, " << lost << " lost, " << went_back << " gone back, " << different
             << " different; " << before_the_first << " before there was a checkpoint; " << newest_step << " steps, "
             << done << " micro-batches");
  ::munmap(page, 4096);
}
