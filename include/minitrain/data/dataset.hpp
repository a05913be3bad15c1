#pragma once
// Dataset: rows of features with real targets or class labels; what everything in data/ makes or takes.

#include <minitrain/core/view.hpp>

#include <bit>
#include <charconv>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
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

}  // namespace detail

/// Rows of features with real targets [N, t] (regression), class labels [N] (classification) or no answers (to predict
/// only). A value: copies and subsets share the numbers, which never change; one moved from is empty.
/// `Dataset{{.samples = 3, .features = x, .targets = y}}` takes over vectors; regression(), classification() and
/// unlabelled() copy arrays and tensors.
class Dataset {
 public:
  /// No samples; to be assigned to.
  Dataset() = default;

  /// Throws DataError: empty_data without samples or features; count_mismatch when an array is not a whole number of
  /// columns for each sample; label_out_of_range; non_finite, unless told to keep it, and always for a finite double
  /// that does not fit a float.
  explicit Dataset(DatasetParts parts) {
    check_counts(parts);
    check_labels(parts);
    if (parts.non_finite == NonFinite::error) check_finite(parts);
    parts_ = std::make_shared<const DatasetParts>(std::move(parts));
    feature_columns_ = (parts_->features.size() + parts_->bytes.size()) / parts_->samples;
    target_columns_ = parts_->targets.size() / parts_->samples;
  }

  /// Features [N, columns], targets [N, t] or [N].
  static Dataset regression(View<const float> features, View<const float> targets, NonFinite policy = {}) {
    return make(features, targets, policy);
  }
  static Dataset regression(View<const double> features, View<const double> targets, NonFinite policy = {}) {
    return make(features, targets, policy);
  }
  /// Features [N, columns] without answers, for prediction.
  static Dataset unlabelled(View<const float> features, NonFinite policy = {}) { return make(features, policy); }
  static Dataset unlabelled(View<const double> features, NonFinite policy = {}) { return make(features, policy); }
  /// Features [N, columns], labels [N] from 0 to classes - 1.
  static Dataset classification(View<const float> features, std::span<const std::int32_t> labels, std::size_t classes,
                                NonFinite policy = {}) {
    return make(features, labels, classes, policy);
  }
  static Dataset classification(View<const double> features, std::span<const std::int32_t> labels, std::size_t classes,
                                NonFinite policy = {}) {
    return make(features, labels, classes, policy);
  }
  /// Bytes [N, columns], each standing for scale·byte + offset: images take a quarter of the memory.
  static Dataset classification(View<const std::uint8_t> bytes, std::span<const std::int32_t> labels,
                                std::size_t classes, float scale = 1, float offset = 0) {
    check_rows(bytes.rows(), labels.size(), "labels");
    return Dataset(DatasetParts{.samples = bytes.rows(),
                                .bytes = {bytes.begin(), bytes.end()},
                                .scale = scale,
                                .offset = offset,
                                .labels = {labels.begin(), labels.end()},
                                .classes = classes});
  }

  /// Number of samples.
  std::size_t size() const noexcept { return rows_ ? rows_->size() : parts_ ? parts_->samples : 0; }
  bool empty() const noexcept { return size() == 0; }
  std::size_t feature_columns() const noexcept { return parts_ ? feature_columns_ : 0; }
  /// Real targets per sample; 0 for classification and without answers.
  std::size_t target_columns() const noexcept { return parts_ ? target_columns_ : 0; }
  /// Number of classes; 0 for regression and without answers.
  std::size_t classes() const noexcept { return parts_ ? parts_->classes : 0; }
  bool is_classification() const noexcept { return classes() != 0; }
  /// Whether there are targets or labels to learn from.
  bool has_answers() const noexcept { return is_classification() || target_columns() != 0; }

  /// One number. Throws DataError (count_mismatch) for a sample or column that is not there.
  float feature(std::size_t sample, std::size_t column) const {
    const std::size_t at = index(sample, column, feature_columns_, "feature of");
    if (!parts_->features.empty()) return parts_->features[at];
    // The product is exact in double, so this rounds once, as gather() does.
    return static_cast<float>(static_cast<double>(parts_->scale) * parts_->bytes[at] +
                              static_cast<double>(parts_->offset));
  }
  float target(std::size_t sample, std::size_t column = 0) const {
    return parts_->targets[index(sample, column, target_columns_, "target of")];
  }
  std::int32_t label(std::size_t sample) const {
    return parts_->labels[index(sample, 0, is_classification() ? 1 : 0, "label of")];
  }

  /// The same samples in the order of `samples`, some perhaps left out or repeated; no number is copied. Throws
  /// DataError: empty_data for none, count_mismatch for a sample that is not there.
  Dataset subset(std::vector<std::uint64_t> samples) const {
    if (samples.empty()) throw DataError(ErrorCode::empty_data, "Dataset: a subset of no samples: name at least one");
    for (std::uint64_t& sample : samples) sample = index(sample, 0, 1, "subset with");
    Dataset result = *this;
    result.rows_ = std::make_shared<const std::vector<std::uint64_t>>(std::move(samples));
    return result;
  }

  /// The numbers as they lie in memory, shared by all subsets. Not for an empty Dataset.
  const DatasetParts& storage() const noexcept { return *parts_; }
  /// Bytes of the numbers in storage().
  std::size_t bytes() const noexcept {
    if (!parts_) return 0;
    return parts_->features.size() * sizeof(float) + parts_->bytes.size() + parts_->targets.size() * sizeof(float) +
           parts_->labels.size() * sizeof(std::int32_t);
  }
  /// Storage rows of the samples, in order; nothing when sample i is simply row i.
  std::span<const std::uint64_t> rows() const noexcept {
    return rows_ ? std::span<const std::uint64_t>(*rows_) : std::span<const std::uint64_t>();
  }
  /// Storage row of a sample < size().
  std::uint64_t row(std::uint64_t sample) const noexcept { return rows_ ? (*rows_)[sample] : sample; }

  /// By its bits, so that no compiler flag takes the question away.
  static bool is_finite(float x) noexcept { return (std::bit_cast<std::uint32_t>(x) & 0x7F800000) != 0x7F800000; }

 private:
  /// The shortest decimal that stands for it.
  template <class T>
  static std::string decimal(T value) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
  }

  /// Place of a number in its array.
  std::size_t index(std::size_t sample, std::size_t column, std::size_t columns, const char* what) const {
    if (sample >= size() || column >= columns) {
      std::string message = joined({"Dataset: ", what, " sample ", sample});
      if (sample >= size()) {
        message += joined({", but there are ", size(), ": count samples from 0"});
      } else if (columns == 0) {
        message += ", but samples have none";
      } else {
        message += joined({", column ", column, ", but there are ", columns, ": count columns from 0"});
      }
      throw DataError(ErrorCode::count_mismatch, message);
    }
    return row(sample) * columns + column;
  }

  static void check_rows(std::size_t samples, std::size_t others, const char* what) {
    if (samples == others) return;
    throw DataError(ErrorCode::count_mismatch,
                    {"Dataset: ", samples, " rows of features, but ", others, " ", what, ": give one to each row"});
  }

  template <class T>
  static Dataset make(View<const T> features, View<const T> targets, NonFinite policy) {
    check_rows(features.rows(), targets.rows(), "rows of targets");
    if (targets.empty() && targets.rows() != 0) {
      throw DataError(ErrorCode::empty_data, "Dataset: no targets: give at least one column, or take unlabelled()");
    }
    return Dataset(DatasetParts{.samples = features.rows(),
                                .features = floats(features, "feature"),
                                .targets = floats(targets, "target"),
                                .non_finite = policy});
  }
  template <class T>
  static Dataset make(View<const T> features, std::span<const std::int32_t> labels, std::size_t classes,
                      NonFinite policy) {
    check_rows(features.rows(), labels.size(), "labels");
    return Dataset(DatasetParts{.samples = features.rows(),
                                .features = floats(features, "feature"),
                                .labels = {labels.begin(), labels.end()},
                                .classes = classes,
                                .non_finite = policy});
  }

  template <class T>
  static Dataset make(View<const T> features, NonFinite policy) {
    return Dataset(
        DatasetParts{.samples = features.rows(), .features = floats(features, "feature"), .non_finite = policy});
  }

  static std::vector<float> floats(View<const float> values, const char*) { return {values.begin(), values.end()}; }
  /// Refuses a finite number that would become infinite.
  static std::vector<float> floats(View<const double> values, const char* what) {
    constexpr std::uint64_t exponent = 0x7FF0'0000'0000'0000;
    std::vector<float> result(values.begin(), values.end());
    for (std::size_t i = 0; i < result.size(); ++i) {
      if (is_finite(result[i]) || (std::bit_cast<std::uint64_t>(values.data()[i]) & exponent) == exponent) continue;
      throw DataError(ErrorCode::non_finite, {place(what, i, values.columns()), decimal(values.data()[i]),
                                              ", which does not fit a float: scale it to less than 3.4e38"});
    }
    return result;
  }
  static std::string place(const char* what, std::size_t i, std::size_t columns) {
    return joined({"Dataset: ", what, " ", i % columns, " of sample ", i / columns, " is "});
  }

  static void check_counts(const DatasetParts& parts) {
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

  static void check_labels(const DatasetParts& parts) {
    for (std::size_t i = 0; i < parts.labels.size(); ++i) {
      const std::int32_t label = parts.labels[i];
      if (label >= 0 && static_cast<std::size_t>(label) < parts.classes) continue;
      throw DataError(ErrorCode::label_out_of_range,
                      {"Dataset: sample ", i, " has ", detail::label_message(label, parts.classes)});
    }
  }

  static void check_finite(const DatasetParts& parts) {
    // The largest and the smallest feature that a byte can be.
    const double last = 255 * static_cast<double>(parts.scale) + static_cast<double>(parts.offset);
    if (!is_finite(parts.offset) || !is_finite(static_cast<float>(last))) {
      throw DataError(ErrorCode::non_finite,
                      {"Dataset: scale ", decimal(parts.scale), " and offset ", decimal(parts.offset),
                       ": scale * byte + offset must be a finite float for bytes to 255"});
    }
    const auto check_array = [&](const std::vector<float>& values, const char* what) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (is_finite(values[i])) continue;
        throw DataError(ErrorCode::non_finite, {place(what, i, values.size() / parts.samples), decimal(values[i]),
                                                ": remove or replace it, or ask for NonFinite::keep"});
      }
    };
    check_array(parts.features, "feature");
    check_array(parts.targets, "target");
  }

  std::shared_ptr<const DatasetParts> parts_;
  std::shared_ptr<const std::vector<std::uint64_t>> rows_;
  std::size_t feature_columns_ = 0;
  std::size_t target_columns_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI
