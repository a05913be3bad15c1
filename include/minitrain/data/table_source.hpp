#pragma once
// TableSource: samples whose features are rows of one table and whose answers are rows of another.

#include <minitrain/data/dataset.hpp>
#include <minitrain/data/table.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Sample i is row i of `features` and row i of `answers`, a table [N, 1] of labels when `classes` is not 0, else
/// [N, t] of targets, or nothing ([0, 0]). Labels are checked when they are read, features and targets when asked to
/// be.
class TableSource final : public Source {
 public:
  /// Throws DataError: count_mismatch when the tables do not have the same rows, bad_shape for labels of more than one
  /// column.
  TableSource(Table features, Table answers, std::size_t classes, NonFinite non_finite)
      : features_(std::move(features)), answers_(std::move(answers)), classes_(classes), non_finite_(non_finite) {
    features_name_ = name_of(features_), answers_name_ = name_of(answers_);
    if (answers_.columns != 0)
      detail::check_rows(features_.rows, answers_.rows, classes == 0 ? "rows of targets" : "labels");
    if (classes != 0 && answers_.columns != 1) {
      throw DataError(ErrorCode::bad_shape,
                      {"Dataset: labels of ", answers_.columns, " columns: give one to each row"});
    }
  }

  std::uint64_t size() const noexcept override { return features_.rows; }
  SampleShape shape() const noexcept override {
    return {features_.columns, classes_ != 0 ? 0 : answers_.columns, classes_};
  }
  void read(const Reading&, std::span<const std::uint64_t> samples, const SampleBuffers& out) const override {
    if (out.features != nullptr) {
      read_rows(features_, samples, out.features, features_.columns);
      check_finite(features_name_, samples, out.features, features_.columns, "feature");
    }
    if (out.targets != nullptr) {
      read_rows(answers_, samples, out.targets, answers_.columns);
      check_finite(answers_name_, samples, out.targets, answers_.columns, "target");
    }
    if (out.labels != nullptr) read_labels(samples, out.labels);
  }
  std::uint64_t file_bytes() const noexcept override {
    std::uint64_t bytes = 0;
    for_each_file([&](const MappedFile& file) { bytes += file.bytes().size(); });
    return bytes;
  }
  void check() const override {
    for_each_file([](const MappedFile& file) { file.check(); });
  }
  void expect(std::uint64_t first, std::uint64_t count) const override {
    for_each_stretch(first, count, [](const MappedFile& file, auto at, auto bytes) { file.expect(at, bytes); });
  }
  void load(std::uint64_t first, std::uint64_t count) const override {
    for_each_stretch(first, count, [](const MappedFile& file, auto at, auto bytes) { file.load(at, bytes); });
  }
  void release(std::uint64_t first, std::uint64_t count, bool from_cache) const override {
    for_each_stretch(first, count, [from_cache](const MappedFile& file, auto at, auto bytes) {
      file.release(at, bytes, from_cache);
    });
  }

 private:
  /// f(file) for each file, once.
  template <class F>
  void for_each_file(F&& f) const {
    if (features_.file != nullptr) f(*features_.file);
    if (answers_.file != nullptr && answers_.file != features_.file) f(*answers_.file);
  }
  template <class F>
  void for_each_stretch(std::uint64_t first, std::uint64_t count, F&& f) const {
    detail::for_each_stretch(features_, answers_, first, count, f);
  }

  void read_labels(std::span<const std::uint64_t> samples, std::int32_t* labels) const {
    const double end = std::min(static_cast<double>(classes_), 0x1p31);  // of what a label can be
    detail::with_element(answers_.type, [&]<class T>(T) {
      for (std::size_t i = 0; i < samples.size(); ++i) {
        const std::byte* const at = answers_.data + samples[i] * answers_.row_stride;
        const auto label = static_cast<double>(detail::element_at<T>(at, answers_.big_endian));
        if (!(label >= 0 && label < end) || label != static_cast<double>(static_cast<std::int32_t>(label))) {
          throw DataError(ErrorCode::label_out_of_range, {answers_name_, ": sample ", samples[i], " has label ", label,
                                                          ": wanted a whole number from 0 to ", classes_ - 1});
        }
        labels[i] = static_cast<std::int32_t>(label);
      }
    });
  }

  /// What errors begin with.
  static std::string name_of(const Table& table) {
    return table.file == nullptr ? "Dataset" : detail::io::shown(table.file->path_name());
  }
  void check_finite(const std::string& name, std::span<const std::uint64_t> samples, const float* values,
                    std::size_t columns, const char* what) const {
    if (non_finite_ == NonFinite::keep) return;
    detail::check_finite(name.c_str(), what, {values, samples.size() * columns}, columns, samples.data(),
                         detail::or_keep);
  }

  Table features_, answers_;
  std::size_t classes_;
  NonFinite non_finite_;
  std::string features_name_, answers_name_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
