#pragma once
// with_label_noise(): a data set some of whose labels are wrong, for experiments.

#include <minitrain/data/derived_source.hpp>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

class LabelNoiseSource final : public DerivedSource {
 public:
  LabelNoiseSource(const Dataset& data, double fraction, std::uint64_t seed)
      : DerivedSource({data}), fraction_(fraction), random_(seed, RandomPurpose::label_noise) {}

  void read(const Reading& reading, std::span<const std::uint64_t> samples, const SampleBuffers& out) const override {
    const Dataset& data = parts().front();
    data.read(reading, samples, out);
    if (out.labels == nullptr || reading.stop.stop_requested()) return;
    for (std::size_t i = 0; i < samples.size(); ++i) out.labels[i] = noisy(samples[i], out.labels[i], data.classes());
  }

 private:
  std::int32_t noisy(std::uint64_t sample, std::int32_t label, std::size_t classes) const noexcept {
    const auto words = random_.block(sample);
    const std::uint64_t high = words[0], low = words[1], others = classes - 1;
    if (!(static_cast<double>((high << 21) ^ (low >> 11)) * 0x1p-53 < fraction_)) return label;
    // The 64 bits of two words times the number of others, over 2^64: uniform to 2^-32 and better.
    const auto other = static_cast<std::int32_t>((words[2] * others + (words[3] * others >> 32)) >> 32);
    return other < label ? other : other + 1;
  }

  double fraction_;
  Random random_;
};

}  // namespace detail

/// The same samples, each label replaced, with probability `fraction`, by one of the other classes, all equally likely:
/// symmetric noise that always changes the label, so that about fraction·N labels are wrong. A function of (seed,
/// sample), the same in every epoch. Throws OptionError for a fraction outside [0, 1]; DataError (shape_mismatch) for
/// data without labels, or of one class.
inline Dataset with_label_noise(const Dataset& data, double fraction, std::uint64_t seed) {
  if (!(fraction >= 0 && fraction <= 1)) {
    throw OptionError({"with_label_noise: fraction ", fraction, ": ask for 0 to 1"});
  }
  if (data.classes() < 2) {
    throw DataError(ErrorCode::shape_mismatch, {"with_label_noise: samples have ", detail::text_of(data.shape()),
                                                ": give data with labels of at least 2 classes"});
  }
  return Dataset(std::make_shared<detail::LabelNoiseSource>(data, fraction, seed));
}

}  // namespace minitrain::inline MINITRAIN_ABI
