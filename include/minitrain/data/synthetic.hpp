#pragma once
// Synthetic data: regression from a random teacher network, classes as overlapping clusters. All from whole numbers and
// single roundings, with no function of the C library, so that every machine and compiler makes the same bits.

#include <minitrain/core/random.hpp>
#include <minitrain/data/dataset.hpp>

#include <bit>
#include <cmath>
#include <cstdlib>

namespace minitrain::inline MINITRAIN_ABI {

struct SyntheticRegressionOptions {
  std::size_t samples = 0;
  std::size_t features = 0;
  std::uint64_t seed = 0;
  std::size_t targets = 1;
  float noise = 0;  // standard deviation of what is added to the targets, which have about 1 without it
};

struct SyntheticClassificationOptions {
  std::size_t samples = 0;
  std::size_t features = 0;
  std::size_t classes = 2;
  std::uint64_t seed = 0;
};

namespace detail {

/// Numbers near a normal distribution: sums of four 16-bit uniforms, whole, of mean 0 and variance (2^32 - 1) / 3,
/// within 3.5 standard deviations.
class WholeNormals {
 public:
  static constexpr double deviation = 37837.22752772583;  // sqrt((2^32 - 1) / 3)

  WholeNormals(std::uint64_t seed, std::uint32_t stream) : random_(seed, RandomPurpose::synthetic, stream) {}

  std::int64_t operator()(std::uint64_t i) const noexcept {
    const auto words = random_.block(i / 2);
    return sum(words[2 * (i % 2)], words[2 * (i % 2) + 1]);
  }
  /// Numbers first, first + 1, ...; two from each block of random words.
  void fill(std::uint64_t first, std::span<std::int64_t> out) const noexcept {
    std::size_t j = 0;
    if (first % 2 == 1 && !out.empty()) out[j++] = (*this)(first);
    for (; j + 2 <= out.size(); j += 2) {
      const auto words = random_.block((first + j) / 2);
      out[j] = sum(words[0], words[1]);
      out[j + 1] = sum(words[2], words[3]);
    }
    if (j < out.size()) out[j] = (*this)(first + j);
  }

