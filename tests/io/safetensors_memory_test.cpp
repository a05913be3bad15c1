// What reading a file allocates, whatever the file says: counted in operator new, which this program replaces.

#include <minitrain/io/safetensors.hpp>

#include "io/support.hpp"
#include "support/catch.hpp"
#include "support/counted_heap.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <new>
#include <string>
#include <utility>
#include <vector>

using minitrain::SafetensorsFile;
namespace heap = test::heap;

namespace {

constexpr std::size_t slack = 64 * 1024;

/// The most memory held at once while `path` is opened, right or wrong, beyond what is held now.
std::size_t bytes_to_open(const std::string& path) {
  const std::size_t before = heap::live;
  heap::peak = before;
  try {
    const SafetensorsFile file(path);
  } catch (const minitrain::DataError&) {
  }
  return heap::peak - before;
}

}  // namespace

TEST_CASE("a file is held once, and its header only while it is parsed") {
  const test::Folder folder;
  const std::string data(10'000'000, 'd');
  test::write_all(folder / "a", test::file_of("{" + test::entry("w", 0, data.size()) + "}", data));
  const std::size_t bytes = bytes_to_open(folder / "a");
  CHECK(bytes >= data.size());
  CHECK(bytes < data.size() + slack);
}

TEST_CASE("what a file merely announces is not allocated") {
  const test::Folder folder;
  const std::string huge = R"({"w":{"dtype":"U8","shape":[4503599627370496],"data_offsets":[0,4503599627370496]}})";
  for (const std::string& file :
       {test::length_prefix(100'000'000) + "{}", test::length_prefix(~std::uint64_t{0}) + "{}", test::file_of(huge),
        test::file_of(R"({"w":{"dtype":"U8","shape":[9007199254740992,1023]})"),
        test::file_of("{\"" + std::string(20'000, '[') + "\"")}) {
    test::write_all(folder / "a", file);
    CHECK(bytes_to_open(folder / "a") < slack);
  }
  test::write_all(folder / "a", test::file_of("[" + std::string(9'999'999, '[')));
  CHECK(bytes_to_open(folder / "a") < 10'000'000 + slack);
  // 100 GB of data that is not there, and a header that is wrong: found wrong before the data is given room.
  test::write_all(folder / "a", test::file_of("{" + test::entry("w", 0, 3) + "}", "abc"));
  std::filesystem::resize_file(folder / "a", 100'000'000'000);
  CHECK(bytes_to_open(folder / "a") < slack);
}

TEST_CASE("a million tiny tensors take a small multiple of their file") {
  const test::Folder folder;
  const std::size_t count = std::size_t{1} << 20;
  std::string header = "{";
  for (std::size_t i = 0; i < count; ++i) header += (i > 0 ? "," : "") + test::entry(std::to_string(i), i, i + 1);
  const std::string file = test::file_of(header + "}", std::string(count, 'd'));
  test::write_all(folder / "a", file);
  const std::size_t bytes = bytes_to_open(folder / "a");
  INFO(bytes << " bytes for a file of " << file.size());
  CHECK(bytes < 4 * file.size());
}

TEST_CASE("no memory for the data: an error that says so") {
  const test::Folder folder;
  const std::string data(1'000'000, 'd');
  test::write_all(folder / "a", test::file_of("{" + test::entry("w", 0, data.size()) + "}", data));
  heap::largest = 500'000;
  test::check_error([&] { SafetensorsFile file(folder / "a"); }, minitrain::ErrorCode::out_of_memory,
                    "/a: no memory for its 1000000 bytes of tensors");
  heap::largest = heap::never;
  CHECK(SafetensorsFile(folder / "a").tensors().size() == 1);
}

namespace {

/// Lets `call` fail at its first allocation, then at its second, ... until it succeeds; `after` follows each failure.
template <class Call, class After>
std::size_t fail_everywhere(Call call, After after) {
  for (std::size_t count = 0;; ++count) {
    const std::size_t before = heap::live;
    bool failed = false;
    heap::remaining = count;
    try {
      call();
    } catch (const std::bad_alloc&) {
      failed = true;
    } catch (const minitrain::Error& error) {
      failed = error.code() == minitrain::ErrorCode::out_of_memory;
    }
    heap::remaining = heap::never;
    REQUIRE(heap::live == before);
    if (!failed) return count;
    after();
  }
}

}  // namespace

TEST_CASE("reading and writing out of memory at any allocation lose nothing") {
  const test::Folder folder;
  const std::string path = folder / "a", data(8, 'd'), name(40, 'n');
  const std::vector<minitrain::NamedTensor> tensors{{name, "U8", {8}, test::bytes_of(data)},
                                                    {"w", "F32", {2}, test::bytes_of(data)}};
  const std::vector<std::pair<std::string, std::string>> metadata{{"key", std::string(40, 'v')}};
  minitrain::write_safetensors(path, tensors, metadata);
  const std::string before = test::read_all(path);
  CHECK(fail_everywhere([&] { const SafetensorsFile file(path); }, [] {}) > 10);
  CHECK(fail_everywhere([&] { minitrain::write_safetensors(path, tensors); },
                        [&] {
                          REQUIRE(test::read_all(path) == before);
                          REQUIRE(folder.count() == 1);
                        }) > 10);
  CHECK(SafetensorsFile(path).metadata().empty());
}
