// Files that are not what they should be. Each is refused with its code, and a message that names the file and the
// byte.

#include <minitrain/io/safetensors.hpp>

#include "io/support.hpp"
#include "support/catch.hpp"

#include <sys/stat.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

using minitrain::ErrorCode;
using minitrain::NamedTensor;
using minitrain::ReadFile;
using minitrain::SafetensorsFile;
using test::bytes_of;
using test::entry;
using test::file_of;

namespace {

SafetensorsFile open_bytes(std::string_view bytes) { return SafetensorsFile::from_bytes(bytes_of(bytes), "f"); }

void refused(std::string_view file, ErrorCode code, const std::string& part) {
  test::check_error([&] { open_bytes(file); }, code, part);
  test::check_error([&] { open_bytes(file); }, code, "f: byte ");
}

/// A file with one entry called "w".
std::string with(std::string_view dtype, std::string_view shape, std::string_view offsets, std::size_t data = 0) {
  return file_of(R"({"w":{"dtype":")" + std::string(dtype) + R"(","shape":)" + std::string(shape) +
                     R"(,"data_offsets":)" + std::string(offsets) + "}}",
                 std::string(data, 'd'));
}

/// Two tensors and metadata, with checksums, as write_safetensors makes it.
std::string small_file() {
  const test::Folder folder;
  const std::array<float, 5> weight{1, 2, 3, 4, 5};
  const std::array<std::uint8_t, 3> mask{1, 0, 1};
  const std::array tensors{NamedTensor{"weight", "F32", {5}, std::as_bytes(std::span(weight))},
                           NamedTensor{"mask", "U8", {3}, std::as_bytes(std::span(mask))}};
  const std::array metadata{std::pair<std::string, std::string>{"step", "100"}};
  minitrain::write_safetensors(folder / "a", tensors, metadata);
  return test::read_all(folder / "a");
}

std::uint64_t header_length(std::string_view file) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::uint64_t{static_cast<unsigned char>(file[i])} << (8 * i);
  return length;
}

}  // namespace

TEST_CASE("fault 1: fewer than eight bytes") {
  refused("", ErrorCode::truncated, "f: byte 0: the file ends here");
  refused("1234567", ErrorCode::truncated, "f: byte 7: the file ends here");
}

TEST_CASE("fault 2: header lengths past the format or the file, before any allocation") {
  const auto announced = [](std::uint64_t length) { return test::length_prefix(length) + "{}"; };
  refused(announced(3), ErrorCode::header_too_large, "announces a header of 3 bytes, but at most 2 follow");
  refused(announced(100'000'000), ErrorCode::header_too_large, "at most 2 follow");
  refused(announced(std::uint64_t{1} << 63), ErrorCode::header_too_large, "9223372036854775808 bytes, but at most 2");
  refused(announced(~std::uint64_t{0}), ErrorCode::header_too_large, "18446744073709551615 bytes, but at most 2");
  refused(announced(~std::uint64_t{0} - 7), ErrorCode::header_too_large, "18446744073709551608 bytes, but at most 2");
  refused(test::length_prefix(1), ErrorCode::header_too_large,
          "at most 0 follow: cut short, or not a safetensors file");

  const test::Folder folder;  // a file of 200 MB that takes no room
  test::write_all(folder / "sparse", test::length_prefix(100'000'001));
  std::filesystem::resize_file(folder / "sparse", 200'000'000);
  test::check_error([&] { SafetensorsFile file(folder / "sparse"); }, ErrorCode::header_too_large,
                    "announces a header of 100000001 bytes, but at most 100000000 are allowed");
}

