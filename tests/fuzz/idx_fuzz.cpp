// libFuzzer target for the IDX readers: whatever the bytes, they accept them as they are or throw a DataError with a
// printable message. What is loaded is what is mapped.
//
//   clang++ -std=c++20 -O2 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude \
//     tests/fuzz/idx_fuzz.cpp -o idx_fuzz
//   ./idx_fuzz -dict=tests/fuzz/idx.dict -max_len=1024 -malloc_limit_mb=1 CORPUS tests/fuzz/idx_seeds

#include <minitrain/data/idx.hpp>

#include <algorithm>
#include <numeric>

#include "support.hpp"

namespace {

using fuzz::file_with;
using fuzz::require;

void check_loaded(const minitrain::IdxArray& array, std::span<const std::uint8_t> bytes) {
  std::size_t expected = 1;
  for (const std::size_t extent : array.extents) expected *= extent;
  const std::size_t header = 4 + 4 * array.extents.size();
  require(array.values.size() == expected && header + expected == bytes.size());
  require(std::equal(array.values.begin(), array.values.end(), bytes.begin() + static_cast<std::ptrdiff_t>(header)));
}

void check_mapped(const minitrain::Table& table, std::size_t size) {
  const auto first = static_cast<std::size_t>(table.data - table.file->bytes().data());
  require(first + table.rows * table.columns * minitrain::size_of(table.type) == size);
  if (table.columns == 0) return;
  std::vector<std::uint64_t> rows(table.rows);
  std::iota(rows.begin(), rows.end(), std::uint64_t{0});
  std::vector<float> out(table.rows * table.columns);
  minitrain::read_rows(table, rows, out.data(), table.columns);
}

// Whether check() accepts the file; what it throws is as it should be.
template <class Check>
bool accepted(const std::string& path, Check check) {
  try {
    check();
    return true;
  } catch (const minitrain::DataError& error) {
    const std::string_view message = error.what();
    require(message.starts_with(path + ": ") && message.size() < 2000);
    require(std::all_of(message.begin(), message.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string& path = file_with(data, size);
  const bool loaded = accepted(path, [&] { check_loaded(minitrain::read_idx(path), {data, size}); });
  const bool mapped = accepted(path, [&] { check_mapped(minitrain::map_idx_table(path), size); });
  require(mapped || !loaded);
  require(loaded || !mapped || data[2] != 8);
  return 0;
}
