// libFuzzer target for open_row_file: whatever the bytes, it makes a data set whose samples can be read or are refused,
// or throws a DataError with a printable message; what it accepts survives being written and opened again.
//
//   clang++ -std=c++20 -O2 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude \
//     tests/fuzz/row_file_fuzz.cpp -o row_file_fuzz
//   ./row_file_fuzz -dict=tests/fuzz/row_file.dict -max_len=1024 -malloc_limit_mb=1 CORPUS tests/fuzz/row_file_seeds
//
// An input that starts with { is a header up to the first line feed, and rows after it; the eight bytes of the header's
// length are put before it. Any other input is a file as it is. Files are written in /dev/shm.

#include <minitrain/data/row_file.hpp>

#include <algorithm>

#include "support.hpp"

namespace mt = minitrain;

namespace {

using fuzz::require;

// The bits of all samples.
std::vector<std::uint32_t> bits_of(const mt::Dataset& data) {
  std::vector<std::uint32_t> bits;
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t j = 0; j < data.feature_columns(); ++j)
      bits.push_back(std::bit_cast<std::uint32_t>(data.feature(i, j)));
    for (std::size_t j = 0; j < data.target_columns(); ++j)
      bits.push_back(std::bit_cast<std::uint32_t>(data.target(i, j)));
    if (data.is_classification()) bits.push_back(static_cast<std::uint32_t>(data.label(i)));
  }
  return bits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string copy = "/dev/shm/row_file_fuzz-" + std::to_string(::getpid()) + ".rows";
  const std::string file = fuzz::safetensors_of({reinterpret_cast<const char*>(data), size});
  const std::string& path = fuzz::file_with(file);
  try {
    const mt::Dataset rows = mt::open_row_file(path, {.non_finite = mt::NonFinite::keep});
    const mt::RowLayout layout = mt::row_file_layout(path);
    require(rows.feature_columns() == layout.features.size() && rows.classes() == layout.classes);
    require(rows.size() * layout.columns() * sizeof(float) < file.size());
    const auto bits = bits_of(rows);
    mt::write_row_file(copy, rows, layout);
    require(mt::row_file_layout(copy) == layout);
    require(bits_of(mt::open_row_file(copy, {.non_finite = mt::NonFinite::keep})) == bits);
    require(::unlink(copy.c_str()) == 0);
  } catch (const mt::DataError& error) {
    const std::string_view message = error.what();
    require(message.starts_with(path + ": ") || message.starts_with(copy + ": "));
    require(message.size() < 3000);
    require(std::all_of(message.begin(), message.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
  }
  return 0;
}
