// What write_safetensors writes, SafetensorsFile and other programs read. Damaged files: safetensors_faults_test.cpp.

#include <minitrain/io/safetensors.hpp>

#include "io/support.hpp"
#include "support/catch.hpp"
#include "support/python.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using minitrain::ErrorCode;
using minitrain::NamedTensor;
using minitrain::SafetensorsFile;
using minitrain::write_safetensors;
using test::bytes_of;
using test::check_error;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::array dtypes{
    std::pair{"BOOL", 1},    std::pair{"U8", 1},      std::pair{"I8", 1},          std::pair{"F8_E4M3", 1},
    std::pair{"F8_E5M2", 1}, std::pair{"F8_E8M0", 1}, std::pair{"F8_E4M3FNUZ", 1}, std::pair{"F8_E5M2FNUZ", 1},
    std::pair{"I16", 2},     std::pair{"U16", 2},     std::pair{"F16", 2},         std::pair{"BF16", 2},
    std::pair{"I32", 4},     std::pair{"U32", 4},     std::pair{"F32", 4},         std::pair{"I64", 8},
    std::pair{"U64", 8},     std::pair{"F64", 8},     std::pair{"C64", 8}};

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 37 + size);
  return text;
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("every dtype and size comes back, aligned for its elements") {
  const test::Folder folder;
  const std::string path = folder / "all.safetensors";
  std::vector<std::string> data;
  std::vector<NamedTensor> tensors;
  data.reserve(dtypes.size() * 5);
  for (const auto& [dtype, size] : dtypes) {
    for (const std::size_t count : {0, 1, 31, 33, 257}) {
      data.push_back(pattern(count * static_cast<std::size_t>(size)));
      tensors.push_back({std::string(dtype) + "." + std::to_string(count), dtype, {count}, bytes_of(data.back())});
    }
  }
  write_safetensors(path, tensors);
  CHECK(folder.count() == 1);
  const SafetensorsFile file(path);
  CHECK(file.tensors().size() == tensors.size());
  CHECK(file.metadata().empty());
  for (const NamedTensor& written : tensors) {
    INFO(written.name);
    const NamedTensor* const read = file.find(written.name);
    REQUIRE(read != nullptr);
    CHECK(read->name == written.name);
    CHECK(read->dtype == written.dtype);
    CHECK(read->shape == written.shape);
    CHECK(text_of(read->bytes) == text_of(written.bytes));
    const std::size_t element = minitrain::safetensors_dtype_size(read->dtype);
    CHECK(reinterpret_cast<std::uintptr_t>(read->bytes.data()) % element == 0);
  }
}

TEST_CASE("shapes of rank 0 to 16, and empty ones, come back") {
  const test::Folder folder;
  const std::vector<std::vector<std::size_t>> shapes{
      {}, {1}, {3, 5}, {2, 3, 4}, {0, 7}, {7, 0}, {0}, std::vector<std::size_t>(16, 1), {1, 2, 1, 3, 1}};
  const std::string data = pattern(4 * 64);
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    std::size_t size = 4;
    for (const std::size_t extent : shapes[i]) size *= extent;
    tensors.push_back({std::to_string(i), "F32", shapes[i], bytes_of(data).first(size)});
  }
  write_safetensors(folder / "s", tensors);
  const SafetensorsFile file(folder / "s");
  REQUIRE(file.tensors().size() == shapes.size());
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const NamedTensor& read = file.tensors()[i];  // one dtype: the order in which they were given
    CHECK(read.name == std::to_string(i));
    CHECK(read.shape == shapes[i]);
    CHECK(text_of(read.bytes) == text_of(tensors[i].bytes));
  }
}

TEST_CASE("the bytes of a file are these and no others") {
  const test::Folder folder;
  const std::array<float, 2> weight{1.0f, -2.0f};
  const std::array tensors{NamedTensor{"w", "F32", {1, 2}, std::as_bytes(std::span(weight))}};
  write_safetensors(folder / "a", tensors, Pairs{{"format", "pt"}});
  const std::string header = R"({"__metadata__":{"crc32c":"ef67d90b","crc32c.w":"aa36f2c9","format":"pt"},)"
                             R"("w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  CHECK(test::read_all(folder / "a") == test::file_of(padded, std::string("\0\0\x80\x3F\0\0\0\xC0", 8)));
}

