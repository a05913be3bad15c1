#pragma once
// generated(): data sets made by a function of the user's, sample by sample, while they are used.

#include <minitrain/data/derived_source.hpp>

#include <concepts>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

template <class F>
concept MakesSample = std::invocable<const F&, std::uint64_t, SampleBuffers> ||
    std::invocable<const F&, std::uint64_t, SampleBuffers, std::stop_token>;
template <class F>
concept MakesSamples = std::invocable<const F&, std::span<const std::uint64_t>, SampleBuffers> ||
    std::invocable<const F&, std::span<const std::uint64_t>, SampleBuffers, std::stop_token>;

/// Calls the function for one sample, or for a list of them.
class GeneratedSource final : public Source {
 public:
  using One = std::function<void(std::uint64_t, const SampleBuffers&, const std::stop_token&)>;
  using Many = std::function<void(std::span<const std::uint64_t>, const SampleBuffers&, const std::stop_token&)>;

  GeneratedSource(const SampleShape& shape, std::uint64_t samples, One one, Many many, NonFinite non_finite)
      : shape_(shape), samples_(samples), one_(std::move(one)), many_(std::move(many)), non_finite_(non_finite) {
    if (samples > std::uint64_t{1} << 63) {
      throw OptionError({"generated: ", samples, " samples: ask for 1 to 2^63"});
    }
    if (shape.classes != 0 && shape.target_columns != 0) {
      throw DataError(ErrorCode::count_mismatch, "generated: classes and real targets: ask for one of them");
    }
  }

  std::uint64_t size() const noexcept override { return samples_; }
  SampleShape shape() const noexcept override { return shape_; }
  void read(const Reading& reading, std::span<const std::uint64_t> samples, const SampleBuffers& out) const override {
    // The function writes all of a sample, wanted or not.
    const std::size_t rows = many_ ? samples.size() : 1;
    std::vector<float> features(out.features == nullptr ? rows * shape_.feature_columns : 0),
        targets(out.targets == nullptr ? rows * shape_.target_columns : 0);
    std::vector<std::int32_t> labels(out.labels == nullptr && shape_.classes != 0 ? rows : 0);
    for (std::size_t i = 0; i < samples.size() && !reading.stop.stop_requested(); i += rows) {
      SampleBuffers to;
      to.features = out.features != nullptr ? out.features + i * shape_.feature_columns : features.data();
      if (shape_.target_columns != 0)
        to.targets = out.targets != nullptr ? out.targets + i * shape_.target_columns : targets.data();
      if (shape_.classes != 0) to.labels = out.labels != nullptr ? out.labels + i : labels.data();
      reading.name(samples[i], i);
      make(reading, samples.subspan(i, rows), to);
    }
  }

 private:
  void make(const Reading& reading, std::span<const std::uint64_t> samples, const SampleBuffers& to) const {
    std::fill_n(to.features, samples.size() * shape_.feature_columns, 0.0f);
    if (to.targets != nullptr) std::fill_n(to.targets, samples.size() * shape_.target_columns, 0.0f);
    if (to.labels != nullptr) std::fill_n(to.labels, samples.size(), 0);
    try {
      many_ ? many_(samples, to, reading.stop) : one_(samples[0], to, reading.stop);
    } catch (...) {
      throw_from(samples.size() == 1
                     ? joined({"generated: the function failed for sample ", samples[0]})
                     : joined({"generated: the function failed for ", samples.size(), " samples from ", samples[0]}),
                 false);
    }
    if (reading.stop.stop_requested()) return;  // it may have left before the end
    if (non_finite_ == NonFinite::error) {
      constexpr const char* advice = "make finite numbers, or ask for NonFinite::keep";
      const std::size_t features = shape_.feature_columns, targets = shape_.target_columns;
      check_finite("generated", "feature", {to.features, samples.size() * features}, features, samples.data(), advice);
      check_finite("generated", "target", {to.targets, samples.size() * targets}, targets, samples.data(), advice);
    }
    for (std::size_t i = 0; to.labels != nullptr && i < samples.size(); ++i) {
      if (to.labels[i] >= 0 && static_cast<std::size_t>(to.labels[i]) < shape_.classes) continue;
      throw DataError(ErrorCode::label_out_of_range,
                      {"generated: sample ", samples[i], " has ", label_message(to.labels[i], shape_.classes)});
    }
  }

  SampleShape shape_;
  std::uint64_t samples_;
  One one_;    // either
  Many many_;  // or
  NonFinite non_finite_;
};

}  // namespace detail

/// Sample i is what f(i, out) writes: shape.feature_columns numbers to out.features, and shape.target_columns numbers
/// to out.targets or, with classes, a label to out.labels[0]. It must write the same for i each time; what it leaves is
/// 0. Or f(samples, out) for a std::span of samples, row after row, where many at a time are quicker. A last parameter
/// of std::stop_token, if it has one, says when the result is not wanted any more: a slow function may then return
/// early. Called by several threads at a time, on one object, const. Nothing is kept.
///
///   const Dataset data = generated({.feature_columns = 2, .target_columns = 1}, 10'000'000'000,
///                                  [](std::uint64_t i, SampleBuffers out) { ... });
///
/// Throws OptionError for more than 2^63 samples; DataError: empty_data without samples or features, count_mismatch for
/// both classes and targets, bad_shape for more than 2^40 columns or 2^31 classes. Reading throws DataError with the
/// sample: function_failed for any exception of f, which is nested; label_out_of_range; non_finite, unless told to keep
/// it.
template <class F>
Dataset generated(const SampleShape& shape, std::uint64_t samples, F f, NonFinite policy = NonFinite::error) {
  static_assert(detail::MakesSample<F> || detail::MakesSamples<F>,
                "f is called as const: f(std::uint64_t sample, SampleBuffers out), or with "
                "std::span<const std::uint64_t> samples, and perhaps a std::stop_token");
  detail::GeneratedSource::One one;
  detail::GeneratedSource::Many many;
  const auto call = [f = std::move(f)](auto what, const SampleBuffers& out, const std::stop_token& stop) {
    if constexpr (std::invocable<const F&, decltype(what), SampleBuffers>) {
      f(what, out);
    } else {
      f(what, out, stop);
    }
  };
  if constexpr (detail::MakesSample<F>) {
    one = call;
  } else {
    many = call;
  }
  return Dataset(std::make_shared<detail::GeneratedSource>(shape, samples, std::move(one), std::move(many), policy));
}

}  // namespace minitrain::inline MINITRAIN_ABI
