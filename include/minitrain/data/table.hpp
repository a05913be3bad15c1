#pragma once
// Table: rows of numbers of any type, in memory or in a mapped file, turned into floats or labels when they are read.

#include <minitrain/io/mapped_file.hpp>

#include <algorithm>
#include <array>
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
/// alignment, and stands for scale·x + offset, computed in double and rounded to float; for x itself, rounded once,
/// where scale is 1 and offset 0.
struct Table {
  const std::byte* data = nullptr;
  ElementType type = ElementType::f32;
  bool big_endian = false;
  std::uint64_t rows = 0;
  std::size_t columns = 0;
  std::uint64_t row_stride = 0, column_stride = 0;  // bytes
  float scale = 1, offset = 0;
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

/// f(row, out + i·stride) for row i of those named, while the next ones are on their way from memory.
template <class F>
[[gnu::always_inline]] inline void for_each_row(const Table& table, std::span<const std::uint64_t> rows, float* out,
                                                std::size_t stride, F&& f) {
  constexpr std::size_t ahead = 8;  // rows; a row takes as long to come from memory as some eight to copy
  const std::size_t size = size_of(table.type), bytes = table.column_stride == size ? table.columns * size : 0;
  for (std::size_t i = 0; i < rows.size(); ++i, out += stride) {
    if (i + ahead < rows.size()) prefetch_row(table.data + rows[i + ahead] * table.row_stride, bytes);
    f(table.data + rows[i] * table.row_stride, out);
  }
}

/// Rows of floats as they are. Short ones are Chunks copies of 16 bytes, the last of which ends with the row and may
/// overlap the one before it: a row of 10 floats is three loads and three stores, with no call.
template <std::size_t Chunks>
void copy_short_rows(const Table& table, std::span<const std::uint64_t> rows, float* out, std::size_t stride) {
  const std::size_t last = table.columns - 4;
  for_each_row(table, rows, out, stride, [last](const std::byte* row, float* to) {
    for (std::size_t j = 0; j + 4 < 4 * Chunks; j += 4) std::memcpy(to + j, row + j * sizeof(float), 16);
    std::memcpy(to + last, row + last * sizeof(float), 16);
  });
}
inline void copy_rows(const Table& table, std::span<const std::uint64_t> rows, float* out, std::size_t stride) {
  const std::size_t columns = table.columns;
  if (columns < 4) {
    return for_each_row(table, rows, out, stride, [columns](const std::byte* row, float* to) {
      for (std::size_t j = 0; j < columns; ++j) std::memcpy(to + j, row + j * sizeof(float), sizeof(float));
    });
  }
  if (columns > 16) {
    return for_each_row(table, rows, out, stride,
                        [columns](const std::byte* row, float* to) { std::memcpy(to, row, columns * sizeof(float)); });
  }
  constexpr auto copy = std::array{copy_short_rows<1>, copy_short_rows<2>, copy_short_rows<3>, copy_short_rows<4>};
  copy[(columns - 1) / 4](table, rows, out, stride);
}

/// x as a float, rounded once.
template <class T>
float rounded(T x) noexcept {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<float>(x);
  } else {
    return static_cast<float>(static_cast<double>(x));
  }
}

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

/// f(file, first byte, bytes) for those of two tables: of both at once where the rows of a file have them side by side.
template <class F>
void for_each_stretch(const Table& a, const Table& b, std::uint64_t first, std::uint64_t count, F&& f) {
  const auto pass = [&](const Table& table) {
    for_each_stretch(table, first, count, [&](auto at, auto bytes) { f(*table.file, at, bytes); });
  };
  Table both = a;
  both.columns += b.columns;
  const bool adjacent = b.file == a.file && b.data == a.data + a.columns * a.column_stride && b.type == a.type &&
                        b.row_stride == a.row_stride && b.column_stride == a.column_stride;
  adjacent ? pass(both) : (pass(a), pass(b));
}

}  // namespace detail

/// out[i·stride + j] = element (rows[i], j), for every i and j; `stride` at least table.columns.
inline void read_rows(const Table& table, std::span<const std::uint64_t> rows, float* out, std::size_t stride) {
  const std::size_t columns = table.columns, step = table.column_stride;
  const bool as_is = table.scale == 1 && table.offset == 0, big_endian = table.big_endian;
  if (as_is && table.type == ElementType::f32 && !big_endian && step == sizeof(float)) {
    return detail::copy_rows(table, rows, out, stride);
  }
  detail::with_element(table.type, [&]<class T>(T) {
    const auto number = [=, scale = static_cast<double>(table.scale),
                         offset = static_cast<double>(table.offset)](const std::byte* at) {
      const T x = detail::element_at<T>(at, big_endian);
      return as_is ? detail::rounded(x) : static_cast<float>(scale * static_cast<double>(x) + offset);
    };
    if (sizeof(T) == 1 && step == 1 && rows.size() * columns >= 256) {  // each of the 256 bytes is worked out once
      std::array<float, 256> values;
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto byte = static_cast<std::byte>(i);
        values[i] = number(&byte);
      }
      return detail::for_each_row(table, rows, out, stride, [&](const std::byte* row, float* to) {
        const auto value = [&](std::size_t j) { return values[std::to_integer<std::size_t>(row[j])]; };
        std::size_t j = 0;
        for (; j + 4 <= columns; j += 4) {
          const std::array four{value(j), value(j + 1), value(j + 2), value(j + 3)};
          std::memcpy(to + j, four.data(), sizeof four);
        }
        for (; j < columns; ++j) to[j] = value(j);
      });
    }
    detail::for_each_row(table, rows, out, stride, [&](const std::byte* row, float* to) {
      for (std::size_t j = 0; j < columns; ++j) to[j] = number(row + j * step);
    });
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI
