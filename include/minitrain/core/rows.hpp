#pragma once
// RowSource: a table that batches are gathered from.

#include <minitrain/core/view.hpp>

#include <cstdint>
#include <span>

namespace minitrain::inline MINITRAIN_ABI {

/// Rows [N, columns] of elements S (float, std::uint8_t, std::int32_t) on a device, owned by somebody else. The value
/// of an element is itself, and of a byte scale·byte + offset, rounded once to float. A device answers
///
///   gather(device, source, rows, next, out)        out[i, :] = source[rows[i], :], out [rows.size(), columns]
///
/// where `rows` and `next` are std::span<const std::uint64_t> in host memory, all below N. `next` is a hint: the rows
/// that the next call will ask for, or nothing. Throws ShapeError when `out` has another shape. A device that keeps the
/// order of an epoch itself (Device::RowOrder, see cuda/row_order.hpp) takes a stretch of it in place of the two.
template <class S, class Device = Cpu>
struct RowSource {
  View<const S, Device> table;
  float scale = 1;
  float offset = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI
