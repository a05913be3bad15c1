#pragma once
// transform(): a data set whose samples go through functions when they are read: augmentation, scaling, new columns.

#include <minitrain/data/transform_step.hpp>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

class TransformSource final : public DerivedSource {
 public:
  TransformSource(const Dataset& data, std::vector<TransformStep> steps)
      : DerivedSource({data}), steps_(std::move(steps)), first_(transforms_of(data)), shape_(data.shape()) {
    shape_.feature_columns = steps_.back().columns;
    for (const TransformStep& step : steps_) {
      widest_ = std::max(widest_, step.columns);
      random_ |= step.is_random;
      whole_ |= step.is_whole;
      if (!step.in_place) last_resize_ = &step;
    }
  }

  SampleShape shape() const noexcept override { return shape_; }
  bool varies() const noexcept override { return random_ || DerivedSource::varies(); }
  std::uint32_t transforms() const noexcept override { return first_ + static_cast<std::uint32_t>(steps_.size()); }
  void read(const Reading& reading, std::span<const std::uint64_t> samples, const SampleBuffers& out) const override {
    const Dataset& data = parts().front();
    if (out.features == nullptr && !whole_) return data.read(reading, samples, out);
    constexpr std::size_t most = 32;  // samples: what is read is still in the cache when it is transformed
    const std::size_t columns = data.feature_columns();
    const bool apart = last_resize_ != nullptr || out.features == nullptr;
    std::vector<float> features(apart ? std::min(most, samples.size()) * columns : 0), targets;
    std::vector<std::int32_t> labels;
    Rows rows{std::vector<float>(last_resize_ != nullptr ? 2 * widest_ : 0),
              std::vector<float>(out.features == nullptr ? shape_.feature_columns : 0)};
    if (whole_ && out.targets == nullptr) targets.resize(most * shape_.target_columns);
    if (whole_ && out.labels == nullptr) labels.resize(shape_.classes != 0 ? most : 0);

    read_by_parts(most, shape_, reading, samples, out, [&](const Reading& inner, auto some, const SampleBuffers& at) {
      SampleBuffers from = at;
      if (apart) from.features = features.data();
      if (!targets.empty()) from.targets = targets.data();
      if (!labels.empty()) from.labels = labels.data();
      data.read(inner, some, from);
      for (std::size_t i = 0; i < some.size(); ++i) {
        if (reading.stop.stop_requested()) return std::size_t{0};
        inner.name(some[i], i);
        Sample sample{.features = {from.features + i * columns, columns}, .index = some[i]};
        if (whole_ && from.targets != nullptr)
          sample.targets = {from.targets + i * shape_.target_columns, shape_.target_columns};
        if (whole_ && from.labels != nullptr) sample.label = from.labels[i];
        apply(reading, sample, at.features == nullptr ? nullptr : at.features + i * shape_.feature_columns, rows);
        if (whole_ && from.labels != nullptr) from.labels[i] = sample.label;
      }
      return some.size();
    });
  }

 private:
  /// Where the features of one sample are between two steps that resize them, and after the last.
  struct Rows {
    std::vector<float> between, last;
  };

  void apply(const Reading& reading, Sample& sample, float* last, Rows& rows) const {
    if (last == nullptr) last = rows.last.data();
    float *next = rows.between.data(), *other = next + rows.between.size() / 2;
    for (const TransformStep& step : steps_) {
      const auto number = static_cast<std::uint32_t>(&step - steps_.data());
      SampleRandom random(reading.seed, reading.epoch, sample.index, first_ + number);
      const std::span<float> to(&step == last_resize_ ? last : next, step.columns);
      try {
        step.apply(sample, to, random);
      } catch (...) {
        throw_from(joined({"transform: number ", number + 1, " of ", steps_.size(), ", sample ", sample.index}), true);
      }
      if (step.in_place) continue;
      sample.features = to;
      std::swap(next, other);
    }
    if (whole_ && shape_.classes != 0 &&
        (sample.label < 0 || static_cast<std::size_t>(sample.label) >= shape_.classes)) {
      throw DataError(ErrorCode::label_out_of_range,
                      {"transform: sample ", sample.index, " has ", label_message(sample.label, shape_.classes)});
    }
  }

  std::vector<TransformStep> steps_;
  std::uint32_t first_;  // number of the first step among all that a sample goes through
  SampleShape shape_;
  std::size_t widest_ = 0;
  bool random_ = false, whole_ = false;
  const TransformStep* last_resize_ = nullptr;  // after it the features are where they shall be
};

}  // namespace detail

/// The samples of `data`, each of which goes through the transforms in the order written, in the thread that reads it:
///
///   const Dataset train = transform(images, RandomCrop{.height = 32, .width = 32, .channels = 3, .padding = 4},
///                                   RandomFlip{.height = 32, .width = 32, .channels = 3},
///                                   [](std::span<float> pixels) { for (float& x : pixels) x *= 2; });
///
/// Transform says what may stand there. Random numbers are a function of the reader's (seed, epoch), of the sample and
/// of the number of the transform in the chain, also where a chain is made in several calls. The set varies() from
/// epoch to epoch when a transform is random. Transforms are called by several threads at a time, on one object, const.
///
/// Throws ShapeError when the columns do not fit a transform, DataError (empty_data) for an empty set. Reading throws
/// DataError with the sample and the number of the transform: function_failed for an exception of a transform, which is
/// nested, or its own code for an Error; label_out_of_range.
template <class... Steps>
Dataset transform(const Dataset& data, Steps... steps) {
  constexpr bool fit = sizeof...(Steps) > 0 && (Transform<Steps> && ...);
  static_assert(fit,
                "transform() wants void (std::span<float> features), void (std::span<const float> in, std::span<float> "
                "out) with a member columns(), or void (Sample& sample), each perhaps with a SampleRandom& as well, "
                "copyable and callable as const (no mutable lambda); or a Map, whose function returns a vector");
  if constexpr (fit) {
    if (data.empty()) throw DataError(ErrorCode::empty_data, "transform: no samples: give at least one");
    std::vector<detail::TransformStep> made;
    std::size_t columns = data.feature_columns();
    const auto add = [&](auto&& one) {
      made.push_back(detail::make_step(std::move(one), columns, made.size() + 1));
      columns = made.back().columns;
    };
    (add(std::move(steps)), ...);
    return Dataset(std::make_shared<detail::TransformSource>(data, std::move(made)));
  } else {
    return data;
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
