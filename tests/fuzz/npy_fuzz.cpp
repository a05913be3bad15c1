// libFuzzer target for the .npy reader: whatever the bytes, it accepts them as they are or throws a DataError with a
// printable message.
//
//   clang++ -std=c++20 -O2 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude \
//     tests/fuzz/npy_fuzz.cpp -o npy_fuzz
//   ./npy_fuzz -dict=tests/fuzz/npy.dict -max_len=1024 -malloc_limit_mb=1 CORPUS tests/fuzz/npy_seeds

#include <minitrain/data/npy.hpp>

#include <algorithm>
#include <array>
#include <numeric>

#include "support.hpp"

namespace {

using fuzz::file_with;
using fuzz::require;

// What a table says lies in the file to its last byte, and can be read.
void check(const minitrain::Table& table, std::size_t size) {
  const std::size_t element = minitrain::size_of(table.type);
  const auto first = static_cast<std::size_t>(table.data - table.file->bytes().data());
  if (table.columns == 0 || table.rows == 0) return require(first == size);
  require(first + table.rows * table.columns * element == size);
  require(first + (table.rows - 1) * table.row_stride + (table.columns - 1) * table.column_stride + element == size);
  std::vector<std::uint64_t> rows(table.rows);
  std::iota(rows.begin(), rows.end(), std::uint64_t{0});
  std::vector<float> out(table.rows * table.columns);
  minitrain::read_rows(table, rows, out.data(), table.columns);
  minitrain::detail::for_each_stretch(table, 0, table.rows, [&](std::uint64_t at, std::uint64_t bytes) {
    require(at >= first && at + bytes <= size);
    table.file->load(at, bytes);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string& path = file_with(data, size);
  try {
    check(minitrain::map_npy_table(path), size);
  } catch (const minitrain::DataError& error) {
    const std::string_view message = error.what();
    require(message.starts_with(path + ": ") && message.size() < 2000);
    require(std::all_of(message.begin(), message.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
  }
  return 0;
}
