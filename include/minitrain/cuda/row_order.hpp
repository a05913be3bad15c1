#pragma once
// Cuda::RowOrder: which rows of a data set an epoch visits, on the GPU.

#include <minitrain/core/permutation.hpp>
#include <minitrain/cuda/device.hpp>

#include <optional>
#include <span>

namespace minitrain::inline MINITRAIN_ABI {

namespace cuda {

/// Positions first, first + 1, ..., first + count - 1 of an order.
struct Rows {
  const std::uint64_t* order = nullptr;  // on the GPU: the row at position i is order[i]; null: it is i
  std::uint64_t first = 0;
  std::size_t count = 0;
};

}  // namespace cuda

/// The rows of a whole epoch, so that no step waits for the host to name its own. 8 bytes per sample, or none for
/// samples in the order in which they are stored.
class Cuda::RowOrder {
 public:
  using Rows = cuda::Rows;

  /// Of the samples at storage rows `rows`; nothing: sample i is row i.
  RowOrder(const Cuda& device, std::size_t samples, std::span<const std::uint64_t> rows, bool shuffles);

  /// From now on, sample permutation(i) is at position i; or, without one, sample i.
  void fill(const Cuda& device, const std::optional<Permutation>& permutation);
  Rows rows(std::uint64_t first, std::size_t count) const noexcept {
    return {order_.empty() ? storage_.data() : order_.data(), first, count};
  }

 private:
  Tensor<std::uint64_t, Cuda> storage_, order_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