TEST_CASE("metadata comes back sorted, without the checksums") {
  const test::Folder folder;
  const std::string data = pattern(8);
  const std::array tensors{NamedTensor{"w", "U8", {8}, bytes_of(data)}};
  const Pairs metadata{{"step", "12"}, {"", "no key"}, {"\xC3\xA9\n\"", std::string("a\0b", 3)}, {"a", ""}};
  write_safetensors(folder / "a", tensors, metadata);
  const SafetensorsFile file(folder / "a");
  CHECK(Pairs(file.metadata().begin(), file.metadata().end()) ==
        Pairs{{"", "no key"}, {"a", ""}, {"step", "12"}, {"\xC3\xA9\n\"", std::string("a\0b", 3)}});
  REQUIRE(file.metadata("step") != nullptr);
  CHECK(*file.metadata("step") == "12");
  CHECK(file.metadata("steps") == nullptr);
  CHECK(file.metadata("crc32c.w") == nullptr);
  CHECK(file.metadata("crc32c") == nullptr);
}

TEST_CASE("a file of nothing is a file") {
  const test::Folder folder;
  write_safetensors(folder / "a", {});
  const SafetensorsFile file(folder / "a");
  CHECK(file.tensors().empty());
  CHECK(file.find("") == nullptr);
  CHECK(SafetensorsFile::from_bytes(bytes_of(test::file_of("{}"))).tensors().empty());
}

TEST_CASE("names are opaque: kept as they are, never a path") {
  const test::Folder folder;
  const std::string data = pattern(1);
  std::vector<NamedTensor> tensors;
  for (const std::string& name : {std::string("../../etc/passwd"), std::string("/"), std::string("a\0b", 3),
                                  std::string("\x01\x1B[31m\x7F"), std::string(100'000, 'n'), std::string(),
                                  std::string("\xE2\x80\xAE"), std::string("crc32c"), std::string("dtype")}) {
    tensors.push_back({name, "U8", {1}, bytes_of(data)});
  }
  write_safetensors(folder / "a", tensors);
  const SafetensorsFile file(folder / "a");
  REQUIRE(file.tensors().size() == tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) CHECK(file.tensors()[i].name == tensors[i].name);
  CHECK(folder.count() == 1);
}

TEST_CASE("a file object moves with its bytes, and does not copy") {
  static_assert(!std::is_copy_constructible_v<SafetensorsFile>);
  SafetensorsFile first =
      SafetensorsFile::from_bytes(bytes_of(test::file_of("{" + test::entry("w", 0, 3) + "}", "abc")));
  const std::byte* const where = first.find("w")->bytes.data();
  const SafetensorsFile second = std::move(first);
  CHECK(second.find("w")->bytes.data() == where);
  CHECK(text_of(second.find("w")->bytes) == "abc");
}

TEST_CASE("foreign files: any order, white space, no checksums, unaligned data") {
  const std::string header =
      "{ \"b\" : { \"data_offsets\" : [ 1 , 5 ] , \"shape\":[ 1 ],\n\t\"dtype\":\"F32\" } ,\r"
      "\"z\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[1,1]}," +
      test::entry("\\u0061", 0, 1) + "}   ";
  const auto file = SafetensorsFile::from_bytes(bytes_of(test::file_of(header, "abcde")));
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.tensors()[0].name == "b");
  CHECK(text_of(file.find("b")->bytes) == "bcde");
  CHECK(text_of(file.find("a")->bytes) == "a");
  CHECK(file.find("z")->bytes.empty());
  CHECK(file.find("c") == nullptr);
}

TEST_CASE("the writer refuses what no reader would accept, before it writes") {
  const test::Folder folder;
  const std::string data = pattern(8);
  const auto refused = [&](const std::vector<NamedTensor>& tensors, ErrorCode code, const std::string& part,
                           const Pairs& metadata = {}) {
    check_error([&] { write_safetensors(folder / "a", tensors, metadata); }, code, part);
  };
  const NamedTensor right{"w", "F32", {2}, bytes_of(data)};
  auto wrong = right;
  wrong.dtype = "F31";
  refused({wrong}, ErrorCode::unknown_dtype, "tensor 'w': unknown dtype 'F31': expected one of F32, F64, F16");
  wrong = right, wrong.dtype = "";
  refused({wrong}, ErrorCode::unknown_dtype, "unknown dtype ''");
  wrong = right, wrong.shape = {3};
  refused({wrong}, ErrorCode::size_mismatch, "F32 of shape [3] takes 12 bytes, but 8 are given");
  wrong = right, wrong.shape = std::vector<std::size_t>(17, 1);
  refused({wrong}, ErrorCode::bad_shape, "17 dimensions, but at most 16");
  wrong = right, wrong.shape = {std::size_t{1} << 33, std::size_t{1} << 33};
  refused({wrong}, ErrorCode::overflow, "shape [8589934592,8589934592] is too large");
  wrong = right, wrong.shape = {0, (std::size_t{1} << 53) + 1};
  refused({wrong}, ErrorCode::overflow, "is too large");
  wrong = right, wrong.name = "__metadata__";
  refused({wrong}, ErrorCode::invalid_argument, "'__metadata__': the format keeps this name for itself");
  wrong = right, wrong.name = "\xFF";
  refused({wrong}, ErrorCode::invalid_argument, "'\\xff': a name must be UTF-8");
  refused({right, right}, ErrorCode::duplicate_key, "two tensors are called 'w'");
  refused({right}, ErrorCode::duplicate_key, "metadata 'k' is given twice", {{"k", "1"}, {"k", "2"}});
  refused({right}, ErrorCode::invalid_argument, "these keys hold the checksums", {{"crc32c.w", "00000000"}});
  refused({right}, ErrorCode::invalid_argument, "these keys hold the checksums", {{"crc32c", "00000000"}});
  refused({right}, ErrorCode::invalid_argument, "must be UTF-8", {{"k\x80", ""}});
  refused({right}, ErrorCode::invalid_argument, "must be UTF-8", {{"k", "\xC3"}});
  refused({right}, ErrorCode::header_too_large, "readers accept at most 100000000",
          {{"k", std::string(100'000'000, ' ')}});
  refused({right}, ErrorCode::header_too_large, "1048576 metadata keys", Pairs(std::size_t{1} << 20));
  refused(std::vector<NamedTensor>((std::size_t{1} << 20) + 1), ErrorCode::header_too_large, "1048577 tensors");
  CHECK(folder.count() == 0);
}

