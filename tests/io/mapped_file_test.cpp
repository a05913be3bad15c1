#include <minitrain/io/mapped_file.hpp>

#include "io/support.hpp"
#include "support/catch.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

using minitrain::ErrorCode;
using minitrain::MappedFile;
using test::check_error;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// The signal that ends a child process which runs `call`; 0 when it ends by itself.
template <class Call>
int signal_of_child(Call call) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    std::signal(SIGBUS, SIG_DFL);  // which a sanitizer takes for itself
    try {
      call();
    } catch (...) {
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/// Bytes of files that are in this process's memory.
std::size_t mapped_memory() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0, resident = 0, shared = 0;
  file >> size >> resident >> shared;
  return shared * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Makes a file's bytes ones that the system may drop from its memory; false where it keeps all (a file system in
/// memory).
bool can_leave_the_cache(const std::string& path) {
  const minitrain::detail::io::Descriptor file = minitrain::detail::io::open_file(path, O_RDWR);
  struct statfs system {};
  constexpr std::uint64_t tmpfs = 0x01021994, ramfs = 0x858458F6;
  REQUIRE(::fstatfs(file.get(), &system) == 0);
  const auto type = static_cast<std::uint64_t>(system.f_type);
  return ::fsync(file.get()) == 0 && type != tmpfs && type != ramfs;
}

}  // namespace

TEST_CASE("a mapped file is the bytes of the file") {
  const test::Folder folder;
  test::write_all(folder / "a", "0123456789");
  const MappedFile file(folder / "a");
  CHECK(file.path_name() == folder / "a");
  const auto wanted = test::bytes_of("0123456789");
  CHECK(std::equal(file.bytes().begin(), file.bytes().end(), wanted.begin(), wanted.end()));
  file.check();
  file.expect(3, 4);
  file.load(0, 10);
  file.load(9, 1000);  // what passes the end is not there to be read
  file.load(10, 1);
  file.release(0, 10, false);
  CHECK(file.bytes()[9] == std::byte{'9'});
  CHECK(file.resident_bytes() == 10);

  test::write_all(folder / "empty", "");
  const MappedFile empty(folder / "empty");
  CHECK(empty.bytes().empty());
  CHECK(empty.resident_bytes() == 0);
  empty.check();
  empty.load(0, 1);
  empty.release(0, 1, true);
}

TEST_CASE("fault 19: only regular files are mapped") {
  const test::Folder folder;
  const auto refused = [](const std::string& path, const std::string& part) {
    check_error([&] { MappedFile file(path); }, ErrorCode::io_error, part);
  };
  refused(folder / "none", "/none: cannot open for reading: No such file or directory");
  refused(folder / "", "expected a regular file, found a directory: name a file in it");
  refused("/dev/zero", "/dev/zero: expected a regular file, found a character device: copy it");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  refused(folder / "fifo", "expected a regular file, found a FIFO (named pipe): copy it");
}

TEST_CASE("load brings bytes into memory, release takes them out again") {
  const test::Folder folder;
  const std::size_t size = 16 * mebibyte;
  test::write_all(folder / "a", std::string(size, 'x'));
  const bool can_leave = can_leave_the_cache(folder / "a");
  const MappedFile file(folder / "a");
  const std::size_t before = mapped_memory();
  file.load(0, size);
  CHECK(file.resident_bytes() == size);
  CHECK(mapped_memory() >= before + 15 * mebibyte);
  file.release(0, size, false);
  CHECK(mapped_memory() <= before + mebibyte);
  CHECK(file.resident_bytes() == size);  // the system still has them
  if (!can_leave) {
    WARN("not checked: the folder for temporary files is in memory, which has no other place for them");
    return;
  }
  file.release(0, size / 2, true);
  CHECK(file.resident_bytes() <= size / 2 + mebibyte);
  CHECK(file.resident_bytes() >= size / 2 - mebibyte);
  file.load(mebibyte, mebibyte);
  CHECK(file.resident_bytes() >= size / 2);
  CHECK(file.bytes()[0] == std::byte{'x'});
}

TEST_CASE("release lets go of what the system has mapped around the bytes, too") {
  const test::Folder folder;
  constexpr std::size_t size = 32 * mebibyte, step = size / 128, piece = step / 4 + 100;
  {
    std::ofstream written(folder / "a", std::ios::binary);  // in pieces: Linux keeps a large one as a huge page
    for (std::size_t i = 0; i < 128; ++i) written << std::string(step, 'x') << std::flush;
  }
  const MappedFile file(folder / "a");
  const std::size_t before = mapped_memory();
  for (std::size_t i = 0; i < 128; ++i) {
    const std::size_t first = i * 37 % 128 * step;
    file.load(first, piece);
    CHECK(file.bytes()[first + piece - 1] == std::byte{'x'});
    file.release(first, piece, false);
  }
  CHECK(mapped_memory() <= before + mebibyte);
}

TEST_CASE(
    "fault 15: a file that shrinks while it is mapped is found by check and load, and touching it ends the process") {
  const test::Folder folder;
  test::write_all(folder / "a", std::string(mebibyte, 'x'));
  const MappedFile file(folder / "a");
  const auto touch = [&](std::size_t at) {
    return signal_of_child([&] { static_cast<void>(*const_cast<const volatile std::byte*>(&file.bytes()[at])); });
  };
  CHECK(touch(mebibyte - 1) == 0);
  std::filesystem::resize_file(folder / "a", 5000);
  CHECK(touch(0) == 0);
  CHECK(touch(mebibyte - 1) == SIGBUS);
  check_error([&] { file.check(); }, ErrorCode::truncated,
              "/a: has 5000 bytes, but had 1048576 when it was opened: another program has shortened it");
  check_error([&] { file.load(mebibyte / 2, 4096); }, ErrorCode::truncated, "/a: has 5000 bytes, but had 1048576");
  const auto guarded = [&](auto guard) {
    return signal_of_child([&] {
      guard();
      static_cast<void>(*const_cast<const volatile std::byte*>(&file.bytes()[mebibyte - 1]));
    });
  };
  CHECK(guarded([&] { file.check(); }) == 0);
  CHECK(guarded([&] { file.load(0, mebibyte); }) == 0);
}

TEST_CASE("a file that is written to while it is mapped is not the file that was opened") {
  const test::Folder folder;
  test::write_all(folder / "a", "0123456789");
  const MappedFile file(folder / "a");
  file.check();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // a file's time moves in steps of some milliseconds
  {
    std::fstream other(folder / "a", std::ios::in | std::ios::out | std::ios::binary);
    other << 'x';
  }
  check_error([&] { file.check(); }, ErrorCode::io_error,
              "/a: was written to by another program since it was opened: open it again");

  // Replaced by another of the same name, it stays what it was.
  test::write_all(folder / "b", "0123456789");
  const MappedFile replaced(folder / "b");
  const std::array pieces{test::bytes_of("other")};
  minitrain::write_file(folder / "b", pieces);
  replaced.check();
  CHECK(replaced.bytes()[0] == std::byte{'0'});
}
