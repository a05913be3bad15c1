// The power goes after any call of a run that writes checkpoints, whatever the disk has made of what nobody waited for:
// what was acknowledged is there, or something newer.

#include "io/pretend_disk.hpp"
#include "io/support.hpp"
#include "support/catch.hpp"
#include "train/checkpoint_run.hpp"

#include <filesystem>

namespace mt = minitrain;

namespace {

/// A directory as a disk may hold it.
void lay_out(const std::string& path, const test::RecordedFiles::Directory& state) {
  std::filesystem::remove_all(path);
  std::filesystem::create_directory(path);
  for (const auto& [name, bytes] : state) test::write_all(path + "/" + name, bytes);
}

constexpr test::Loss losses[] = {test::Loss::dropped,       test::Loss::torn_512,       test::Loss::torn_4096,
                                 test::Loss::reordered_512, test::Loss::reordered_4096, test::Loss::kept};

}  // namespace

TEST_CASE("no acknowledged checkpoint is lost when the power goes, at any moment", "[faults][checkpoint]") {
  const test::Folder folder;
  const test::RecordedFiles files(folder / "run");
  std::filesystem::create_directory(folder / "run");
  test::Run<> run;
  mt::Snapshot snapshot;
  struct Acknowledged {
    std::size_t calls;
    std::uint64_t step;
  };
  std::vector<Acknowledged> acknowledged{{0, 0}};
  std::vector<std::string> bytes_after{run.bytes()};  // after so many steps
  {
    mt::CheckpointDirectory directory(folder / "run", 1, true, files);  // which removes as early as it may
    for (int i = 0; i < 6; ++i) {
      while (run.accumulated() != 0 || run.steps() <= acknowledged.back().step) run.advance();
      bytes_after.push_back(run.bytes());
      run.snapshot(snapshot);
      snapshot.state().value = i == 1 ? 0.1 : 0.5;
      REQUIRE(directory.write(snapshot));
      acknowledged.push_back({files.size(), run.steps()});
    }
  }
  REQUIRE(acknowledged.back().step == 6);

  std::size_t states = 0, lost = 0, newer = 0, damaged = 0;
  for (std::size_t calls = 0; calls <= files.size(); ++calls) {
    std::uint64_t promised = 0;
    for (const Acknowledged& a : acknowledged) {
      if (a.calls <= calls) promised = a.step;
    }
    const std::size_t all_names = std::size_t{1} << files.pending_names(calls);
    for (std::size_t names = 0; names < all_names; ++names) {
      for (const test::Loss loss : losses) {
        const std::uint64_t seed = states++;
        lay_out(folder / "after", files.state(calls, loss, names, seed));
        mt::CheckpointDirectory directory(folder / "after", 1, true);
        const mt::NewestCheckpoint newest = directory.newest();
        INFO("after call " << calls << " of " << files.size() << ", names " << names << ", loss "
                           << static_cast<int>(loss) << ", seed " << seed);
        const bool there = newest ? newest.step >= promised : promised == 0;
        CHECK(there);
        lost += there ? 0 : 1;
        newer += newest && newest.step > promised ? 1 : 0;
        damaged += newest.skipped.empty() ? 0 : 1;
        if (!newest || seed % 7 != 0) continue;
        test::Run<> resumed;
        resumed.load(*newest.file, newest.path);
        CHECK(resumed.bytes() == bytes_after[newest.step]);
      }
    }
  }
  CHECK(states > 600);
  CHECK(newer > 0);
  CHECK(lost == 0);
  CHECK(damaged == 0);  // a file has its name only when all of it is on the disk
}
