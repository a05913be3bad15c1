#pragma once
// write_safetensors: named arrays and metadata to a safetensors file, with checksums.

#include <minitrain/io/file.hpp>
#include <minitrain/io/json.hpp>
#include <minitrain/io/safetensors_format.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail::io {

/// Everything of a safetensors file but the tensors' bytes.
struct SafetensorsHead {
  std::array<std::byte, 8> length;   // of the header
  std::string header;                // with spaces up to a multiple of 8 bytes, so that the data is aligned
  std::vector<std::uint32_t> order;  // in which the tensors' bytes follow
};

inline void check_tensor(const NamedTensor& tensor) {
  const std::string who = joined({"write_safetensors: tensor ", quoted(tensor.name), ": "});
  const Dtype* const dtype = find_dtype(tensor.dtype);
  if (dtype == nullptr) {
    throw DataError(ErrorCode::unknown_dtype,
                    {who, "unknown dtype ", quoted(tensor.dtype), ": expected one of ", dtype_list()});
  }
  if (tensor.name == metadata_name) throw OptionError({who, "the format keeps this name for itself: choose another"});
  if (utf8_length(tensor.name) < tensor.name.size()) throw OptionError({who, "a name must be UTF-8"});
  if (tensor.shape.size() > max_rank) {
    throw ShapeError(ErrorCode::bad_shape,
                     {who, tensor.shape.size(), " dimensions, but at most ", max_rank, " are allowed"});
  }
  const bool exact = std::all_of(tensor.shape.begin(), tensor.shape.end(),
                                 [](std::size_t extent) { return extent <= std::size_t{1} << 53; });
  std::uint64_t bytes = 0;
  if (!exact || !byte_count(dtype->size, tensor.shape, bytes)) {
    throw ShapeError(ErrorCode::overflow, {who, "shape ", shape_text(tensor.shape), " is too large"});
  }
  if (bytes != tensor.bytes.size()) {
    throw DataError(ErrorCode::size_mismatch, {who, tensor.dtype, " of shape ", shape_text(tensor.shape), " takes ",
                                               bytes, " bytes, but ", tensor.bytes.size(), " are given"});
  }
}

/// The caller's metadata and all checksums: that of the header first, the others sorted by key.
inline Metadata with_checksums(std::span<const NamedTensor> tensors, std::span<const std::uint32_t> by_name,
                               std::span<const std::pair<std::string, std::string>> metadata) {
  Metadata all;
  for (const auto& [key, value] : metadata) {
    const std::string who = joined({"write_safetensors: metadata ", quoted(key), ": "});
    if (key == checksum_key || key.starts_with(checksum_prefix)) {
      throw OptionError({who, "these keys hold the checksums: choose another"});
    }
    if (utf8_length(key) < key.size() || utf8_length(value) < value.size()) {
      throw OptionError({who, "keys and values must be UTF-8"});
    }
    all.push_back({key, value});
  }
  for (const NamedTensor& tensor : tensors) {
    all.push_back({joined({checksum_prefix, tensor.name}), hex8(crc32c(tensor.bytes))});
  }
  if (const std::string* const twice = sort_by_key(all)) {
    throw DataError(ErrorCode::duplicate_key, {"write_safetensors: metadata ", quoted(*twice), " is given twice"});
  }
  all.insert(all.begin(), {std::string(checksum_key), content_checksum(tensors, by_name, all)});
  return all;
}

/// {"__metadata__":{...},"NAME":{...},...} and spaces. `order` is that of the tensors' bytes.
inline std::string header_text(std::span<const NamedTensor> tensors, std::span<const std::uint32_t> order,
                               const Metadata& metadata) {
  std::string text = "{\"__metadata__\":";
  char separator = '{';
  for (const auto& [key, value] : metadata) {
    text += std::exchange(separator, ',');
    append_json(text, key);
    text += ':';
    append_json(text, value);
  }
  text += '}';
  std::uint64_t offset = 0;
  for (const std::uint32_t place : order) {
    const NamedTensor& tensor = tensors[place];
    text += ',';
    append_json(text, tensor.name);
    const std::uint64_t end = offset + tensor.bytes.size();
    text += joined({":{\"dtype\":\"", tensor.dtype, "\",\"shape\":", shape_text(tensor.shape), ",\"data_offsets\":[",
                    offset, ",", end, "]}"});
    offset = end;
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > max_header) {
    throw DataError(ErrorCode::header_too_large, {"write_safetensors: names and metadata make a header of ",
                                                  text.size(), " bytes, but readers accept at most ", max_header});
  }
  return text;
}

/// Checks everything that a reader will check, and lays the file out: larger elements first, so that each tensor is
/// aligned for its elements without the holes that the format forbids.
inline SafetensorsHead lay_out_safetensors(std::span<const NamedTensor> tensors,
                                           std::span<const std::pair<std::string, std::string>> metadata) {
  if (tensors.size() > max_tensors || metadata.size() > max_metadata - max_tensors - 1) {
    throw DataError(ErrorCode::header_too_large,
                    {"write_safetensors: ", tensors.size(), " tensors and ", metadata.size(),
                     " metadata keys, but a file holds fewer than 2^20 of each"});
  }
  for (const NamedTensor& tensor : tensors) check_tensor(tensor);
  const auto by_name = sorted_places(tensors.size(), [&](auto a, auto b) { return tensors[a].name < tensors[b].name; });
  for (std::size_t i = 1; i < by_name.size(); ++i) {
    if (tensors[by_name[i]].name == tensors[by_name[i - 1]].name) {
      throw DataError(ErrorCode::duplicate_key,
                      {"write_safetensors: two tensors are called ", quoted(tensors[by_name[i]].name)});
    }
  }
  SafetensorsHead head;
  head.order = sorted_places(tensors.size(), [&](auto a, auto b) {
    return find_dtype(tensors[a].dtype)->size > find_dtype(tensors[b].dtype)->size;
  });
  head.header = header_text(tensors, head.order, with_checksums(tensors, by_name, metadata));
  head.length = std::bit_cast<std::array<std::byte, 8>>(std::uint64_t{head.header.size()});
  return head;
}

}  // namespace detail::io

/// Replaces the file `path` by a safetensors file of these tensors and this metadata, in the all-or-nothing way of
/// write_file. PyTorch and Hugging Face read it. The metadata also gets the CRC-32C of each tensor ("crc32c.NAME") and
/// of all names, shapes and metadata together ("crc32c"), which SafetensorsFile verifies. Throws before anything is
/// written: DataError unknown_dtype, size_mismatch, duplicate_key, header_too_large; ShapeError bad_shape, overflow;
/// OptionError for a name, key or value that is not UTF-8 or belongs to the format. Then DataError io_error.
inline void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                              std::span<const std::pair<std::string, std::string>> metadata = {},
                              const WriteOptions& options = {}, const FileSystem& files = FileSystem::system()) {
  const detail::io::SafetensorsHead head = detail::io::lay_out_safetensors(tensors, metadata);
  std::vector<std::span<const std::byte>> pieces{head.length, std::as_bytes(std::span(head.header))};
  for (const std::uint32_t place : head.order) pieces.push_back(tensors[place].bytes);
  write_file(path, pieces, options, files);
}

}  // namespace minitrain::inline MINITRAIN_ABI
