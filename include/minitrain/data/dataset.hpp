#pragma once
// Dataset: samples, wherever they come from; what everything in data/ makes or takes.

#include <minitrain/core/view.hpp>
#include <minitrain/data/dataset_parts.hpp>
#include <minitrain/data/source.hpp>

#include <memory>
#include <span>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

/// Rows of features with real targets [N, t] (regression), class labels [N] (classification) or no answers (to predict
/// only). A value: copies and subsets share the numbers, which never change; one moved from is empty.
/// `Dataset{{.samples = 3, .features = x, .targets = y}}` takes over vectors; regression(), classification() and
/// unlabelled() copy arrays and tensors. Others are read from a Source while they are used: mapped files
/// (data/npy.hpp, idx.hpp, row_file.hpp), functions (data/generated.hpp), transforms of other sets.
class Dataset {
 public:
  /// No samples; to be assigned to.
  Dataset() = default;

  /// Throws DataError: empty_data without samples or features; count_mismatch when an array is not a whole number of
  /// columns for each sample; label_out_of_range; non_finite, unless told to keep it, and always for a finite double
  /// that does not fit a float.
  explicit Dataset(DatasetParts parts) {
    detail::check_parts(parts);
    parts_ = std::make_shared<const DatasetParts>(std::move(parts));
    shape_ = {(parts_->features.size() + parts_->bytes.size()) / parts_->samples,
              parts_->targets.size() / parts_->samples, parts_->classes};
  }
  /// Samples that are read when they are wanted. Throws DataError: empty_data without samples or features; bad_shape
  /// for more than 2^40 columns or 2^31 classes.
  explicit Dataset(std::shared_ptr<const Source> source) : source_(std::move(source)), shape_(source_->shape()) {
    if (source_->size() == 0) throw DataError(ErrorCode::empty_data, "Dataset: no samples: give at least one");
    if (shape_.feature_columns == 0) {
      throw DataError(ErrorCode::empty_data, "Dataset: no features: give at least one column");
    }
    detail::check_shape(shape_);
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
    detail::check_rows(bytes.rows(), labels.size(), "labels");
    return Dataset(DatasetParts{.samples = bytes.rows(),
                                .bytes = {bytes.begin(), bytes.end()},
                                .scale = scale,
                                .offset = offset,
                                .labels = {labels.begin(), labels.end()},
                                .classes = classes});
  }

  /// Number of samples.
  std::size_t size() const noexcept {
    return rows_ ? rows_->size() : parts_ ? parts_->samples : source_ ? source_->size() : 0;
  }
  bool empty() const noexcept { return size() == 0; }
  /// What a sample is made of.
  SampleShape shape() const noexcept { return empty() ? SampleShape{} : shape_; }
  std::size_t feature_columns() const noexcept { return shape().feature_columns; }
  /// Real targets per sample; 0 for classification and without answers.
  std::size_t target_columns() const noexcept { return shape().target_columns; }
  /// Number of classes; 0 for regression and without answers.
  std::size_t classes() const noexcept { return shape().classes; }
  bool is_classification() const noexcept { return classes() != 0; }
  /// Whether there are targets or labels to learn from.
  bool has_answers() const noexcept { return is_classification() || target_columns() != 0; }

  /// One number. Throws DataError (count_mismatch) for a sample or column that is not there. Reads a whole sample where
  /// the numbers are not in memory.
  float feature(std::size_t sample, std::size_t column) const {
    const std::size_t at = index(sample, column, feature_columns(), "feature of");
    if (!parts_) return read_one(&SampleBuffers::features, sample, feature_columns(), column);
    if (!parts_->features.empty()) return parts_->features[at];
    // The product is exact in double, so this rounds once, as gather() does.
    return static_cast<float>(static_cast<double>(parts_->scale) * parts_->bytes[at] +
                              static_cast<double>(parts_->offset));
  }
  float target(std::size_t sample, std::size_t column = 0) const {
    const std::size_t at = index(sample, column, target_columns(), "target of");
    return parts_ ? parts_->targets[at] : read_one(&SampleBuffers::targets, sample, target_columns(), column);
  }
  std::int32_t label(std::size_t sample) const {
    const std::size_t at = index(sample, 0, is_classification() ? 1 : 0, "label of");
    return parts_ ? parts_->labels[at] : read_one(&SampleBuffers::labels, sample, 1, 0);
  }
  /// Row i of the buffers becomes sample samples[i], all below size(). Several threads may read at a time.
  void read(const Reading& reading, std::span<const std::uint64_t> samples, const SampleBuffers& out) const {
    const auto read = [this](const Reading& inner, std::span<const std::uint64_t> rows, const SampleBuffers& at) {
      parts_ ? detail::read_parts(*parts_, shape_, rows, at) : source_->read(inner, rows, at);
    };
    if (!rows_) return read(reading, samples, out);
    detail::read_renumbered(
        shape_, reading, samples, out, [this](std::uint64_t sample) { return (*rows_)[sample]; }, read);
  }

