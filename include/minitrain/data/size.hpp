#pragma once
// DataSize: how much a data set is, loaded or not.

#include <minitrain/data/dataset.hpp>
#include <minitrain/data/loading_options.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Enough to plan and to estimate a run. Of a Dataset, size_of(data); of one that is not loaded, written by hand:
///   DataSize{.samples = 1'000'000, .shape = {.feature_columns = 784, .classes = 10}, .feature_bytes = 1}
struct DataSize {
  std::uint64_t samples = 0;
  SampleShape shape{};
  std::uint64_t bytes = 0;  // of the numbers in memory, or of the files that they are read from; 0: of the samples
  bool in_memory = true;    // false: samples are read while they are used
  std::size_t feature_bytes = sizeof(float);  // of one feature: 1 where they are kept as bytes
  bool subset = false;                        // its rows are listed
  bool varies = false;                        // from epoch to epoch

  bool empty() const noexcept { return samples == 0; }
  /// Bytes of one sample, features and answers.
  std::uint64_t row_bytes() const noexcept {
    return shape.feature_columns * feature_bytes +
           (shape.classes != 0 ? sizeof(std::int32_t) : shape.target_columns * sizeof(float));
  }
  /// Bytes of the numbers in memory.
  std::uint64_t memory_bytes() const noexcept { return !in_memory ? 0 : bytes != 0 ? bytes : samples_bytes(); }
  /// Bytes of the samples, wherever they are.
  std::uint64_t samples_bytes() const noexcept {
    const double product = static_cast<double>(samples) * static_cast<double>(row_bytes());
    return product < 0x1p62 ? samples * row_bytes() : std::uint64_t{1} << 62;
  }
  /// Whether what is read may be read once, into memory, for a device that keeps it: it stays the same, it fits into
  /// host memory, and neither workers nor an order by blocks are asked for, or needed.
  bool may_be_read_at_once(const LoadingOptions& loading) const {
    return !in_memory && !varies && !loading.workers && loading.mixing != Mixing::blocks && bytes <= loading.limit() &&
           samples_bytes() <= loading.limit();
  }
  /// Bytes of the files that an epoch reads.
  std::uint64_t file_bytes() const noexcept { return in_memory ? 0 : bytes; }
  /// Arrays that a sample is in: its features, and its answer if it has one.
  std::uint64_t arrays() const noexcept { return shape.classes != 0 || shape.target_columns != 0 ? 2 : 1; }
};

inline DataSize size_of(const Dataset& data) {
  return {.samples = data.size(),
          .shape = data.shape(),
          .bytes = data.bytes(),
          .in_memory = data.in_memory() || data.empty(),
          .feature_bytes = data.in_memory() && !data.storage().bytes.empty() ? 1 : sizeof(float),
          .subset = !data.rows().empty(),
          .varies = !data.in_memory() && !data.empty() && data.source()->varies()};
}

}  // namespace minitrain::inline MINITRAIN_ABI
