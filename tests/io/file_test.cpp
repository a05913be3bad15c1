#include <minitrain/io/file.hpp>

#include "io/support.hpp"
#include "support/catch.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <array>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

using minitrain::ErrorCode;
using minitrain::ReadFile;
using test::bytes_of;
using test::check_error;

namespace {

void replace(const std::string& path, std::string_view text) {
  const std::array pieces{bytes_of(text)};
  minitrain::write_file(path, pieces);
}

/// Runs `call` in a child process; its exit status, 99 when it throws.
template <class Call>
int in_child(Call call) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      ::_exit(call());
    } catch (...) {
      ::_exit(99);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("ReadFile reads exactly what it is asked for") {
  const test::Folder folder;
  test::write_all(folder / "a", "0123456789");
  const ReadFile file(folder / "a");
  CHECK(file.size() == 10);
  CHECK(file.path() == folder / "a");
  std::string text(4, ' ');
  file.read(3, std::as_writable_bytes(std::span(text)));
  CHECK(text == "3456");
  file.read(10, {});
  const ReadFile moved = [&] {
    ReadFile other(folder / "a");
    return ReadFile(std::move(other));
  }();
  moved.read(0, std::as_writable_bytes(std::span(text)));
  CHECK(text == "0123");
  check_error([&] { file.read(7, std::as_writable_bytes(std::span(text))); }, ErrorCode::truncated,
              "/a: byte 10: the file ends here, but had 10 bytes when it was opened");
}

TEST_CASE("ReadFile notices that the file has shrunk since it was opened") {
  const test::Folder folder;
  test::write_all(folder / "a", std::string(100'000, 'x'));
  const ReadFile file(folder / "a");
  std::filesystem::resize_file(folder / "a", 70'001);
  std::vector<std::byte> bytes(100'000);
  check_error([&] { file.read(0, bytes); }, ErrorCode::truncated, "byte 70001: the file ends here");
}

TEST_CASE("ReadFile opens regular files only, and says what it found") {
  const test::Folder folder;
  const auto refused = [](const std::string& path, const std::string& part) {
    check_error([&] { ReadFile file(path); }, ErrorCode::io_error, part);
  };
  refused(folder / "none", "/none: cannot open for reading: No such file or directory");
  refused("", "cannot open for reading: No such file or directory");
  refused(folder / "", "expected a regular file, found a directory");
  refused("/dev/zero", "/dev/zero: expected a regular file, found a character device");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  refused(folder / "fifo", "expected a regular file, found a FIFO (named pipe)");  // and does not wait for a writer
  test::write_all(folder / "a", "text");
  refused(folder / std::string("a\0b", 3), "/a\\x00b: cannot open for reading: Invalid argument");
  refused(folder / "new\nline", "/new\\x0aline: cannot open");
  std::filesystem::create_symlink("loop", folder / "loop");
  refused(folder / "loop", "Too many levels of symbolic links");
}

TEST_CASE("ReadFile reports a missing permission") {
  const test::Folder folder;
  test::write_all(folder / "secret", "text");
  std::filesystem::permissions(folder / "secret", std::filesystem::perms::none);
  std::filesystem::permissions(folder / "", std::filesystem::perms::all);
  const int status = in_child([&] {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) return 1;  // root may read everything
    try {
      ReadFile file(folder / "secret");
      return 2;
    } catch (const minitrain::DataError& error) {
      const bool named = std::string(error.what()).find("Permission denied") != std::string::npos;
      return error.code() == ErrorCode::io_error && named ? 0 : 3;
    }
  });
  CHECK(status == 0);
}

TEST_CASE("write_file replaces a file by its pieces") {
  const test::Folder folder;
  const std::string path = folder / "a";
  const std::string large(1'000'003, 'L');
  const std::array pieces{bytes_of("one"), bytes_of(""), bytes_of(large), bytes_of("two")};
  minitrain::write_file(path, pieces);
  CHECK(test::read_all(path) == "one" + large + "two");
  replace(path, "short");
  CHECK(test::read_all(path) == "short");
  minitrain::write_file(path, {});
  CHECK(std::filesystem::file_size(path) == 0);
  CHECK(folder.count() == 1);
}

TEST_CASE("write_file needs no folder in the path, and honours the umask") {
  const test::Folder folder;
  const int status = in_child([&] {
    ::umask(027);
    if (::chdir((folder / "").c_str()) != 0) return 1;
    replace("plain", "text");
    struct stat found {};
    return ::stat("plain", &found) == 0 && (found.st_mode & 0777) == 0640 ? 0 : 2;
  });
  CHECK(status == 0);
  CHECK(test::read_all(folder / "plain") == "text");
}

TEST_CASE("write_file keeps the permissions of the file it replaces") {
  const test::Folder folder;
  const std::string path = folder / "a";
  test::write_all(path, "old");
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  replace(path, "new");
  CHECK(test::read_all(path) == "new");
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("write_file wants a name") {
  test::check_error([] { minitrain::write_file("", {}); }, minitrain::ErrorCode::io_error, "no name");
}

TEST_CASE("write_file refuses what is not a regular file, and leaves it alone") {
  const test::Folder folder;
  check_error([&] { replace(folder / "", "x"); }, ErrorCode::io_error, "to replace, found a directory");
  check_error([&] { replace("/dev/null", "x"); }, ErrorCode::io_error, "to replace, found a character device");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  check_error([&] { replace(folder / "fifo", "x"); }, ErrorCode::io_error, "to replace, found a FIFO");
  CHECK(std::filesystem::is_fifo(folder / "fifo"));
  check_error([&] { replace(folder / "none/a", "x"); }, ErrorCode::io_error, "No such file or directory");
  check_error([&] { replace(folder / std::string("a\0b", 3), "x"); }, ErrorCode::io_error, "Invalid argument");
  check_error([&] { replace("", "x"); }, ErrorCode::io_error, "");
  CHECK(folder.count() == 1);
}

TEST_CASE("write_file that cannot finish leaves the old file and nothing else") {
  const test::Folder folder;
  const std::string path = folder / "a";
  replace(path, "old");
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1'000, 1'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    try {
      replace(path, std::string(1'001, 'x'));
      return 2;
    } catch (const minitrain::DataError& error) {
      const bool named = std::string(error.what()).find("no room for 1001 bytes: File too large") != std::string::npos;
      return error.code() == ErrorCode::io_error && named ? 0 : 3;
    }
  });
  CHECK(status == 0);
  CHECK(test::read_all(path) == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("write_file steps over what a killed process left behind") {
  const test::Folder folder;
  const std::string left = folder / ("a.tmp-" + std::to_string(::getpid()) + "-0");
  test::write_all(left, "half");
  replace(folder / "a", "whole");
  CHECK(test::read_all(folder / "a") == "whole");
  CHECK(test::read_all(left) == "half");
  CHECK(folder.count() == 2);
}

TEST_CASE("write_file from two threads leaves one whole file") {
  const test::Folder folder;
  const std::string path = folder / "a";
  const std::array texts{std::string(50'000, '0'), std::string(70'000, '1')};
  const auto write = [&](std::size_t which) {
    for (int i = 0; i < 20; ++i) replace(path, texts[which]);
  };
  std::thread other(write, 1);
  write(0);
  other.join();
  const std::string found = test::read_all(path);
  CHECK((found == texts[0] || found == texts[1]));
  CHECK(folder.count() == 1);
}

TEST_CASE("write_file killed at any moment leaves a whole file") {
  const test::Folder folder;
  const std::string path = folder / "a";
  replace(path, std::string(200'000, 'a'));
  int killed = 0;
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (char c = 'a';; c = c == 'z' ? 'a' : static_cast<char>(c + 1)) replace(path, std::string(200'000, c));
    }
    ::usleep(static_cast<useconds_t>(500 + 397 * round));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 1 : 0;
    const std::string found = test::read_all(path);
    REQUIRE(found.size() == 200'000);
    REQUIRE(found.find_first_not_of(found[0]) == std::string::npos);
  }
  CHECK(killed == 40);
}
