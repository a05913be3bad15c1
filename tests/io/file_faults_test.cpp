// Every call of write_file fails, one after the other; and the power goes after every one.

#include <minitrain/io/safetensors.hpp>

#include "io/pretend_disk.hpp"
#include "io/support.hpp"
#include "support/catch.hpp"

#include <array>
#include <filesystem>

using minitrain::ErrorCode;
using test::bytes_of;

namespace {

void replace(const std::string& path, std::string_view text, const minitrain::FileSystem& files, bool verify = true) {
  const std::array pieces{bytes_of(text.substr(0, text.size() / 3)), bytes_of(text.substr(text.size() / 3))};
  minitrain::write_file(path, pieces, {.verify = verify}, files);
}

}  // namespace

TEST_CASE("write_file whose k-th call fails says why, leaves the old file or the new and no other, and closes all",
          "[faults]") {
  const std::string before(700, 'o'), after(10'000, 'n');
  for (const bool verify : {false, true}) {
    std::size_t calls = 0, thrown = 0;
    for (const int error : {EIO, ENOSPC, EROFS, EDQUOT}) {
      for (std::size_t k = 0;; ++k) {
        const test::Folder folder;
        test::write_all(folder / "a", before);
        const test::FailingFiles files(k, error);
        bool failed = false;
        try {
          replace(folder / "a", after, files, verify);
        } catch (const minitrain::DataError& e) {
          failed = true;
          ++thrown;
          INFO(e.what());
          CHECK(e.code() == ErrorCode::io_error);
          CHECK_THAT(e.what(), test::ContainsSubstring(std::strerror(error)));
        }
        INFO("call " << k << ", error " << error);
        const std::string found = test::read_all(folder / "a");
        CHECK((found == after || (failed && found == before)));
        CHECK(files.open_files() == 0);
        // The one that cannot be removed is the one whose removal fails; nothing else failed then.
        CHECK(folder.count() == 1);
        calls = files.calls();
        if (calls <= k) break;
      }
    }
    CHECK(calls > 8);
    CHECK(thrown > 4 * 6);
  }
}

TEST_CASE("write_file on a disk that fails from some call on leaves the old file or the new", "[faults]") {
  const std::string before(700, 'o'), after(10'000, 'n');
  for (std::size_t k = 0;; ++k) {
    const test::Folder folder;
    test::write_all(folder / "a", before);
    const test::FailingFiles files(k, EIO, true);
    try {
      replace(folder / "a", after, files);
    } catch (const minitrain::DataError&) {
    }
    INFO("call " << k);
    const std::string found = test::read_all(folder / "a");
    CHECK((found == after || found == before));
    CHECK(files.open_files() == 0);
    if (files.calls() <= k) break;
  }
}

TEST_CASE("write_file and ReadFile go on where a signal came in between, and where a part was done", "[faults]") {
  const std::string text(10'000, 'n');
  for (const int error : {EINTR, 0}) {
    for (std::size_t k = 0;; ++k) {
      const test::Folder folder;
      const test::FailingFiles files(k, error);
      INFO("call " << k << ", error " << error);
      CHECK_NOTHROW(replace(folder / "a", text, files));
      std::string found(text.size(), ' ');
      CHECK_NOTHROW(minitrain::ReadFile(folder / "a", files).read(0, std::as_writable_bytes(std::span(found))));
      CHECK(found == text);
      CHECK(files.open_files() == 0);
      CHECK(folder.count() == 1);
      if (files.calls() <= k) break;
    }
  }
}

TEST_CASE("a disk that gives back other bytes than it was given is noticed before the file takes its name",
          "[faults]") {
  class Forgetful : public minitrain::FileSystem {
   public:
    ssize_t pread(int file, void* bytes, std::size_t size, off_t at) const override {
      const ssize_t count = FileSystem::pread(file, bytes, size, at);
      if (at == 0 && count > 777) static_cast<char*>(bytes)[777] = '!';
      return count;
    }
  };
  const test::Folder folder;
  test::write_all(folder / "a", "old");
  test::check_error([&] { replace(folder / "a", std::string(10'000, 'n'), Forgetful()); }, ErrorCode::checksum_mismatch,
                    "does not give back");
  CHECK(test::read_all(folder / "a") == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("write_file notices a full disk before the first byte", "[faults]") {
  class Full : public minitrain::FileSystem {
   public:
    int fallocate(int, off_t) const override { return ENOSPC; }
    ssize_t write(int, const void*, std::size_t) const override {
      FAIL("written to");
      return -1;
    }
  };
  const test::Folder folder;
  test::check_error([&] { replace(folder / "a", "text", Full()); }, ErrorCode::io_error,
                    "no room for 4 bytes: No space left on device");
  CHECK(folder.count() == 0);
}

TEST_CASE("when the power goes at any moment of write_file, there is the old file or the new one, whole", "[faults]") {
  const std::string before(9'000, 'o'), after(13'000, 'n');
  const test::Folder folder;
  const test::RecordedFiles files(folder / "d");
  std::filesystem::create_directory(folder / "d");
  replace(folder / "d/a", before, files);
  const std::size_t acknowledged_before = files.size();
  replace(folder / "d/a", after, files);
  std::size_t states = 0, mixed_names = 0;
  for (std::size_t calls = acknowledged_before; calls <= files.size(); ++calls) {
    const std::size_t all_names = std::size_t{1} << files.pending_names(calls);
    for (std::size_t names = 0; names < all_names; ++names) {
      for (const test::Loss loss : {test::Loss::dropped, test::Loss::torn_512, test::Loss::torn_4096,
                                    test::Loss::reordered_512, test::Loss::reordered_4096, test::Loss::kept}) {
        for (std::uint64_t seed = 0; seed < 5; ++seed, ++states) {
          const auto state = files.state(calls, loss, names, seed);
          INFO("after call " << calls << ", names " << names);
          REQUIRE(state.count("a") == 1);
          const std::string& found = state.at("a");
          CHECK((found == after || (found == before && calls < files.size())));
          mixed_names += found == before && state.size() > 1 ? 1 : 0;
        }
      }
    }
  }
  CHECK(states > 400);
  CHECK(mixed_names > 0);
}
