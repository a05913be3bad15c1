#pragma once
// What a safetensors file is made of, for reader and writer alike.

#include <minitrain/core/error.hpp>
#include <minitrain/io/crc32c.hpp>
#include <minitrain/io/text.hpp>

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

static_assert(std::endian::native == std::endian::little && sizeof(std::size_t) == 8,
              "safetensors files hold little-endian data, which is read and written as it lies in memory");

/// One named array in a safetensors file. `bytes` are its elements, row-major and little-endian; they belong to the
/// caller (writing) or to the SafetensorsFile (reading), and so does what `dtype` points to.
struct NamedTensor {
  std::string name;                // any UTF-8 but "__metadata__"; never used as a path
  std::string_view dtype;          // "F32", "I64", ...: see safetensors_dtype_size
  std::vector<std::size_t> shape;  // outermost first; {} is a scalar
  std::span<const std::byte> bytes;
};

namespace detail::io {

using Metadata = std::vector<std::pair<std::string, std::string>>;  // (key, value)

struct Dtype {
  std::string_view name;
  std::size_t size;  // bytes
};

/// The element types of the format that fill whole bytes.
inline constexpr std::array dtypes{
    Dtype{"F32", 4},     Dtype{"F64", 8},     Dtype{"F16", 2},         Dtype{"BF16", 2},       Dtype{"BOOL", 1},
    Dtype{"I8", 1},      Dtype{"I16", 2},     Dtype{"I32", 4},         Dtype{"I64", 8},        Dtype{"U8", 1},
    Dtype{"U16", 2},     Dtype{"U32", 4},     Dtype{"U64", 8},         Dtype{"C64", 8},        Dtype{"F8_E4M3", 1},
    Dtype{"F8_E5M2", 1}, Dtype{"F8_E8M0", 1}, Dtype{"F8_E4M3FNUZ", 1}, Dtype{"F8_E5M2FNUZ", 1}};

constexpr const Dtype* find_dtype(std::string_view name) noexcept {
  const auto* const found = std::find_if(dtypes.begin(), dtypes.end(), [&](const Dtype& d) { return d.name == name; });
  return found == dtypes.end() ? nullptr : found;
}

// Of the format (max_header) and of this library, so that a small file cannot ask for much.
inline constexpr std::uint64_t max_header = 100'000'000;  // bytes
inline constexpr std::size_t max_tensors = std::size_t{1} << 20;
inline constexpr std::size_t max_metadata = std::size_t{1} << 21;  // a checksum and one more for each tensor
inline constexpr std::size_t max_rank = 16;
inline constexpr std::string_view metadata_name = "__metadata__";
inline constexpr std::string_view checksum_key = "crc32c";      // of names, shapes and metadata
inline constexpr std::string_view checksum_prefix = "crc32c.";  // and a tensor's name: of its bytes

inline std::string dtype_list() {
  std::string list;
  for (const Dtype& dtype : dtypes) list += (list.empty() ? "" : ", ") + std::string(dtype.name);
  return list;
}

/// a·b, or false when that passes 2^63 - 1.
constexpr bool multiply(std::uint64_t& a, std::uint64_t b) noexcept {
  constexpr std::uint64_t limit = ~std::uint64_t{0} >> 1;
  if (b != 0 && a > limit / b) return false;
  a *= b;
  return true;
}

/// Element size times the extents, from left to right; false when that passes 2^63 - 1 on the way.
constexpr bool byte_count(std::size_t element, std::span<const std::size_t> shape, std::uint64_t& bytes) noexcept {
  bytes = element;
  return std::all_of(shape.begin(), shape.end(), [&](std::size_t extent) { return multiply(bytes, extent); });
}

/// "[2,3]", in JSON and in messages.
inline std::string shape_text(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (const std::size_t extent : shape) text += (text.size() > 1 ? "," : "") + std::to_string(extent);
  return text + "]";
}

/// Eight lower-case hexadecimal digits.
inline std::string hex8(std::uint32_t value) {
  std::string text(8, '0');
  for (std::size_t i = 0; i < 8; ++i) text[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 0xF];
  return text;
}

/// The places 0, 1, ..., size - 1 in the order of `less`, equal ones in their own order. One sort for every `less`:
/// compiling it takes far longer than calling through a pointer.
inline std::vector<std::uint32_t> sorted_places(std::size_t size, const void* context,
                                                bool (*less)(const void*, std::uint32_t, std::uint32_t)) {
  std::vector<std::uint32_t> places(size);
  for (std::size_t i = 0; i < size; ++i) places[i] = static_cast<std::uint32_t>(i);
  std::sort(places.begin(), places.end(),
            [=](std::uint32_t a, std::uint32_t b) { return less(context, a, b) || (!less(context, b, a) && a < b); });
  return places;
}
template <class Less>
std::vector<std::uint32_t> sorted_places(std::size_t size, const Less& less) {
  return sorted_places(size, &less, [](const void* context, std::uint32_t a, std::uint32_t b) -> bool {
    return (*static_cast<const Less*>(context))(a, b);
  });
}

/// Sorts the metadata by key. Returns a key that is there twice, or nullptr.
inline const std::string* sort_by_key(Metadata& metadata) {
  Metadata sorted;
  sorted.reserve(metadata.size());
  for (const std::uint32_t place : sorted_places(
           metadata.size(), [&](std::uint32_t a, std::uint32_t b) { return metadata[a].first < metadata[b].first; })) {
    sorted.push_back(std::move(metadata[place]));
  }
  metadata = std::move(sorted);
  for (std::size_t i = 1; i < metadata.size(); ++i) {
    if (metadata[i].first == metadata[i - 1].first) return &metadata[i].first;
  }
  return nullptr;
}

/// CRC-32C of all that a header says, however it is spelled or ordered: of every tensor by name (name, dtype, rank,
/// extents), then of every metadata pair by key (key, value) but the one that holds this number. Texts are preceded by
/// their lengths; all numbers are 64-bit little-endian.
class ContentChecksum {
 public:
  ContentChecksum& add(std::uint64_t number) noexcept {
    const auto bytes = std::bit_cast<std::array<std::byte, 8>>(number);
    crc_ = crc32c(bytes, crc_);
    return *this;
  }
  ContentChecksum& add(std::string_view text) noexcept {
    add(std::uint64_t{text.size()});
    crc_ = crc32c(std::as_bytes(std::span(text)), crc_);
    return *this;
  }
  std::string text() const { return hex8(crc_); }

