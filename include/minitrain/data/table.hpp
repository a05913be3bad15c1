#pragma once
// Table: rows of numbers of any type, in memory or in a mapped file, turned into floats or labels when they are read.

#include <minitrain/io/mapped_file.hpp>

#include <bit>
#include <memory>

namespace minitrain::inline MINITRAIN_ABI {

/// What the elements of a table are in memory; `boolean` is a byte, 0 or not.
enum class ElementType : std::uint8_t { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };

constexpr std::size_t size_of(ElementType type) noexcept {
  constexpr std::size_t sizes[] = {1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8};
  return sizes[static_cast<std::size_t>(type)];
}

/// N rows of `columns` elements; element (i, j) is the bytes at data + i·row_stride + j·column_stride, which need no
/// alignment, and stands for scale·x + offset, rounded once to float.
struct Table {
  const std::byte* data = nullptr;
  ElementType type = ElementType::f32;
  bool big_endian = false;
  std::uint64_t rows = 0;
  std::size_t columns = 0;
  std::uint64_t row_stride = 0, column_stride = 0;  // bytes
  float scale = 1, offset = 0;
  std::shared_ptr<const void> owner{};       // of the memory
  std::shared_ptr<const MappedFile> file{};  // the memory is part of it, where there is one

  /// Columns [first, first + count), over the same memory.
  Table column_range(std::size_t first, std::size_t count) const {
    Table result = *this;
    result.data += first * column_stride;
    result.columns = count;
    return result;
  }
};

namespace detail {

template <class T>
T element_at(const std::byte* at, bool big_endian) noexcept {
  std::array<std::byte, sizeof(T)> bytes;
  std::memcpy(bytes.data(), at, sizeof(T));
  if (big_endian) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<T>(bytes);
}

/// IEEE half precision, in its 16 bits.
struct Half {
  std::uint16_t bits;
  explicit operator double() const noexcept {
    const std::uint32_t sign = std::uint32_t{bits} >> 15 << 31, exponent = bits >> 10 & 31u, fraction = bits & 1023u;
    if (exponent == 0) {  // fraction · 2^-24, exact
      const double value = static_cast<double>(fraction) * 0x1p-24;
      return sign != 0 ? -value : value;
    }
    const std::uint32_t high = exponent == 31 ? 255u : exponent + 112;
    return static_cast<double>(std::bit_cast<float>(sign | high << 23 | fraction << 13));
  }
};
/// The upper half of a float.
struct Bfloat {
  std::uint16_t bits;
  explicit operator double() const noexcept {
    return static_cast<double>(std::bit_cast<float>(std::uint32_t{bits} << 16));
  }
};
/// A byte that is 0 or not.
struct Truth {
  std::uint8_t byte;
  explicit operator double() const noexcept { return byte != 0 ? 1 : 0; }
};

/// f(T{}) for the C++ type of the elements.
template <class F>
void with_element(ElementType type, F&& f) {
  switch (type) {
    case ElementType::boolean:
      return f(Truth{});
    case ElementType::u8:
      return f(std::uint8_t{});
    case ElementType::i8:
      return f(std::int8_t{});
    case ElementType::u16:
      return f(std::uint16_t{});
    case ElementType::i16:
      return f(std::int16_t{});
    case ElementType::u32:
      return f(std::uint32_t{});
    case ElementType::i32:
      return f(std::int32_t{});
    case ElementType::u64:
      return f(std::uint64_t{});
    case ElementType::i64:
      return f(std::int64_t{});
    case ElementType::f16:
      return f(Half{});
    case ElementType::bf16:
      return f(Bfloat{});
    case ElementType::f32:
      return f(float{});
    case ElementType::f64:
      return f(double{});
  }
}

/// Asks for the first lines of a row that is read soon; hardware notices the rest of a longer one by itself.
[[gnu::always_inline]] inline void prefetch_row(const std::byte* row, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < std::min<std::size_t>(bytes, 512); at += 64) __builtin_prefetch(row + at);
  if (bytes > 0) __builtin_prefetch(row + bytes - 1);
}

}  // namespace detail

/// out[i·stride + j] = element (rows[i], j), for every i and j; `stride` at least table.columns.
inline void read_rows(const Table& table, std::span<const std::uint64_t> rows, float* out, std::size_t stride) {
  constexpr std::size_t ahead = 8;  // rows; a row takes as long to come from memory as some eight to copy
  const std::size_t columns = table.columns, size = size_of(table.type);
  const bool packed = table.column_stride == size;
  const std::size_t row_bytes = packed ? columns * size : 0;
  const bool as_is =
      packed && table.type == ElementType::f32 && !table.big_endian && table.scale == 1 && table.offset == 0;
  detail::with_element(table.type, [&]<class T>(T) {
    const double scale = static_cast<double>(table.scale), offset = static_cast<double>(table.offset);
    for (std::size_t i = 0; i < rows.size(); ++i, out += stride) {
      const std::byte* const row = table.data + rows[i] * table.row_stride;
      if (i + ahead < rows.size()) detail::prefetch_row(table.data + rows[i + ahead] * table.row_stride, row_bytes);
      if (as_is) {
        std::memcpy(out, row, row_bytes);
      } else {
        for (std::size_t j = 0; j < columns; ++j) {
          const T x = detail::element_at<T>(row + j * table.column_stride, table.big_endian);
          out[j] = static_cast<float>(scale * static_cast<double>(x) + offset);
        }
      }
    }
  });
}

// Hints about rows first, first + 1, ..., first + count - 1, as Source has them.
namespace detail {

/// f(first byte, bytes) for the stretches of the file that the rows lie in.
template <class F>
void for_each_stretch(const Table& table, std::uint64_t first, std::uint64_t count, F&& f) {
  if (table.file == nullptr || count == 0 || table.columns == 0) return;
  const auto begin = static_cast<std::uint64_t>(table.data - table.file->bytes().data()) + first * table.row_stride;
  const std::uint64_t size = size_of(table.type), rows = (count - 1) * table.row_stride;
  if (table.row_stride >= table.columns * table.column_stride) {
    return f(begin, rows + (table.columns - 1) * table.column_stride + size);
  }
  for (std::size_t j = 0; j < table.columns; ++j) f(begin + j * table.column_stride, rows + size);  // column by column
}

}  // namespace detail

}  // namespace minitrain::inline MINITRAIN_ABI
