#pragma once
// Cuda::RowStream: rows of a table that stays in host memory, on their way to the GPU.

#include <minitrain/cuda/device.hpp>

#include <memory>
#include <span>

namespace minitrain::inline MINITRAIN_ABI {

/// For data sets that do not fit into the GPU's memory. Two pieces of pinned memory and two on the GPU take turns, and
/// a stream of copies of its own: while the GPU computes on one batch, the next is on its way, and the host collects
/// the rows of the one after.
class Cuda::RowStream {
 public:
  explicit RowStream(const Cuda& device);
  RowStream(RowStream&&) noexcept;
  RowStream& operator=(RowStream&&) noexcept;
  ~RowStream();

  /// Whether a data set of so many bytes is to be kept on the GPU: it takes at most four fifths of what is free.
  static constexpr bool keeps_resident(std::size_t bytes, std::size_t free) noexcept { return bytes <= free / 5 * 4; }

  /// The named rows of `table` [N, columns] as a table on the GPU [rows.size(), columns], there for what is queued
  /// until the next call.
  template <class S>
  View<const S, Cuda> stage(const Cuda& device, const View<const S>& table, std::span<const std::uint64_t> rows) {
    const void* const staged = stage_bytes(device, table.data(), table.columns() * sizeof(S), rows);
    return {static_cast<const S*>(staged), Shape::matrix(rows.size(), table.columns())};
  }
  /// `count` elements in pinned memory (PinnedMemory), copied as they are, on the GPU likewise. They must stay as they
  /// are until the next wait().
  template <class S>
  const S* stage(const Cuda& device, const S* pinned, std::size_t count) {
    return static_cast<const S*>(stage_pinned(device, pinned, count * sizeof(S)));
  }
  /// Waits until what was staged last has left the host's memory.
  void wait();

 private:
  const void* stage_pinned(const Cuda& device, const void* pinned, std::size_t bytes);
  const void* stage_bytes(const Cuda& device, const void* table, std::size_t row_bytes,
                          std::span<const std::uint64_t> rows);

  struct State;
  std::unique_ptr<State> state_;
};

/// Host memory that the GPU copies from by itself, while the host goes on.
class Cuda::PinnedMemory {
 public:
  /// Throws DeviceError (out_of_memory).
  PinnedMemory(const Cuda& device, std::size_t bytes);
  PinnedMemory(PinnedMemory&& other) noexcept;
  PinnedMemory& operator=(PinnedMemory&& other) noexcept;
  ~PinnedMemory();
  void* data() const noexcept { return data_; }

 private:
  std::shared_ptr<Context> context_;
  void* data_ = nullptr;
};

/// The same for what is free now.
bool keeps_resident(const Cuda& device, std::size_t bytes);

}  // namespace minitrain::inline MINITRAIN_ABI
