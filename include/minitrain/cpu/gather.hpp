#pragma once
// gather on the CPU: copies the rows of a batch out of a table, and fetches the rows of the next one into the cache.

#include <minitrain/core/rows.hpp>
#include <minitrain/cpu/device.hpp>

#include <cstring>

namespace minitrain::inline MINITRAIN_ABI::cpu {

/// scale·byte + offset, rounded once: the product is exact in double, and so is the sum unless one term is 2^21 times
/// the other.
inline float widen_byte(std::uint8_t byte, float scale, float offset) noexcept {
  return static_cast<float>(static_cast<double>(scale) * byte + static_cast<double>(offset));
}

}  // namespace minitrain::inline MINITRAIN_ABI::cpu

#define MINITRAIN_KERNELS <minitrain/cpu/gather.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

/// Asks for the first 512 bytes of each row; hardware notices the rest of a longer one by itself. Always inlined: g++
/// takes a function that does nothing but prefetch for one that does nothing.
template <class S>
MINITRAIN_INLINE_BASELINE void prefetch_rows(const S* table, std::size_t columns,
                                             std::span<const std::uint64_t> rows) noexcept {
  constexpr std::size_t line = 64;
  const std::size_t bytes = std::min(columns * sizeof(S), 8 * line);
  if (bytes <= line) {  // one or two lines
    for (const std::uint64_t row : rows) {
      const auto* const first = reinterpret_cast<const char*>(table + row * columns);
      __builtin_prefetch(first);
      __builtin_prefetch(first + bytes - 1);
    }
    return;
  }
  for (const std::uint64_t row : rows) {
    const auto* const first = reinterpret_cast<const char*>(table + row * columns);
    for (std::size_t at = 0; at + 1 < bytes; at += line) __builtin_prefetch(first + at);
    __builtin_prefetch(first + bytes - 1);
  }
}

/// Rows of more than four lines come from memory while some eight before them are copied: to ask for a whole batch of
/// them at once would push the first ones out of the cache again.
inline constexpr std::size_t rows_ahead = 8;
template <class S>
constexpr bool is_long_row(std::size_t columns) noexcept {
  return columns * sizeof(S) > 256;
}
template <class S>
MINITRAIN_INLINE_BASELINE void prefetch_ahead(const S* table, std::size_t columns, std::span<const std::uint64_t> rows,
                                              std::size_t i) noexcept {
  if (is_long_row<S>(columns) && i + rows_ahead < rows.size()) {
    prefetch_rows(table, columns, rows.subspan(i + rows_ahead, 1));
  }
}

/// Rows of Chunks·16 bytes or a little less: that many copies of 16 bytes, the last of which ends with the row and may
/// overlap the one before it. A row of 10 floats is three loads and three stores, with no loop and no call.
template <std::size_t Chunks, class T>
void copy_chunked_rows(const T* table, std::size_t columns, std::span<const std::uint64_t> rows, T* out) noexcept {
  constexpr std::size_t step = 16 / sizeof(T);
  const std::size_t last = columns - step;
  for (const std::uint64_t row : rows) {
    const T* const from = table + row * columns;
    for (std::size_t chunk = 0; chunk + 1 < Chunks; ++chunk) std::memcpy(out + chunk * step, from + chunk * step, 16);
    std::memcpy(out + last, from + last, 16);
    out += columns;
  }
}

/// out[i, :] = table[rows[i], :]
template <class T>
void copy_rows(const T* table, std::size_t columns, std::span<const std::uint64_t> rows, T* out) noexcept {
  const std::size_t bytes = columns * sizeof(T);
  if (bytes < 16) {
    for (const std::uint64_t row : rows) {
      for (std::size_t j = 0; j < columns; ++j) *out++ = table[row * columns + j];
    }
  } else if (bytes == 16) {
    copy_chunked_rows<1>(table, columns, rows, out);
  } else if (bytes <= 32) {
    copy_chunked_rows<2>(table, columns, rows, out);
  } else if (bytes <= 48) {
    copy_chunked_rows<3>(table, columns, rows, out);
  } else if (bytes <= 64) {
    copy_chunked_rows<4>(table, columns, rows, out);
  } else {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      prefetch_ahead(table, columns, rows, i);
      std::memcpy(out, table + rows[i] * columns, bytes);
      out += columns;
    }
  }
}

inline void widen_row(Isa isa, const std::uint8_t* row, std::size_t columns, float scale, float offset, float* out) {
  if (isa == Isa::baseline) return baseline::widen_bytes<baseline::Vec<float>>(row, columns, scale, offset, out);
  const LeaveVectors at_the_end;
  if (isa == Isa::avx2) return avx2::widen_bytes<avx2::Vec<float>>(row, columns, scale, offset, out);
  avx512::widen_bytes<avx512::Vec<float>>(row, columns, scale, offset, out);
}

/// The same arithmetic for other scalars: bytes widen through float, so that all scalars see the same data.
template <class T>
void widen_row(Isa, const std::uint8_t* row, std::size_t columns, float scale, float offset, T* out) {
  for (std::size_t j = 0; j < columns; ++j) out[j] = T(widen_byte(row[j], scale, offset));
}

template <class S, class T>
void gather_rows(Isa isa, const RowSource<S>& source, std::span<const std::uint64_t> rows, T* out) {
  const S* const table = source.table.data();
  const std::size_t columns = source.table.columns();
  if constexpr (std::is_same_v<S, T>) {
    copy_rows(table, columns, rows, out);
  } else {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      prefetch_ahead(table, columns, rows, i);
      const S* const row = table + rows[i] * columns;
      if constexpr (std::is_same_v<S, std::uint8_t>) {
        widen_row(isa, row, columns, source.scale, source.offset, out);
      } else {
        for (std::size_t j = 0; j < columns; ++j) out[j] = T(row[j]);
      }
      out += columns;
    }
  }
}

}  // namespace cpu

/// out[i, :] = source[rows[i], :], and a hint to the cache for the rows in `next`; see core/rows.hpp. A row is copied
/// by one thread, so threads change nothing but the time.
template <class S, class T>
void gather(const Cpu& device, const RowSource<S>& source, std::span<const std::uint64_t> rows,
            std::span<const std::uint64_t> next, const View<T>& out) {
  const std::size_t columns = source.table.columns();
  if (out.size() != rows.size() * columns || out.rows() != rows.size()) {
    throw ShapeError(ErrorCode::shape_mismatch, "gather: " + std::to_string(rows.size()) + " rows of " +
                                                    to_string(source.table.shape()) + " into " +
                                                    to_string(out.shape()) + ": give one row of the result to each");
  }
  if (columns == 0) return;
  const std::size_t bytes = out.size() * sizeof(T);
  device.parallel(rows.size(), 1, static_cast<double>(bytes), [&](std::size_t begin, std::size_t end) {
    cpu::gather_rows(device.isa(), source, rows.subspan(begin, end - begin), out.data() + begin * columns);
    if (begin < next.size()) {
      const std::size_t all = std::min(end, next.size()) - begin;
      const std::size_t count = cpu::is_long_row<S>(columns) ? std::min(all, cpu::rows_ahead) : all;
      cpu::prefetch_rows(source.table.data(), columns, next.subspan(begin, count));
    }
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI
