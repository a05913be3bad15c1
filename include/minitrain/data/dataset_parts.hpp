#pragma once
// DatasetParts: the numbers of a data set in memory, and what may be wrong with them.

#include <minitrain/data/source.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// What to do about NaN and infinity in data: refuse it, naming the first, or keep it.
enum class NonFinite { error, keep };

/// What a Dataset is made of: `samples` rows of either `features` or `bytes`, and one of three kinds of answers:
/// `labels` when `classes` is not 0, else `targets`, or neither, for data to predict only. All row after row.
struct DatasetParts {
  std::size_t samples = 0;
  std::vector<float> features = {};      // [samples, columns], or
  std::vector<std::uint8_t> bytes = {};  // [samples, columns], each standing for scale·byte + offset
  float scale = 1;
  float offset = 0;
  std::vector<float> targets = {};        // [samples, columns], or
  std::vector<std::int32_t> labels = {};  // [samples], from 0 to classes - 1
  std::size_t classes = 0;                // 0: regression, or no answers
  NonFinite non_finite = NonFinite::error;
};

namespace detail {

/// What is wrong with a label outside of 0 to classes - 1.
inline std::string label_message(std::int64_t label, std::size_t classes) {
  return "label " + std::to_string(label) + ", but with " + std::to_string(classes) + " classes labels are 0 to " +
         std::to_string(classes - 1) +
         (label == -1 && classes == 2 ? ": write 0 and 1 for -1 and 1"
                                      : ": number the classes from 0, or give the right number of classes");
}

/// By its bits, so that no compiler flag takes the question away.
inline bool is_finite(float x) noexcept { return (std::bit_cast<std::uint32_t>(x) & 0x7F800000) != 0x7F800000; }

/// The same of many, two at a time: one added to an exponent of ones carries into the place of the sign.
inline bool all_finite(const float* values, std::size_t size) noexcept {
  std::uint64_t carries = 0;
  std::size_t i = 0;
  for (; i + 2 <= size; i += 2) {
    std::uint64_t two = 0;
    std::memcpy(&two, values + i, sizeof two);
    carries |= (two & 0x7F80'0000'7F80'0000) + 0x0080'0000'0080'0000;
  }
  return (carries & 0x8000'0000'8000'0000) == 0 && (i == size || is_finite(values[i]));
}

/// The shortest decimal that stands for it.
template <class T>
std::string decimal(T value) {
  if (value != value) return "nan";  // of either sign
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

inline void check_rows(std::size_t samples, std::size_t others, const char* what) {
  if (samples == others) return;
  throw DataError(ErrorCode::count_mismatch,
                  {"Dataset: ", samples, " rows of features, but ", others, " ", what, ": give one to each row"});
}

inline std::string place(const char* who, const char* what, std::size_t column, std::uint64_t sample) {
  return joined({who, ": ", what, " ", column, " of sample ", sample, " is "});
}

/// Throws DataError for the first of these rows of numbers that is not finite; row i is sample samples[i], or i where
/// there is no list.
inline void check_finite(const char* who, const char* what, std::span<const float> values, std::size_t columns,
                         const std::uint64_t* samples, const char* advice) {
  if (all_finite(values.data(), values.size())) return;
  const auto at = static_cast<std::size_t>(std::find_if_not(values.begin(), values.end(), is_finite) - values.begin());
  const std::uint64_t row = at / columns;
  throw DataError(ErrorCode::non_finite, {place(who, what, at % columns, samples != nullptr ? samples[row] : row),
                                          decimal(values[at]), ": ", advice});
}
constexpr const char* or_keep = "remove or replace it, or ask for NonFinite::keep";

/// Copies of values, as floats. Refuses a finite number that would become infinite.
inline std::vector<float> floats(const float* values, std::size_t size, std::size_t, const char*) {
  return {values, values + size};
}
inline std::vector<float> floats(const double* values, std::size_t size, std::size_t columns, const char* what) {
  constexpr std::uint64_t exponent = 0x7FF0'0000'0000'0000;
  std::vector<float> result(values, values + size);
  for (std::size_t i = 0; i < size; ++i) {
    if (is_finite(result[i]) || (std::bit_cast<std::uint64_t>(values[i]) & exponent) == exponent) continue;
    throw DataError(ErrorCode::non_finite, {place("Dataset", what, i % columns, i / columns), decimal(values[i]),
                                            ", which does not fit a float: scale it to less than 3.4e38"});
  }
  return result;
}

constexpr std::size_t most_columns = std::size_t{1} << 40;  // of a sample, so that no product of sizes overflows
constexpr std::size_t most_classes = std::size_t{1} << 31;  // as many as there are labels

/// Throws DataError (bad_shape) for samples of more columns, or classes, than there can be.
inline void check_shape(const SampleShape& shape) {
  if (shape.feature_columns > most_columns || shape.target_columns > most_columns - shape.feature_columns) {
    throw DataError(ErrorCode::bad_shape, {"Dataset: samples of ", shape.feature_columns, " features and ",
                                           shape.target_columns, " targets: ask for at most ", most_columns});
  }
  if (shape.classes <= most_classes) return;
  throw DataError(ErrorCode::bad_shape,
                  {"Dataset: labels of ", shape.classes, " classes: ask for at most ", most_classes});
}

inline void check_counts(const DatasetParts& parts) {
  const auto check_array = [&](std::size_t size, const char* what) {
    if (size % parts.samples == 0) return;
    throw DataError(ErrorCode::count_mismatch, {"Dataset: ", size, " ", what, " for ", parts.samples,
                                                " samples: give the same number to each sample"});
  };
  const auto refuse = [](ErrorCode code, const char* message) { throw DataError(code, message); };
  if (parts.samples == 0 && !(parts.features.empty() && parts.bytes.empty())) {
    refuse(ErrorCode::empty_data, "Dataset: features, but .samples is 0: set .samples to the number of rows");
  }
  if (parts.samples == 0) refuse(ErrorCode::empty_data, "Dataset: no samples: give at least one");
  if (parts.features.empty() && parts.bytes.empty()) {
    refuse(ErrorCode::empty_data, "Dataset: no features: give at least one column");
  }
  if (!parts.features.empty() && !parts.bytes.empty()) {
    refuse(ErrorCode::count_mismatch, "Dataset: features both as floats and as bytes: give one of them");
  }
  check_array(parts.features.size() + parts.bytes.size(), "features");
  if (parts.classes != 0) {
    if (!parts.targets.empty()) {
      refuse(ErrorCode::count_mismatch, "Dataset: classes and real targets: give labels, or classes = 0");
    }
    check_rows(parts.samples, parts.labels.size(), "labels");
  } else {
    if (!parts.labels.empty()) {
      refuse(ErrorCode::count_mismatch, "Dataset: labels, but no number of classes: set classes");
    }
    check_array(parts.targets.size(), "targets");
  }
}

inline void check_labels(const DatasetParts& parts) {
  for (std::size_t i = 0; i < parts.labels.size(); ++i) {
    const std::int32_t label = parts.labels[i];
    if (label >= 0 && static_cast<std::size_t>(label) < parts.classes) continue;
    throw DataError(ErrorCode::label_out_of_range,
                    {"Dataset: sample ", i, " has ", detail::label_message(label, parts.classes)});
  }
}

inline void check_finite(const DatasetParts& parts) {
  // The largest and the smallest feature that a byte can be.
  const double last = 255 * static_cast<double>(parts.scale) + static_cast<double>(parts.offset);
  if (!is_finite(parts.offset) || !is_finite(static_cast<float>(last))) {
    throw DataError(ErrorCode::non_finite,
                    {"Dataset: scale ", decimal(parts.scale), " and offset ", decimal(parts.offset),
                     ": scale * byte + offset must be a finite float for bytes to 255"});
  }
  check_finite("Dataset", "feature", parts.features, parts.features.size() / parts.samples, nullptr, or_keep);
  check_finite("Dataset", "target", parts.targets, parts.targets.size() / parts.samples, nullptr, or_keep);
}

/// Row i of the buffers becomes row rows[i] of the parts.
inline void read_parts(const DatasetParts& parts, const SampleShape& shape, std::span<const std::uint64_t> rows,
                       const SampleBuffers& out) {
  const auto copy = [&](const auto& values, std::size_t columns, auto* to) {
    if (to == nullptr || values.empty()) return;
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::copy_n(values.data() + rows[i] * columns, columns, to + i * columns);
  };
  copy(parts.features, shape.feature_columns, out.features);
  copy(parts.targets, shape.target_columns, out.targets);
  copy(parts.labels, 1, out.labels);
  if (parts.bytes.empty() || out.features == nullptr) return;
  std::array<float, 256> values;
  for (std::size_t byte = 0; byte < values.size(); ++byte) {
    values[byte] = static_cast<float>(static_cast<double>(parts.scale) * static_cast<double>(byte) +
                                      static_cast<double>(parts.offset));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::uint8_t* const row = parts.bytes.data() + rows[i] * shape.feature_columns;
    for (std::size_t j = 0; j < shape.feature_columns; ++j)
      out.features[i * shape.feature_columns + j] = values[row[j]];
  }
}

/// Throws DataError: empty_data without samples or features; count_mismatch when an array is not a whole number of
/// columns for each sample; label_out_of_range; non_finite, unless told to keep it.
inline void check_parts(const DatasetParts& parts) {
  check_counts(parts);
  check_labels(parts);
  if (parts.non_finite == NonFinite::error) check_finite(parts);
}

}  // namespace detail

}  // namespace minitrain::inline MINITRAIN_ABI