TEST_CASE("fault 3: headers that are not UTF-8, not an object, or go on") {
  refused(file_of(""), ErrorCode::bad_header, "byte 8: a header starts with {");
  refused(file_of("[]"), ErrorCode::bad_header, "byte 8: a header starts with {");
  refused(file_of(" {}"), ErrorCode::bad_header, "byte 8: a header starts with {");
  refused(file_of("\xEF\xBB\xBF{}"), ErrorCode::bad_header, "byte 8: a header starts with {");
  refused(file_of("{\"\xFF\":1}"), ErrorCode::bad_header, "byte 10: the header is not UTF-8");
  refused(file_of("{\"\xC0\x80\":1}"), ErrorCode::bad_header, "byte 10: the header is not UTF-8");
  refused(file_of("{} x"), ErrorCode::bad_header, "byte 11: only spaces may follow the closing }");
  refused(file_of("{}\n"), ErrorCode::bad_header, "byte 10: only spaces");
  refused(file_of(std::string("{}\0", 3)), ErrorCode::bad_header, "byte 10: only spaces");
  refused(file_of("{}{}"), ErrorCode::bad_header, "byte 10: only spaces");
  refused(file_of("{"), ErrorCode::bad_header, "byte 9: expected \", found the end of the header");
  refused(file_of("{\"w\":1}"), ErrorCode::bad_header, "byte 13: expected {, found '1'");
  refused(file_of("{\"w\":null}"), ErrorCode::bad_header, "byte 13: expected {, found 'n'");
  refused(file_of("{\"w\":{}}"), ErrorCode::bad_header,
          "byte 9: tensor 'w': its dtype, shape or data_offsets is missing");
  refused(file_of("{" + entry("w", 0, 0) + ",}"), ErrorCode::bad_header, "expected \", found '}'");
  refused(file_of(R"({"w":{"dtype":"U8","shape":[0]}})"), ErrorCode::bad_header, "data_offsets is missing");
  refused(file_of(R"({"w":{"dtype":1}})"), ErrorCode::bad_header, "byte 22: expected \", found '1'");
  refused(file_of(R"({"w":{"type":"U8"}})"), ErrorCode::bad_header, "byte 14: unknown key 'type'");
  refused(with("U8", "[0]", "[0]"), ErrorCode::bad_header, "expected ,, found ']'");
  refused(with("U8", "[0]", "[0,0,0]"), ErrorCode::bad_header, "expected ], found ','");
  refused(with("U8", "0", "[0,0]"), ErrorCode::bad_header, "expected [, found '0'");
  refused(file_of(R"({"__metadata__":{"step":1}})"), ErrorCode::bad_header, "byte 32: expected \", found '1'");
  refused(file_of(R"({"__metadata__":[]})"), ErrorCode::bad_header, "expected {, found '['");
}

TEST_CASE("fault 4: nesting, however deep, neither recurses nor is accepted") {
  const std::size_t deep = 10'000'000;
  const std::string brackets(deep, '['), braces = "{\"w\":";
  refused(file_of("{\"w\":" + brackets), ErrorCode::bad_header, "byte 13: expected {, found '['");
  refused(with("U8", brackets, "[0,0]"), ErrorCode::bad_header, "expected a number, found '['");
  refused(with("U8", "[0]", brackets), ErrorCode::bad_header, "expected a number, found '['");
  refused(file_of(R"({"__metadata__":{"k":)" + brackets), ErrorCode::bad_header, "expected \", found '['");
  refused(file_of(R"({"w":{"extra":)" + brackets), ErrorCode::bad_header, "unknown key 'extra'");
  std::string nested;
  for (int i = 0; i < 17; ++i) nested += braces;
  refused(file_of(nested), ErrorCode::bad_header, "byte 14: unknown key 'w'");
}

TEST_CASE("fault 5: the same name or key twice") {
  refused(file_of("{" + entry("w", 0, 1) + "," + entry("v", 1, 2) + "," + entry("w", 2, 3) + "}", "abc"),
          ErrorCode::duplicate_key, "byte 113: tensor 'w': a second one of this name");
  refused(file_of("{" + entry("w", 0, 1) + "," + entry("\\u0077", 1, 2) + "}", "ab"), ErrorCode::duplicate_key,
          "tensor 'w': a second one of this name");
  refused(file_of(R"({"w":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})"), ErrorCode::duplicate_key,
          "byte 27: a second dtype");
  refused(file_of(R"({"w":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}})"), ErrorCode::duplicate_key,
          "a second shape");
  refused(file_of(R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"data_offsets":[0,0]}})"),
          ErrorCode::duplicate_key, "a second data_offsets");
  refused(file_of(R"({"__metadata__":{},"__metadata__":{}})"), ErrorCode::duplicate_key,
          "byte 27: a second __metadata__");
  refused(file_of(R"({"__metadata__":{"k":"1","j":"2","k":"1"}})"), ErrorCode::duplicate_key,
          "byte 9: two metadata keys 'k'");
}

TEST_CASE("fault 6: unknown dtypes, with the list of the known") {
  for (const std::string dtype : {"F31", "", "f32", "F32 ", "F4", "OBJECT", "float32"}) {
    refused(
        with(dtype, "[0]", "[0,0]"), ErrorCode::unknown_dtype,
        "byte 22: tensor 'w': unknown dtype '" + dtype + "': expected one of F32, F64, F16, BF16, BOOL, I8, I16, I32");
  }
}

