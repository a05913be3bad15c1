#pragma once
// The header of a safetensors file: from text to tensors without bytes.

#include <minitrain/io/json.hpp>
#include <minitrain/io/safetensors_format.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail::io {

/// What a header says, everything checked but the checksums.
struct SafetensorsHeader {
  struct Range {
    std::uint64_t begin, end;  // of the tensor's bytes, counted from the first byte after the header
    std::size_t at;            // where its entry stands in the header
  };
  std::vector<NamedTensor> tensors;    // in the order of the header, bytes not yet set
  std::vector<Range> ranges;           // of each tensor
  std::vector<std::uint32_t> by_name;  // places in `tensors`, sorted by name
  Metadata metadata;                   // sorted by key
};

/// Reads a header in O(n log n) time, whatever it holds: names are compared by sorting, since a hash table can be made
/// quadratic by whoever chooses the names.
class SafetensorsHeaderParser {
 public:
  /// `text` is the header, which starts at byte 8 of `file`; `data_size` bytes follow it.
  SafetensorsHeaderParser(std::string_view text, std::string_view file, std::uint64_t data_size)
      : text_(text), json_(text, file, 8), data_size_(data_size) {}

  /// Throws DataError, which names the file and the byte.
  SafetensorsHeader parse() && {
    if (text_.empty() || text_[0] != '{') json_.fail(ErrorCode::bad_header, 0, "a header starts with {");
    if (const std::size_t end = utf8_length(text_); end < text_.size()) {
      json_.fail(ErrorCode::bad_header, end, "the header is not UTF-8");
    }
    json_.object([this](std::string name, std::size_t at) {
      if (name == metadata_name) {
        metadata(at);
      } else {
        tensor(std::move(name), at);
      }
    });
    if (const std::size_t end = text_.find_first_not_of(' ', json_.position()); end != std::string_view::npos) {
      json_.fail(ErrorCode::bad_header, end, "only spaces may follow the closing } of the header");
    }
    sort_metadata();
    sort_names();
    check_ranges();
    return std::move(header_);
  }

 private:
  void metadata(std::size_t at) {
    if (metadata_at_ != 0) json_.fail(ErrorCode::duplicate_key, at, "a second __metadata__");
    metadata_at_ = at;
    json_.object([this](std::string key, std::size_t key_at) {
      if (header_.metadata.size() == max_metadata) {
        json_.fail(ErrorCode::header_too_large, key_at, "more than " + std::to_string(max_metadata) + " metadata keys");
      }
      header_.metadata.emplace_back(std::move(key), json_.string());
    });
  }

  /// One entry: dtype, shape and data_offsets, in any order, each once, and nothing else.
  void tensor(std::string name, std::size_t at) {
    if (header_.tensors.size() == max_tensors) {
      json_.fail(ErrorCode::header_too_large, at, "more than " + std::to_string(max_tensors) + " tensors");
    }
    NamedTensor tensor{.name = std::move(name), .dtype = {}, .shape = {}, .bytes = {}};
    SafetensorsHeader::Range range{.begin = 0, .end = 0, .at = at};
    std::size_t element = 0;
    unsigned seen = 0;
    json_.object([&](const std::string& key, std::size_t key_at) {
      const unsigned bit = key == "dtype" ? 1 : key == "shape" ? 2 : key == "data_offsets" ? 4 : 0;
      if (bit == 0) {
        json_.fail(ErrorCode::bad_header, key_at,
                   "unknown key " + quoted(key) + ": a tensor has dtype, shape and data_offsets");
      }
      if ((seen & bit) != 0) json_.fail(ErrorCode::duplicate_key, key_at, "a second " + key);
      seen |= bit;
      if (bit == 1) element = dtype(tensor);
      if (bit == 2) shape(tensor);
      if (bit == 4) offsets(range);
    });
    if (seen != 7) fail(ErrorCode::bad_header, at, tensor, "its dtype, shape or data_offsets is missing");
    check_size(tensor, range, element);
    header_.tensors.push_back(std::move(tensor));
    header_.ranges.push_back(range);
  }

