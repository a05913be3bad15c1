// libFuzzer target for load_csv: whatever the bytes, it makes a data set of what the options ask for or throws a
// DataError with a printable message.
//
//   clang++ -std=c++20 -O2 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude \
//     tests/fuzz/csv_fuzz.cpp -o csv_fuzz
//   ./csv_fuzz -dict=tests/fuzz/csv.dict -max_len=1024 -malloc_limit_mb=1 CORPUS tests/fuzz/csv_seeds
//
// The first byte of an input chooses the options, the others are the file.

#include <minitrain/data/csv.hpp>

#include <sys/mman.h>

#include <algorithm>

namespace {

void require(bool condition) {
  if (!condition) __builtin_trap();
}

// The bytes as a file in memory that has a path.
std::string file_with(const std::uint8_t* data, std::size_t size) {
  static const int file = ::memfd_create("csv", 0);
  require(file >= 0 && ::ftruncate(file, 0) == 0);
  require(::pwrite(file, data, size, 0) == static_cast<ssize_t>(size));
  return "/proc/self/fd/" + std::to_string(file);
}

minitrain::CsvOptions options_of(std::uint8_t choice) {
  minitrain::CsvOptions options{.target = "y"};
  options.missing = static_cast<minitrain::Missing>((choice & 3) % 3);
  if ((choice & 4) != 0) options.non_finite = minitrain::NonFinite::keep;
  if ((choice & 8) != 0) options.classes = 3;
  if ((choice & 16) != 0) options.ignore = {"t"};
  if ((choice & 32) != 0) options.line_limit = 30;
  if ((choice & 64) != 0) {
    options.header = false;
    options.target = "1";
    options.ignore = {};
  }
  if ((choice & 128) != 0) options.separator = ';';
  return options;
}

void check(const minitrain::Dataset& data, const minitrain::CsvOptions& options, std::size_t bytes) {
  require(data.size() > 0 && data.size() <= bytes && data.feature_columns() > 0);
  require(data.classes() == options.classes);
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t j = 0; j < data.feature_columns(); ++j) {
      const float x = data.feature(i, j);
      require(options.non_finite == minitrain::NonFinite::keep || minitrain::Dataset::is_finite(x));
    }
    if (data.is_classification()) {
      require(data.label(i) >= 0 && data.label(i) < 3);
    } else {
      require(options.non_finite == minitrain::NonFinite::keep || minitrain::Dataset::is_finite(data.target(i)));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const minitrain::CsvOptions options = options_of(data[0]);
  const std::string path = file_with(data + 1, size - 1);
  try {
    check(minitrain::load_csv(path, options), options, size);
  } catch (const minitrain::DataError& error) {
    const std::string_view message = error.what();
    require(message.starts_with(path + ": ") && message.size() < 2000);
    require(std::all_of(message.begin(), message.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
  }
  return 0;
}
