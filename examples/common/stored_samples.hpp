#pragma once
// StoredSamples: the same samples as floats and as bytes in memory, and in a file.

#include <minitrain/data/row_file.hpp>
#include <minitrain/data/synthetic.hpp>

#include "samples.hpp"
#include "temporary_file.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

namespace examples {

enum StorageKind : std::size_t { floats, bytes, streamed };
inline const std::vector<std::string> storage_kinds{"float32, resident", "uint8, resident", "float32, streamed"};

/// Whether a sample is made of bytes.
inline bool has_bytes(const minitrain::Dataset& data) { return !data.storage().bytes.empty(); }

/// The first N samples as they are, bytes or floats; as the same numbers in floats; and a file of the latter.
struct StoredSamples {
  minitrain::Dataset as_they_are, as_floats, from_file;
  TemporaryFile file;

  StoredSamples(const minitrain::Dataset& all, std::size_t samples) : as_they_are(copy_of_first(all, samples)) {
    as_floats = has_bytes(all) ? in_floats(as_they_are) : as_they_are;
    minitrain::write_row_file(file.path(), as_floats);
    from_file = minitrain::open_row_file(file.path());
  }
  const minitrain::Dataset& of(std::size_t kind) const {
    return kind == bytes ? as_they_are : kind == floats ? as_floats : from_file;
  }

 private:
  static minitrain::Dataset in_floats(const minitrain::Dataset& data) {
    std::vector<float> numbers(data.size() * data.feature_columns());
    std::vector<std::uint64_t> rows(data.size());
    std::iota(rows.begin(), rows.end(), std::uint64_t{0});
    data.read({}, rows, {.features = numbers.data()});
    const minitrain::DatasetParts& parts = data.storage();
    return minitrain::Dataset({.samples = data.size(),
                               .features = std::move(numbers),
                               .targets = parts.targets,
                               .labels = parts.labels,
                               .classes = parts.classes});
  }
};

/// Bytes of 784 numbers between 0 and 255, where there are no images.
inline minitrain::Dataset synthetic_images(std::size_t samples) {
  const minitrain::Dataset numbers =
      minitrain::synthetic_classification({.samples = samples, .features = 784, .classes = 10, .seed = 1});
  std::vector<std::uint8_t> pixels;
  for (const float x : numbers.storage().features) {
    pixels.push_back(static_cast<std::uint8_t>(std::clamp(128 + 32 * x, 0.0f, 255.0f)));
  }
  const minitrain::View<const std::uint8_t> view(pixels.data(), minitrain::Shape{samples, 784});
  return minitrain::Dataset::classification(view, numbers.storage().labels, 10, 1 / 255.0f);
}

}  // namespace examples