 private:
  std::uint32_t crc_ = 0;
};

/// `by_name` are the places of `tensors` in the order of their names; `metadata` is sorted by key.
inline std::string content_checksum(std::span<const NamedTensor> tensors, std::span<const std::uint32_t> by_name,
                                    const Metadata& metadata) {
  ContentChecksum checksum;
  for (const std::uint32_t place : by_name) {
    const NamedTensor& tensor = tensors[place];
    checksum.add(tensor.name).add(tensor.dtype).add(std::uint64_t{tensor.shape.size()});
    for (const std::size_t extent : tensor.shape) checksum.add(std::uint64_t{extent});
  }
  for (const auto& [key, value] : metadata) {
    if (key != checksum_key) checksum.add(key).add(value);
  }
  return checksum.text();
}

}  // namespace detail::io

/// Bytes per element of a safetensors dtype: 4 for "F32". Throws DataError (unknown_dtype), which lists them all.
inline std::size_t safetensors_dtype_size(std::string_view dtype) {
  const detail::io::Dtype* const found = detail::io::find_dtype(dtype);
  if (found == nullptr) {
    throw DataError(ErrorCode::unknown_dtype, {"safetensors: unknown dtype ", detail::io::quoted(dtype),
                                               ": expected one of ", detail::io::dtype_list()});
  }
  return found->size;
}

}  // namespace minitrain::inline MINITRAIN_ABI
