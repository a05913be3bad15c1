#pragma once
// read_all: a data set in memory, wherever it was.

#include <minitrain/data/dataset.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// The same samples in memory, as floats; what is in memory already is not copied. Throws what reading them throws, and
/// DataError (overflow) for more than 2^62 bytes. Samples that vary are those of epoch 0.
inline Dataset read_all(const Dataset& data) {
  if (data.empty() || data.in_memory()) return data;
  const SampleShape shape = data.shape();
  if (data.size() > (std::uint64_t{1} << 62) / data.sample_bytes()) {
    throw DataError(ErrorCode::overflow, {"read_all: ", data.size(), " samples of ", data.sample_bytes(),
                                          " bytes do not fit into memory: take() some of them"});
  }
  DatasetParts parts{.samples = data.size(), .classes = shape.classes, .non_finite = NonFinite::keep};
  parts.features.resize(data.size() * shape.feature_columns);
  parts.targets.resize(data.size() * shape.target_columns);
  parts.labels.resize(shape.classes != 0 ? data.size() : 0);
  SampleBuffers out{.features = parts.features.data()};
  if (shape.target_columns != 0) out.targets = parts.targets.data();
  if (shape.classes != 0) out.labels = parts.labels.data();
  detail::read_in_order(data, 1024, out, [&](const auto& samples) { detail::advance(out, shape, samples.size()); });
  return Dataset(std::move(parts));
}

}  // namespace minitrain::inline MINITRAIN_ABI