TEST_CASE("a save that fails keeps the file that was there") {
  const test::Folder folder;
  const std::string data = pattern(8);
  std::vector<NamedTensor> tensors{{"w", "U8", {8}, bytes_of(data)}};
  write_safetensors(folder / "a", tensors);
  const std::string before = test::read_all(folder / "a");
  tensors[0].shape = {9};
  check_error([&] { write_safetensors(folder / "a", tensors); }, ErrorCode::size_mismatch, "takes 9 bytes");
  CHECK(test::read_all(folder / "a") == before);
}

TEST_CASE("dtype sizes") {
  for (const auto& [dtype, size] : dtypes) {
    CHECK(minitrain::safetensors_dtype_size(dtype) == static_cast<std::size_t>(size));
  }
  check_error([] { minitrain::safetensors_dtype_size("F4"); }, ErrorCode::unknown_dtype, "unknown dtype 'F4'");
}

TEST_CASE("Hugging Face's safetensors reads our files, and we read its files") {
  const std::string python = test::python_with("numpy, safetensors");
  if (python.empty()) return;
  const test::Folder folder;
  const std::array<float, 6> weight{0.0f, 1.5f, -2.0f, 3.25f, 1e-40f, 5e30f};
  const std::array<double, 3> bias{0.1, -0.2, 1e300};
  const std::array<std::int64_t, 1> step{-(std::int64_t{1} << 62)};
  const std::array<std::uint8_t, 5> mask{0, 1, 2, 254, 255};
  const std::array tensors{
      NamedTensor{"mask", "U8", {5}, std::as_bytes(std::span(mask))},
      NamedTensor{"0.weight", "F32", {2, 3}, std::as_bytes(std::span(weight))},
      NamedTensor{"0.b\xC3\xAF\"as\n", "F64", {3}, std::as_bytes(std::span(bias))},
      NamedTensor{"empty", "F32", {0, 4}, {}},
      NamedTensor{"step", "I64", {}, std::as_bytes(std::span(step))},
  };
  write_safetensors(folder / "ours.safetensors", tensors, Pairs{{"format", "pt"}, {"note", "\xE2\x82\xAC\t\""}});
  REQUIRE(test::run_python(python, __FILE__, "interop.py", folder / ""));

  const SafetensorsFile theirs(folder / "theirs.safetensors");
  CHECK(theirs.tensors().size() == tensors.size());
  CHECK(*theirs.metadata("note") == "\xE2\x82\xAC\t\"");
  for (const NamedTensor& tensor : tensors) {
    INFO(tensor.name);
    const NamedTensor* const read = theirs.find(tensor.name);
    REQUIRE(read != nullptr);
    CHECK(read->dtype == tensor.dtype);
    CHECK(read->shape == tensor.shape);
    CHECK(text_of(read->bytes) == text_of(tensor.bytes));
  }
  // The same tensors and metadata, checksums included, in another program's order: still verified, still right.
  CHECK(SafetensorsFile(folder / "resaved.safetensors").tensors().size() == tensors.size());
  // Changed there with the old metadata kept: noticed.
  check_error([&] { SafetensorsFile file(folder / "changed.safetensors"); }, ErrorCode::checksum_mismatch,
              "tensor '0.weight'");
}