TEST_CASE("fault 7: numbers that are not whole, or too large") {
  for (const std::string number : {"-1", "-0", "1.0", "1e1", "1E1", "9007199254740993", "18446744073709551616", "01",
                                   "+1", "\"1\"", "true", "NaN", "0x1"}) {
    INFO(number);
    if (number != "0x1") {
      refused(with("U8", "[" + number + "]", "[0,0]"), ErrorCode::bad_number, "number");
      refused(with("U8", "[0]", "[" + number + ",0]"), ErrorCode::bad_number, "number");
      refused(with("U8", "[0]", "[0," + number + "]"), ErrorCode::bad_number, "number");
    } else {
      refused(with("U8", "[" + number + "]", "[0,0]"), ErrorCode::bad_header, "expected ], found 'x'");
    }
  }
  refused(with("U8", "[-3]", "[0,0]"), ErrorCode::bad_number,
          "byte 36: expected a whole number in plain digits, found '-'");
}

TEST_CASE("fault 8: shapes whose product overflows") {
  refused(with("U8", "[9007199254740992,1024]", "[0,0]"), ErrorCode::overflow,
          "tensor 'w': shape [9007199254740992,1024] is more than 2^63 bytes");
  refused(with("F64", "[4294967296,4294967296]", "[0,0]"), ErrorCode::overflow, "more than 2^63 bytes");
  refused(with("U8", "[4294967296,4294967296,0]", "[0,0]"), ErrorCode::overflow, "more than 2^63 bytes");
  refused(with("U8", "[9007199254740992,1023]", "[0,0]"), ErrorCode::size_mismatch, "takes 9214364837600034816 bytes");
}

TEST_CASE("fault 9: ranges that end before they begin, pass the end, overlap, leave holes or stray") {
  const auto pair = [](const std::string& a, const std::string& b) { return "{" + a + "," + b + "}"; };
  refused(with("U8", "[2]", "[2,0]", 2), ErrorCode::bad_offsets, "byte 9: tensor 'w': it ends before it begins");
  refused(with("U8", "[3]", "[0,3]", 2), ErrorCode::bad_offsets,
          "data_offsets [0,3] pass the end of the file, which holds 2 bytes of data");
  refused(with("U8", "[1]", "[9007199254740991,9007199254740992]", 2), ErrorCode::bad_offsets, "leave a hole after 0");
  refused(with("U8", "[1]", "[1,2]", 2), ErrorCode::bad_offsets, "data_offsets [1,2] leave a hole after 0");
  refused(file_of(pair(entry("a", 0, 1), entry("b", 2, 3)), "abc"), ErrorCode::bad_offsets,
          "byte 61: tensor 'b': data_offsets [2,3] leave a hole after 1");
  refused(file_of(pair(entry("b", 1, 3), entry("a", 0, 2)), "abc"), ErrorCode::bad_offsets,
          "byte 9: tensor 'b': data_offsets [1,3] overlap with the tensor before, which ends at 2");
  refused(file_of(pair(entry("a", 0, 3), entry("b", 0, 3)), "abc"), ErrorCode::bad_offsets, "overlap");
  refused(file_of(pair(entry("a", 0, 3), entry("z", 1, 1)), "abc"), ErrorCode::bad_offsets,
          "tensor 'z': data_offsets [1,1] overlap");
  refused(file_of(pair(entry("a", 0, 3), entry("z", 9, 9)), "abc"), ErrorCode::bad_offsets, "leave a hole after 3");
  CHECK(open_bytes(file_of(pair(entry("a", 0, 3), entry("z", 3, 3)), "abc")).tensors().size() == 2);
  CHECK(open_bytes(file_of(pair(entry("a", 0, 3), entry("z", 0, 0)), "abc")).tensors().size() == 2);
}

TEST_CASE("fault 10: bytes and shape disagree") {
  refused(with("F32", "[2,3]", "[0,20]", 20), ErrorCode::size_mismatch,
          "byte 9: tensor 'w': F32 of shape [2,3] takes 24 bytes, but its offsets span 20");
  refused(with("U8", "[]", "[0,0]"), ErrorCode::size_mismatch, "U8 of shape [] takes 1 bytes, but its offsets span 0");
  refused(with("U8", "[0,5]", "[0,5]", 5), ErrorCode::size_mismatch, "takes 0 bytes, but its offsets span 5");
}

