#pragma once
// NoiseScale: how much of a gradient is noise, and from which batch size on a larger batch no longer pays.

#include <minitrain/core/text.hpp>

#include <cmath>
#include <cstddef>
#include <limits>

namespace minitrain::inline MINITRAIN_ABI {

/// Of one step: mean squared norms of mean gradients over few samples and over many.
struct NoiseSample {
  double few = 0, few_squares = 0, many = 0, many_squares = 0;

  /// Whether there was something to compare.
  bool tells() const noexcept { return few > 0 && many > few && std::isfinite(few_squares + many_squares); }
  /// An unbiased estimate of |G|², G the gradient over all data; of one step it may be negative.
  double signal() const noexcept { return (many * many_squares - few * few_squares) / (many - few); }
  /// An unbiased estimate of tr(Σ), Σ the covariance of the gradients of single samples.
  double noise() const noexcept { return (few_squares - many_squares) / (1 / few - 1 / many); }
};

/// The simple noise scale tr(Σ)/|G|², in samples: about the batch size above which steps stop becoming better in
/// proportion (the critical batch size; within a factor of a few, see the source).
/// Source: McCandlish et al., "An Empirical Model of Large-Batch Training", 2018, arXiv:1812.06162, appendix A.1.
struct NoiseScale {
  double value = std::numeric_limits<double>::quiet_NaN();
  double low = 0, high = std::numeric_limits<double>::infinity();  // of an interval of 95 %
  double signal = 0, noise = 0;                                    // means of |G|² and tr(Σ)
  double steps = 0;                                                // that the means rest on, by their weights

  /// Whether there is an interval at all: not after few steps, nor where the gradient drowns in its noise.
  bool known() const noexcept { return value == value && high < std::numeric_limits<double>::infinity(); }
};

/// One sentence.
inline std::string to_string(const NoiseScale& scale) {
  if (!scale.known()) {
    return joined({"noise scale not known: ", std::round(scale.steps), " steps measured",
                   scale.value == scale.value ? ", and the gradient is not told from its noise" : ""});
  }
  return joined({"noise scale ", std::round(scale.value), " samples (", std::round(scale.low), " to ",
                 std::round(scale.high), ", 95 %): batches far above it gain little"});
}

/// Averages signal and noise, each for itself, and divides then: the mean of ratios would be biased and can be
/// infinite. A step from `memory` steps ago counts 1/e of the last one, since the scale grows while training goes on.
class NoiseScaleEstimator {
 public:
  /// What the estimate rests on, for a saved state: weights, their squares, and weighted sums.
  struct State {
    double weight = 0, weight_squares = 0, signal = 0, noise = 0, signal_signal = 0, noise_noise = 0, signal_noise = 0;
  };

  explicit NoiseScaleEstimator(double memory = 200) noexcept : keep_(memory > 1 ? 1 - 1 / memory : 0) {}

  void add(const NoiseSample& sample) noexcept {
    if (!sample.tells()) return;
    const double g = sample.signal(), s = sample.noise();
    State& t = state_;
    t = {keep_ * t.weight + 1,          keep_ * keep_ * t.weight_squares + 1, keep_ * t.signal + g,
         keep_ * t.noise + s,           keep_ * t.signal_signal + g * g,      keep_ * t.noise_noise + s * s,
         keep_ * t.signal_noise + g * s};
  }
  void clear() noexcept { state_ = {}; }
  const State& state() const noexcept { return state_; }
  void set_state(const State& state) noexcept { state_ = state; }

  NoiseScale estimate() const noexcept {
    const State& t = state_;
    NoiseScale result;
    if (!(t.weight > 0)) return result;
    result.signal = t.signal / t.weight;
    result.noise = t.noise / t.weight;
    result.steps = t.weight * t.weight / t.weight_squares;
    if (!(result.signal > 0)) return result;
    result.value = result.noise / result.signal;
    if (result.steps < least_steps) return result;
    // Of the ratio, by Fieller's theorem: where the interval of the signal holds 0, the ratio has none.
    const double n = result.steps - 1;
    const double signal = variance(t.signal_signal, result.signal, result.signal) / n;
    const double noise = variance(t.noise_noise, result.noise, result.noise) / n;
    const double both = variance(t.signal_noise, result.signal, result.noise) / n;
    const double z = 1.96 * 1.96, a = result.signal * result.signal - z * signal;
    if (!(a > 0)) return result;
    const double b = result.signal * result.noise - z * both, c = result.noise * result.noise - z * noise;
    const double root = std::sqrt(std::fmax(b * b - a * c, 0));
    result.low = std::fmax((b - root) / a, 0);
    result.high = (b + root) / a;
    return result;
  }

 private:
  static constexpr double least_steps = 10;

  double variance(double product, double x, double y) const noexcept { return product / state_.weight - x * y; }

  double keep_;
  State state_{};
};

}  // namespace minitrain::inline MINITRAIN_ABI