 private:
  static std::int64_t sum(std::uint32_t a, std::uint32_t b) noexcept {
    return std::int64_t{a >> 16} + (a & 0xFFFF) + (b >> 16) + (b & 0xFFFF) - 2 * 0xFFFF;
  }
  Random random_;
};

inline void check_synthetic(const char* what, std::size_t samples, std::size_t features) {
  if (samples == 0 || samples > std::size_t{1} << 40) {
    throw OptionError({what, ": ", samples, " samples: ask for 1 to 2^40"});
  }
  // Past 2^20 columns the teacher's 64-bit sums could overflow.
  if (features == 0 || features > std::size_t{1} << 20) {
    throw OptionError({what, ": ", features, " features: ask for 1 to 2^20"});
  }
}

}  // namespace detail

/// y[N, t] = V · relu(W·x): features x near normal (mean 0, deviation 1), the teacher's 16 hidden units and outputs
/// drawn from the seed; targets of mean about 0 and deviation about 1. Different `samples` share their first rows.
/// Throws OptionError for a size of 0, more than 2^20 features or targets, and noise outside 0 to 1e6.
inline Dataset synthetic_regression(const SyntheticRegressionOptions& options) {
  constexpr std::size_t hidden = 16;
  detail::check_synthetic("synthetic_regression", options.samples, options.features);
  if (options.targets == 0 || options.targets > std::size_t{1} << 20) {
    throw OptionError({"synthetic_regression: ", options.targets, " targets: ask for 1 to 2^20"});
  }
  if (!(options.noise >= 0 && options.noise <= 1e6f)) {
    throw OptionError({"synthetic_regression: noise ", options.noise, ": ask for 0 to 1e6"});
  }
  const std::size_t columns = options.features;
  const detail::WholeNormals x_stream(options.seed, 0), w_stream(options.seed, 1), v_stream(options.seed, 2),
      noise_stream(options.seed, 3);
  std::vector<std::int64_t> w(hidden * columns), v(options.targets * hidden), x(columns), h(hidden);
  w_stream.fill(0, w);
  v_stream.fill(0, v);
  // Units in pairs of opposite sign keep the mean near 0.
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = i % 2 == 0 ? std::abs(v[i]) : -std::abs(v[i]);

  // relu of a normal number of deviation d has mean square d²/2; half of it is left when the pairs have cancelled out
  // their means. The shift brings hidden values down to 32 bits or so.
  const int shift = 8 + static_cast<int>(std::bit_width(columns)) / 2;
  const double d = detail::WholeNormals::deviation;
  const double unit = 1 / (d * d * d * std::sqrt(static_cast<double>(columns)) / static_cast<double>(1 << shift) *
                           std::sqrt(hidden / 2.0));

  std::vector<float> features(options.samples * columns), targets(options.samples * options.targets);
  for (std::size_t i = 0; i < options.samples; ++i) {
    x_stream.fill(i * columns, x);
    for (std::size_t j = 0; j < columns; ++j) {
      features[i * columns + j] = static_cast<float>(static_cast<double>(x[j]) / d);
    }
    for (std::size_t k = 0; k < hidden; ++k) {
      std::int64_t sum = 0;
      for (std::size_t j = 0; j < columns; ++j) sum += w[k * columns + j] * x[j];
      h[k] = sum > 0 ? sum >> shift : 0;
    }
    for (std::size_t k = 0; k < options.targets; ++k) {
      std::int64_t sum = 0;
      for (std::size_t j = 0; j < hidden; ++j) sum += v[k * hidden + j] * h[j];
      const auto clean = static_cast<float>(static_cast<double>(sum) * unit);
      // A product exact in double and one addition: nothing for a compiler to fuse differently.
      const auto noise = static_cast<float>(static_cast<double>(noise_stream(i * options.targets + k)) / d);
      targets[i * options.targets + k] = static_cast<float>(
          static_cast<double>(clean) + static_cast<double>(options.noise) * static_cast<double>(noise));
    }
  }
  return Dataset({.samples = options.samples, .features = std::move(features), .targets = std::move(targets)});
}

/// Each class is a round cluster of deviation 1 in every direction; the centres are drawn so that two of them are about
/// 5 apart, so that the clusters overlap by a little and the best classifier still errs. Labels are drawn at random,
/// all classes equally likely. Different `samples` share their first rows. Throws OptionError for 0 samples, 0
/// features, fewer than 2 classes, and more than 2^20 features or classes.
inline Dataset synthetic_classification(const SyntheticClassificationOptions& options) {
  detail::check_synthetic("synthetic_classification", options.samples, options.features);
  if (options.classes < 2 || options.classes > std::size_t{1} << 20) {
    throw OptionError({"synthetic_classification: ", options.classes, " classes: ask for 2 to 2^20"});
  }
  const std::size_t columns = options.features;
  const detail::WholeNormals x_stream(options.seed, 0), centre_stream(options.seed, 1);
  const Random labels_stream(options.seed, RandomPurpose::synthetic, 2);
  std::vector<std::int64_t> centres(options.classes * columns), x(columns);
  centre_stream.fill(0, centres);
  // Squared distances between centres are sums of `columns` terms with mean 2·spread²; float, so that spread times a
  // centre is exact in double.
  const auto spread = static_cast<float>(5 / std::sqrt(2.0 * static_cast<double>(columns)));

  std::vector<float> features(options.samples * columns);
  std::vector<std::int32_t> labels(options.samples);
  for (std::size_t i = 0; i < options.samples; ++i) {
    const std::uint64_t label = (std::uint64_t{labels_stream.word(i)} * options.classes) >> 32;
    labels[i] = static_cast<std::int32_t>(label);
    x_stream.fill(i * columns, x);
    const std::int64_t* const centre = centres.data() + label * columns;
    for (std::size_t j = 0; j < columns; ++j) {
      const double value = static_cast<double>(spread) * static_cast<double>(centre[j]) + static_cast<double>(x[j]);
      features[i * columns + j] = static_cast<float>(value / detail::WholeNormals::deviation);
    }
  }
  return Dataset({.samples = options.samples,
                  .features = std::move(features),
                  .labels = std::move(labels),
                  .classes = options.classes});
}

}  // namespace minitrain::inline MINITRAIN_ABI
