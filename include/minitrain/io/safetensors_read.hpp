#pragma once
// SafetensorsFile: a safetensors file, read and verified.

#include <minitrain/io/file.hpp>
#include <minitrain/io/safetensors_header.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// A safetensors file (https://github.com/huggingface/safetensors, as PyTorch and Hugging Face write it) in memory. It
/// exists only when all of it is right: the format, every name, shape and byte range, and the checksums when the file
/// has them (files from write_safetensors do). Nothing in a file runs, and what is allocated is bounded by its size.
///
///     const SafetensorsFile file("weights.safetensors");
///     const NamedTensor* weight = file.find("0.weight");   // nullptr when there is none
///
/// Throws DataError: io_error, truncated, header_too_large, bad_header, duplicate_key, unknown_dtype, bad_number,
/// bad_shape, overflow, size_mismatch, bad_offsets, trailing_bytes, checksum_mismatch, missing_tensor (a checksum of a
/// tensor that is not there) or out_of_memory; the message names the file and, where there is one, the byte.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path) : SafetensorsFile(ReadFile(path)) {}

  explicit SafetensorsFile(const ReadFile& file)
      : SafetensorsFile(file.path(), file.size(),
                        [&](std::uint64_t offset, std::span<std::byte> bytes) { file.read(offset, bytes); }) {}

  /// The same from memory, which is copied; `name` stands for the file in messages.
  static SafetensorsFile from_bytes(std::span<const std::byte> file, std::string_view name = "(memory)") {
    return SafetensorsFile(name, file.size(), [&](std::uint64_t offset, std::span<std::byte> bytes) {
      if (!bytes.empty()) std::memcpy(bytes.data(), file.data() + offset, bytes.size());
    });
  }

  /// The metadata of a file, of which nothing else but the header is read and verified. Throws as the constructor does.
  static std::vector<std::pair<std::string, std::string>> metadata_of(const ReadFile& file) {
    SafetensorsFile header;
    header.read_header(file.path(), file.size(),
                       [&](std::uint64_t offset, std::span<std::byte> bytes) { file.read(offset, bytes); });
    if (header.verify_header(file.path())) std::erase_if(header.header_.metadata, is_checksum);
    return std::move(header.header_.metadata);
  }

  /// All tensors, in the order of the file's header. Their bytes live as long as this object, and move with it. In
  /// files from write_safetensors each is aligned for its elements; in others it may not be: copy the bytes out.
  std::span<const NamedTensor> tensors() const noexcept { return header_.tensors; }

  /// The tensor of this name, or nullptr.
  const NamedTensor* find(std::string_view name) const noexcept {
    const auto& places = header_.by_name;
    const auto found = std::lower_bound(places.begin(), places.end(), name, [&](std::uint32_t place, auto wanted) {
      return header_.tensors[place].name < wanted;
    });
    if (found == places.end() || header_.tensors[*found].name != name) return nullptr;
    return &header_.tensors[*found];
  }

  /// Whether the file had checksums, which then were right.
  bool has_checksums() const noexcept { return has_checksums_; }

  /// All (key, value) pairs of the metadata but the checksums, sorted by key.
  std::span<const std::pair<std::string, std::string>> metadata() const noexcept { return header_.metadata; }

  /// The metadata value of this key, or nullptr.
  const std::string* metadata(std::string_view key) const noexcept {
    const auto found = std::lower_bound(header_.metadata.begin(), header_.metadata.end(), key,
                                        [](const auto& pair, auto wanted) { return pair.first < wanted; });
    return found == header_.metadata.end() || found->first != key ? nullptr : &found->second;
  }

 private:
  SafetensorsFile() = default;

  /// `read(offset, bytes)` fills `bytes` from `offset` of a file of `size` bytes.
  template <class Read>
  SafetensorsFile(std::string_view name, std::uint64_t size, Read read) {
    const std::uint64_t length = read_header(name, size, read);
    const std::uint64_t data_size = size - 8 - length;
    data_.reset(new (std::nothrow) std::byte[data_size]);
    if (data_ == nullptr) {
      throw DataError(ErrorCode::out_of_memory,
                      {detail::io::shown(name), ": no memory for its ", data_size, " bytes of tensors"});
    }
    const std::span<std::byte> data(data_.get(), data_size);
    read(8 + length, data);
    for (std::size_t i = 0; i < header_.tensors.size(); ++i) {
      const auto [begin, end, at] = header_.ranges[i];
      header_.tensors[i].bytes = data.subspan(begin, end - begin);
    }
    verify(name, 8 + length);
    header_.ranges = {};
  }

  /// Reads the header, and returns its length.
  template <class Read>
  std::uint64_t read_header(std::string_view name, std::uint64_t size, Read read) {
    const std::uint64_t length = read_length(name, size, read);
    std::string text(static_cast<std::size_t>(length), '\0');
    read(8, std::as_writable_bytes(std::span(text)));
    header_ = detail::io::SafetensorsHeaderParser(text, name, size - 8 - length).parse();
    return length;
  }

  /// The first eight bytes: the length of the header.
  template <class Read>
  static std::uint64_t read_length(std::string_view name, std::uint64_t size, Read read) {
    if (size < 8) {
      throw DataError(ErrorCode::truncated, {detail::io::shown(name), ": byte ", size,
                                             ": the file ends here, inside the 8 bytes that a safetensors file "
                                             "starts with, the length of its header"});
    }
    std::uint64_t length = 0;
    read(0, std::as_writable_bytes(std::span(&length, 1)));
    const std::uint64_t limit = std::min(detail::io::max_header, size - 8);
    if (length > limit) {
      throw DataError(
          ErrorCode::header_too_large,
          {detail::io::shown(name), ": byte 0: announces a header of ", length, " bytes, but at most ", limit,
           (limit == size - 8 ? " follow: cut short, or not a safetensors file"
                              : " are allowed: probably not a safetensors file")});
    }
    return length;
  }

  static bool is_checksum(const std::pair<std::string, std::string>& pair) {
    return pair.first == detail::io::checksum_key || pair.first.starts_with(detail::io::checksum_prefix);
  }

  /// Compares the checksum of the header; returns whether the file has any.
  bool verify_header(std::string_view name) const {
    using namespace detail::io;
    if (std::none_of(header_.metadata.begin(), header_.metadata.end(), is_checksum)) return false;
    const std::string* const contents = metadata(checksum_key);
    const std::string_view expected = contents != nullptr ? std::string_view(*contents) : "";
    const std::string found = content_checksum(header_.tensors, header_.by_name, header_.metadata);
    if (expected != found) fail_checksum(name, 8, "names, shapes and metadata", expected, found);
    return true;
  }

  /// Compares all checksums, when the file has any, then drops them from the metadata.
  void verify(std::string_view name, std::uint64_t data_begin) {
    using namespace detail::io;
    has_checksums_ = verify_header(name);
    if (!has_checksums_) return;
    for (const auto& [key, value] : header_.metadata) {
      if (key.starts_with(checksum_prefix)) verify_tensor(name, data_begin, key, value);
    }
    std::erase_if(header_.metadata, is_checksum);
  }

  void verify_tensor(std::string_view name, std::uint64_t data_begin, std::string_view key,
                     std::string_view expected) const {
    using namespace detail::io;
    const NamedTensor* const tensor = find(key.substr(checksum_prefix.size()));
    if (tensor == nullptr) {
      throw DataError(ErrorCode::missing_tensor,
                      {shown(name), ": byte 8: the header holds metadata ", quoted(key), ", but no such tensor"});
    }
    const std::string found = hex8(crc32c(tensor->bytes));
    if (expected != found) {
      const std::uint64_t at = data_begin + static_cast<std::uint64_t>(tensor->bytes.data() - data_.get());
      fail_checksum(name, at, "tensor " + quoted(tensor->name), expected, found);
    }
  }

  [[noreturn]] static void fail_checksum(std::string_view name, std::uint64_t at, const std::string& what,
                                         std::string_view expected, const std::string& found) {
    using namespace detail::io;
    throw DataError(ErrorCode::checksum_mismatch,
                    {shown(name), ": byte ", at, ": ", what, ": CRC-32C ", quoted(expected), " was written, ",
                     quoted(found), " found: the file is damaged, or a program changed it and kept its old metadata"});
  }

  detail::io::SafetensorsHeader header_;
  std::unique_ptr<std::byte[]> data_;
  bool has_checksums_ = false;
};

}  // namespace minitrain::inline MINITRAIN_ABI