TEST_CASE("fault 11: bytes after the last tensor") {
  refused(with("U8", "[3]", "[0,3]", 4), ErrorCode::trailing_bytes, "the last tensor ends here, but 1 bytes follow");
  refused(file_of("{}", "x"), ErrorCode::trailing_bytes, "byte 10: the last tensor ends here, but 1 bytes follow");
  refused(small_file() + "PK\x03\x04", ErrorCode::trailing_bytes, "but 4 bytes follow");
}

TEST_CASE("fault 12: a million tiny tensors, in time proportional to their number") {
  const auto many = [](std::size_t count) {
    std::string header = "{";
    for (std::size_t i = 0; i < count; ++i)
      header += (i > 0 ? "," : "") + entry(std::to_string(i * 2654435761u), i, i + 1);
    return file_of(header + "}", std::string(count, 'd'));
  };
  const auto seconds = [](const std::string& file, std::size_t count) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(open_bytes(file).tensors().size() == count);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const std::size_t few = std::size_t{1} << 17, most = std::size_t{1} << 20;
  const std::string small = many(few), large = many(most);
  const double short_time = std::min(seconds(small, few), seconds(small, few));
  const double long_time = seconds(large, most);
  INFO(short_time << " s for 2^17, " << long_time << " s for 2^20 tensors");
  CHECK(long_time < 32 * short_time);  // 8 times the tensors; quadratic time would take 64 times as long
  const std::string header = large.substr(8, header_length(large) - 1) + "," + entry("one more", most, most + 1) + "}";
  refused(file_of(header), ErrorCode::header_too_large, "more than 1048576 tensors");

  std::string metadata = R"({"__metadata__":{"0":"")";
  for (int i = 1; i <= 1 << 21; ++i) metadata += ",\"" + std::to_string(i) + "\":\"\"";
  refused(file_of(metadata + "}}"), ErrorCode::header_too_large, "more than 2097152 metadata keys");
}

TEST_CASE("fault 13: more than 16 dimensions") {
  std::string ones = "1";
  for (int i = 1; i < 16; ++i) ones += ",1";
  CHECK(open_bytes(with("U8", "[" + ones + "]", "[0,1]", 1)).tensors()[0].shape.size() == 16);
  refused(with("U8", "[" + ones + ",1]", "[0,1]", 1), ErrorCode::bad_shape, "tensor 'w': more than 16 dimensions");
  refused(with("U8", "[" + ones + ",1", "[0,1]", 1), ErrorCode::bad_shape, "more than 16 dimensions");
}

TEST_CASE("fault 14: hostile names are data, and escaped in messages") {
  const std::string name = R"(../\u0000\u001b[31m/etc/\ud83d\ude00)" + std::string(600, 'n');
  const auto file = open_bytes(file_of("{" + entry(name, 0, 1) + "}", "d"));
  CHECK(file.tensors()[0].name == std::string("../\0\x1B[31m/etc/\xF0\x9F\x98\x80", 18) + std::string(600, 'n'));
  refused(file_of("{" + entry(name, 0, 1) + "}", "dd"), ErrorCode::trailing_bytes, "");
  refused(file_of("{" + entry(name, 0, 1) + "," + entry(name, 1, 2) + "}", "dd"), ErrorCode::duplicate_key,
          "tensor '../\\x00\\x1b[31m/etc/\\xf0\\x9f\\x98\\x80nnn");
  refused(file_of("{" + entry(name, 0, 1) + "," + entry(name, 1, 2) + "}", "dd"), ErrorCode::duplicate_key,
          "nnn... (618 bytes)'");
}

TEST_CASE("faults 15 and 16: the file changes between open and read") {
  const test::Folder folder;
  const std::string path = folder / "a", whole = small_file();
  const auto changed = [&](auto change, ErrorCode code, const std::string& part) {
    test::write_all(path, whole);
    const ReadFile file(path);
    change();
    test::check_error([&] { SafetensorsFile opened(file); }, code, part);
  };
  const std::size_t size = whole.size();
  changed([&] { std::filesystem::resize_file(path, size - 1); }, ErrorCode::truncated,
          "/a: byte " + std::to_string(size - 1) + ": the file ends here, but had " + std::to_string(size) + " bytes");
  changed([&] { std::filesystem::resize_file(path, 20); }, ErrorCode::truncated, "byte 20: the file ends here");
  changed([&] { std::filesystem::resize_file(path, 0); }, ErrorCode::truncated, "byte 0: the file ends here");
  std::string other = whole;
  other[size - 1] = static_cast<char>(other[size - 1] + 1);
  changed([&] { test::write_all(path, other); }, ErrorCode::checksum_mismatch,
          "/a: byte " + std::to_string(size - 3) + ": tensor 'mask': CRC-32C '");
}