  std::size_t dtype(NamedTensor& tensor) {
    const std::size_t at = json_.position();
    const std::string name = json_.string();
    const Dtype* const found = find_dtype(name);
    if (found == nullptr) {
      fail(ErrorCode::unknown_dtype, at, tensor, "unknown dtype " + quoted(name) + ": expected one of " + dtype_list());
    }
    tensor.dtype = found->name;
    return found->size;
  }

  void shape(NamedTensor& tensor) {
    json_.array([&] {
      if (tensor.shape.size() == max_rank) {
        fail(ErrorCode::bad_shape, json_.position(), tensor, "more than " + std::to_string(max_rank) + " dimensions");
      }
      tensor.shape.push_back(json_.integer());
    });
  }

  void offsets(SafetensorsHeader::Range& range) {
    json_.expect('[');
    range.begin = json_.integer();
    json_.expect(',');
    range.end = json_.integer();
    json_.expect(']');
  }

  void check_size(const NamedTensor& tensor, const SafetensorsHeader::Range& range, std::size_t element) const {
    if (range.end < range.begin) fail(ErrorCode::bad_offsets, range.at, tensor, "it ends before it begins");
    std::uint64_t bytes = 0;
    if (!byte_count(element, tensor.shape, bytes)) {
      fail(ErrorCode::overflow, range.at, tensor, "shape " + shape_text(tensor.shape) + " is more than 2^63 bytes");
    }
    if (range.end - range.begin != bytes) {
      fail(ErrorCode::size_mismatch, range.at, tensor,
           std::string(tensor.dtype) + " of shape " + shape_text(tensor.shape) + " takes " + std::to_string(bytes) +
               " bytes, but its offsets span " + std::to_string(range.end - range.begin));
    }
  }

  void sort_metadata() {
    if (const std::string* const twice = sort_by_key(header_.metadata)) {
      json_.fail(ErrorCode::duplicate_key, metadata_at_, "two metadata keys " + quoted(*twice));
    }
  }

  void sort_names() {
    const auto& tensors = header_.tensors;
    auto& places = header_.by_name;
    places = sorted_places(tensors.size(), [&](auto a, auto b) { return tensors[a].name < tensors[b].name; });
    for (std::size_t i = 1; i < places.size(); ++i) {
      if (tensors[places[i]].name == tensors[places[i - 1]].name) {
        fail(ErrorCode::duplicate_key, header_.ranges[places[i]].at, tensors[places[i]], "a second one of this name");
      }
    }
  }

  /// The tensors' bytes follow one another from the first to the last byte of the data.
  void check_ranges() const {
    const auto& ranges = header_.ranges;
    std::uint64_t end = 0;
    for (const auto place : sorted_places(ranges.size(), [&](auto a, auto b) {
           return std::pair(ranges[a].begin, ranges[a].end) < std::pair(ranges[b].begin, ranges[b].end);
         })) {
      const auto& range = ranges[place];
      const auto complain = [&](const std::string& what) {
        fail(ErrorCode::bad_offsets, range.at, header_.tensors[place],
             "data_offsets [" + std::to_string(range.begin) + "," + std::to_string(range.end) + "] " + what);
      };
      if (range.begin < end) complain("overlap with the tensor before, which ends at " + std::to_string(end));
      if (range.begin > end) complain("leave a hole after " + std::to_string(end));
      end = range.end;
      if (end > data_size_) {
        complain("pass the end of the file, which holds " + std::to_string(data_size_) +
                 " bytes of data: it was cut short, or the header is damaged");
      }
    }
    if (end < data_size_) {
      json_.fail(ErrorCode::trailing_bytes, text_.size() + end,
                 "the last tensor ends here, but " + std::to_string(data_size_ - end) + " bytes follow");
    }
  }

  [[noreturn]] void fail(ErrorCode code, std::size_t at, const NamedTensor& tensor, const std::string& what) const {
    json_.fail(code, at, "tensor " + quoted(tensor.name) + ": " + what);
  }

  std::string_view text_;
  JsonReader json_;
  std::uint64_t data_size_;
  SafetensorsHeader header_;
  std::size_t metadata_at_ = 0;  // 0: none seen
};

}  // namespace detail::io

}  // namespace minitrain::inline MINITRAIN_ABI
