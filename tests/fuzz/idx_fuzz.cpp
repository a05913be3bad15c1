// libFuzzer target for the IDX reader: whatever the bytes, it accepts them as they are or throws a DataError with a
// printable message.
//
//   clang++ -std=c++20 -O2 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude \
//     tests/fuzz/idx_fuzz.cpp -o idx_fuzz
//   ./idx_fuzz -dict=tests/fuzz/idx.dict -max_len=1024 -malloc_limit_mb=1 CORPUS tests/fuzz/idx_seeds

#include <minitrain/data/idx.hpp>

#include <algorithm>

namespace {

void require(bool condition) {
  if (!condition) __builtin_trap();
}

class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  const std::string& path() const { return path_; }
  std::size_t read(std::span<std::uint8_t> out) {
    const std::size_t count = std::min(out.size(), bytes_.size());
    std::copy_n(bytes_.begin(), count, out.begin());
    bytes_ = bytes_.subspan(count);
    return count;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::string path_ = "f";
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  try {
    MemoryFile file(bytes);
    const minitrain::IdxArray array = minitrain::detail::read_idx_file(file);
    std::size_t expected = 1;
    for (const std::size_t extent : array.extents) expected *= extent;
    const std::size_t header = 4 + 4 * array.extents.size();
    require(array.values.size() == expected && header + expected == size);
    require(std::equal(array.values.begin(), array.values.end(), bytes.begin() + static_cast<std::ptrdiff_t>(header)));
  } catch (const minitrain::DataError& error) {
    const std::string_view message = error.what();
    require(message.starts_with("f: ") && message.size() < 2000);
    require(std::all_of(message.begin(), message.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
  }
  return 0;
}