TEST_CASE("fault 17: every flipped bit is noticed") {
  const std::string whole = small_file();
  CHECK(open_bytes(whole).tensors().size() == 2);
  std::size_t wrong = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {  // length and header too, not only the data
    std::string file = whole;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
    try {
      open_bytes(file);
      FAIL_CHECK("bit " << bit << " of " << file << " went unnoticed");
    } catch (const minitrain::DataError& error) {
      const bool in_data = bit / 8 >= 8 + header_length(whole);
      wrong += (error.code() == ErrorCode::checksum_mismatch) < in_data ? 1 : 0;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("fault 17: ten thousand random flipped bits of the data are all noticed") {
  const test::Folder folder;
  std::mt19937_64 random(17);
  std::array<std::vector<std::byte>, 3> data{std::vector<std::byte>(4 * 257), std::vector<std::byte>(8 * 33),
                                             std::vector<std::byte>(20'001)};
  for (auto& bytes : data) std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
  const std::array tensors{NamedTensor{"a", "F32", {257}, data[0]}, NamedTensor{"b", "F64", {33}, data[1]},
                           NamedTensor{"c", "U8", {20'001}, data[2]}};
  minitrain::write_safetensors(folder / "a", tensors);
  std::string file = test::read_all(folder / "a");
  const std::size_t begin = 8 + header_length(file);
  int noticed = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::size_t at = begin + random() % (file.size() - begin);
    const char bit = static_cast<char>(1 << (random() % 8));
    file[at] = static_cast<char>(file[at] ^ bit);
    try {
      open_bytes(file);
    } catch (const minitrain::DataError& error) {
      noticed += error.code() == ErrorCode::checksum_mismatch ? 1 : 0;
    }
    file[at] = static_cast<char>(file[at] ^ bit);
  }
  CHECK(noticed == 10'000);
  CHECK(open_bytes(file).tensors().size() == 3);
}

TEST_CASE("checksums that name no tensor, are malformed, or lack the header's") {
  const auto with_metadata = [](const std::string& metadata) {
    return file_of(R"({"__metadata__":{)" + metadata + "}," + entry("w", 0, 1) + "}", "d");
  };
  refused(with_metadata(R"("crc32c":"")"), ErrorCode::checksum_mismatch,
          "byte 8: names, shapes and metadata: CRC-32C ''");
  refused(with_metadata(R"("crc32c.w":"00000000")"), ErrorCode::checksum_mismatch,
          "names, shapes and metadata: CRC-32C ''");
  const auto sealed = [&](const std::string& metadata) {  // with the header's own checksum, taken from the complaint
    try {
      open_bytes(with_metadata(metadata));
    } catch (const minitrain::DataError& error) {
      const std::string text = error.what();
      return with_metadata(R"("crc32c":")" + text.substr(text.find("written, '") + 10, 8) + "\"," + metadata);
    }
    return std::string();
  };
  refused(sealed(R"("crc32c.v":"00000000")"), ErrorCode::missing_tensor, "metadata 'crc32c.v', but no such tensor");
  refused(sealed(R"("crc32c.w":"00000000")"), ErrorCode::checksum_mismatch,
          "tensor 'w': CRC-32C '00000000' was written");
  refused(sealed(R"("crc32c.w":"\u0000")"), ErrorCode::checksum_mismatch, "CRC-32C '\\x00' was written");
}

TEST_CASE("fault 18: a file cut short anywhere") {
  const test::Folder folder;
  const std::string whole = small_file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO(size);
    const std::string part = whole.substr(0, size);
    CHECK_THROWS_AS(open_bytes(part), minitrain::DataError);
    test::write_all(folder / "a", part);
    CHECK_THROWS_AS(SafetensorsFile(folder / "a"), minitrain::DataError);
  }
  test::write_all(folder / "a", whole);
  CHECK(SafetensorsFile(folder / "a").tensors().size() == 2);
}

TEST_CASE("fault 19: paths that are no regular file") {
  const test::Folder folder;
  const auto refused_path = [](const std::string& path, const std::string& part) {
    test::check_error([&] { SafetensorsFile file(path); }, ErrorCode::io_error, part);
  };
  refused_path(folder / "", "expected a regular file, found a directory");
  refused_path(folder / "none", "/none: cannot open for reading: No such file or directory");
  refused_path("/dev/zero", "expected a regular file, found a character device");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  refused_path(folder / "fifo", "expected a regular file, found a FIFO");
}