  /// The same samples in the order of `samples`, some perhaps left out or repeated; no number is copied. Throws
  /// DataError: empty_data for none, count_mismatch for a sample that is not there.
  Dataset subset(std::vector<std::uint64_t> samples) const {
    if (samples.empty()) throw DataError(ErrorCode::empty_data, "Dataset: a subset of no samples: name at least one");
    for (std::uint64_t& sample : samples) {
      index(sample, 0, 1, "subset with");
      sample = row(sample);
    }
    Dataset result = *this;
    result.rows_ = std::make_shared<const std::vector<std::uint64_t>>(std::move(samples));
    return result;
  }

  /// Whether the numbers are all in memory, in storage().
  bool in_memory() const noexcept { return parts_ != nullptr; }
  /// The numbers as they lie in memory, shared by all subsets. Only where there are some.
  const DatasetParts& storage() const noexcept { return *parts_; }
  /// Where the samples are read from; null where they are in memory.
  const std::shared_ptr<const Source>& source() const noexcept { return source_; }
  /// Bytes of the numbers in storage(), or of the files behind these samples: of a part of a file its share.
  std::uint64_t bytes() const noexcept {
    if (source_) return detail::share_of(source_->file_bytes(), size(), source_->size());
    if (!parts_) return 0;
    return parts_->features.size() * sizeof(float) + parts_->bytes.size() + parts_->targets.size() * sizeof(float) +
           parts_->labels.size() * sizeof(std::int32_t);
  }
  /// Bytes that one sample takes as floats and label.
  std::size_t sample_bytes() const noexcept {
    return (feature_columns() + target_columns()) * sizeof(float) + (is_classification() ? sizeof(std::int32_t) : 0);
  }
  /// Rows of the storage or of the source, in order; nothing when sample i is simply row i.
  std::span<const std::uint64_t> rows() const noexcept {
    return rows_ ? std::span<const std::uint64_t>(*rows_) : std::span<const std::uint64_t>();
  }
  /// Row of a sample < size().
  std::uint64_t row(std::uint64_t sample) const noexcept { return rows_ ? (*rows_)[sample] : sample; }

 private:
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

  /// One number of a sample that is read for it.
  template <class Number>
  Number read_one(Number* SampleBuffers::*buffer, std::uint64_t sample, std::size_t columns, std::size_t column) const {
    std::vector<Number> values(columns);
    SampleBuffers out;
    out.*buffer = values.data();
    read({}, {&sample, 1}, out);
    return values[column];
  }

  template <class T>
  static Dataset make(View<const T> features, View<const T> targets, NonFinite policy) {
    detail::check_rows(features.rows(), targets.rows(), "rows of targets");
    if (targets.empty() && targets.rows() != 0) {
      throw DataError(ErrorCode::empty_data, "Dataset: no targets: give at least one column, or take unlabelled()");
    }
    return Dataset(
        DatasetParts{.samples = features.rows(),
                     .features = detail::floats(features.begin(), features.size(), features.columns(), "feature"),
                     .targets = detail::floats(targets.begin(), targets.size(), targets.columns(), "target"),
                     .non_finite = policy});
  }
  template <class T>
  static Dataset make(View<const T> features, std::span<const std::int32_t> labels, std::size_t classes,
                      NonFinite policy) {
    detail::check_rows(features.rows(), labels.size(), "labels");
    return Dataset(
        DatasetParts{.samples = features.rows(),
                     .features = detail::floats(features.begin(), features.size(), features.columns(), "feature"),
                     .labels = {labels.begin(), labels.end()},
                     .classes = classes,
                     .non_finite = policy});
  }
  template <class T>
  static Dataset make(View<const T> features, NonFinite policy) {
    return Dataset(
        DatasetParts{.samples = features.rows(),
                     .features = detail::floats(features.begin(), features.size(), features.columns(), "feature"),
                     .non_finite = policy});
  }

  std::shared_ptr<const DatasetParts> parts_;  // in memory, or
  std::shared_ptr<const Source> source_;       // read when wanted
  std::shared_ptr<const std::vector<std::uint64_t>> rows_;
  SampleShape shape_;
};

namespace detail {

/// Reads all samples in order, of epoch 0, up to `most` at a time into `out`, and calls f(samples) each time.
template <class F>
void read_in_order(const Dataset& data, std::uint64_t most, const SampleBuffers& out, F&& f) {
  if (data.source() != nullptr) data.source()->check();
  std::vector<std::uint64_t> samples;
  for (std::uint64_t first = 0; first < data.size(); first += samples.size()) {
    samples.resize(static_cast<std::size_t>(std::min<std::uint64_t>(most, data.size() - first)));
    for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = first + i;
    data.read({}, samples, out);
    f(std::as_const(samples));
  }
}

}  // namespace detail

}  // namespace minitrain::inline MINITRAIN_ABI
