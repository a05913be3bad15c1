#pragma once
// fingerprint(): tells one data set from another.

#include <minitrain/data/dataset.hpp>
#include <minitrain/io/crc32c.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// "60000 x 784, 10 classes, 1a2b3c4d": the shape, and of data in memory the CRC32C of 16 of its samples, spread evenly
/// over the set. What is read from elsewhere is told by its shape alone, since reading may cost, or call functions.
inline std::string fingerprint(const Dataset& data) {
  const SampleShape shape = data.shape();
  std::string text = joined({data.size(), " x ", shape.feature_columns});
  if (shape.classes != 0) text += joined({", ", shape.classes, " classes"});
  if (shape.target_columns != 0) text += joined({", ", shape.target_columns, " targets"});
  if (!data.in_memory()) return text;
  constexpr std::uint64_t most = 16;
  const std::uint64_t count = std::min<std::uint64_t>(most, data.size());
  std::vector<float> features(shape.feature_columns), targets(shape.target_columns);
  std::int32_t label = 0;
  const SampleBuffers out{features.data(), targets.empty() ? nullptr : targets.data(),
                          shape.classes != 0 ? &label : nullptr};
  std::uint32_t crc = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t sample = i * data.size() / count;
    data.read({}, {&sample, 1}, out);
    crc = crc32c(std::as_bytes(std::span(features)), crc);
    crc = crc32c(std::as_bytes(std::span(targets)), crc);
    crc = crc32c(std::as_bytes(std::span(&label, 1)), crc);
  }
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", static_cast<unsigned>(crc));
  return text + ", " + digits;
}

}  // namespace minitrain::inline MINITRAIN_ABI
