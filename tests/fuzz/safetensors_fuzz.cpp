// libFuzzer target for the safetensors reader: whatever the bytes, it accepts them or throws a DataError with a
// printable message; what it accepts is consistent, and survives being written and read again.
//
//   clang++ -std=c++20 -O2 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude \
//     tests/fuzz/safetensors_fuzz.cpp -o safetensors_fuzz
//   ./safetensors_fuzz -dict=tests/fuzz/safetensors.dict -max_len=1024 -malloc_limit_mb=1 CORPUS
//   tests/fuzz/safetensors_seeds
//
// An input that starts with { is a header up to the first line feed, and data after it; the eight bytes of the header's
// length, which a fuzzer would rarely get right, are put before it. Any other input is a file as it is.

#include <minitrain/io/safetensors.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support.hpp"

namespace {

using fuzz::require;

using minitrain::NamedTensor;
using minitrain::SafetensorsFile;

bool same(const NamedTensor& a, const NamedTensor& b) {
  return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape &&
         std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end());
}

void check(const SafetensorsFile& file, std::size_t size) {
  std::size_t bytes = 0;
  for (const NamedTensor& tensor : file.tensors()) {
    require(file.find(tensor.name) == &tensor);
    std::size_t expected = minitrain::safetensors_dtype_size(tensor.dtype);
    for (const std::size_t extent : tensor.shape) expected *= extent;
    require(tensor.bytes.size() == expected);
    bytes += expected;
  }
  require(bytes + 8 <= size);
  for (const auto& [key, value] : file.metadata()) require(file.metadata(key) == &value);
}

std::string rewritten(const SafetensorsFile& file) {
  const auto head = minitrain::detail::io::lay_out_safetensors(file.tensors(), file.metadata());
  std::string text(reinterpret_cast<const char*>(head.length.data()), head.length.size());
  text += head.header;
  for (const std::uint32_t place : head.order) {
    const auto bytes = file.tensors()[place].bytes;
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes = fuzz::safetensors_of({reinterpret_cast<const char*>(data), size});
  try {
    const auto file = SafetensorsFile::from_bytes(std::as_bytes(std::span(bytes)), "f");
    check(file, bytes.size());
    const std::string again = rewritten(file);
    const auto second = SafetensorsFile::from_bytes(std::as_bytes(std::span(again)), "f");
    require(second.tensors().size() == file.tensors().size());
    for (const NamedTensor& tensor : file.tensors()) {
      const NamedTensor* const found = second.find(tensor.name);
      require(found != nullptr && same(tensor, *found));
    }
    require(
        std::equal(file.metadata().begin(), file.metadata().end(), second.metadata().begin(), second.metadata().end()));
  } catch (const minitrain::DataError& error) {
    const std::string_view message = error.what();
    require(message.starts_with("f: byte ") && message.size() < 2000);
    require(std::all_of(message.begin(), message.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
  }
  return 0;
}
