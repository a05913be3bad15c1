#pragma once
// GradientMeter: gradients of a model over parts of a data set, and how much of them is noise.

#include <minitrain/trainer.hpp>

#include <cmath>
#include <memory>
#include <vector>

namespace examples {

/// The mean gradient of the last step, and which of its elements belong to which layer with parameters.
struct KeptGradient {
  std::vector<double> values{};
  std::vector<std::size_t> layer{};  // of each element; padding between tensors belongs to none and is not kept
  std::size_t layers = 0;

  /// Σ g² of the elements of each layer.
  std::vector<double> squares() const {
    std::vector<double> sums(layers);
    for (std::size_t i = 0; i < values.size(); ++i) sums[layer[i]] += values[i] * values[i];
    return sums;
  }
};

/// An optimizer that changes no parameter, and keeps the gradient that it was given.
struct KeepGradient {
  double learning_rate = 0;
  std::shared_ptr<KeptGradient> kept = std::make_shared<KeptGradient>();

  void check() const {}
  static const char* name() { return "none"; }
  static std::size_t moments() { return 0; }
  static const char* moment_name(std::size_t) { return ""; }

  template <class T, class Device>
  void update(const Device& device, const minitrain::UpdateStep<T, Device>& step) const {
    std::vector<T> sums(step.gradient_sums.size());
    copy_to_host(device, step.gradient_sums, sums.data());
    *kept = {};
    std::string_view last;
    for (const minitrain::ParameterTensor& tensor : step.tensors) {
      const std::string_view number = tensor.name.substr(0, tensor.name.find('.'));  // of "2.weight"
      if (number != last) ++kept->layers;
      last = number;
      for (std::size_t i = 0; i < tensor.size(); ++i) {
        kept->values.push_back(static_cast<double>(sums[tensor.offset + i]) * step.gradient_scale);
        kept->layer.push_back(kept->layers - 1);
      }
    }
  }
};

inline double sum(const std::vector<double>& values) {
  double all = 0;
  for (const double value : values) all += value;
  return all;
}

/// Signal |G|² and noise tr(Σ): G the gradient over all data, Σ the covariance of the gradients of single samples.
struct Noise {
  double signal = 0, noise = 0;
  double scale() const { return noise / signal; }
};

/// Measures a model whose only layers with parameters are Dense.
template <class T, class Device>
class GradientMeter {
 public:
  /// `samples` is the size of the data set.
  template <class Model>
  GradientMeter(const Device& device, const Model& model, std::size_t samples)
      : trainer_(
            device, model, minitrain::SoftmaxCrossEntropy{}, rule_,
            {.batch_size = samples, .micro_batch_size = std::min<std::size_t>(samples, 1024), .noise_scale_every = 1}) {
  }

  void load_weights(const std::string& path) { trainer_.load_weights(path); }

  struct Exact {
    Noise all{};
    std::vector<double> layer_signals{};  // |G|² of each layer
    double loss = 0;
  };
  /// From the gradient of every sample: one step over all of them, in which the trainer finds the norms of single
  /// gradients from those of activations a and of gradients δ by outputs, |g|² = Σ |δ|²(|a|² + 1) over the layers.
  /// Goodfellow, "Efficient per-example gradient computations", 2015.
  Exact exact(const minitrain::Dataset& data) {
    const minitrain::History history = trainer_.fit(data);
    const minitrain::NoiseScale scale = trainer_.noise_scale();
    return {{scale.signal, scale.noise}, rule_.kept->squares(), history.epochs.back().training.loss};
  }

  /// The mean gradient of samples [first, first + count) of an epoch's order.
  const KeptGradient& gradient(minitrain::DataLoader<T, Device>& loader, std::size_t epoch, std::size_t first,
                               std::size_t count) {
    trainer_.accumulate(loader.next(trainer_.device(), epoch, first, count));
    trainer_.update();
    return *rule_.kept;
  }

  struct TwoBatches {
    Noise all{};
    std::vector<double> small_squares{};  // mean |g|² of a small batch, of each layer
  };
  /// The estimator of McCandlish et al. 2018, appendix A.1: `draws` big batches, each cut into small ones; from the
  /// mean squared norms of both follow unbiased estimates of signal and noise, averaged before they are divided.
  TwoBatches two_batches(const minitrain::Dataset& data, std::size_t small, std::size_t big, std::size_t draws,
                         std::uint64_t seed) {
    minitrain::DataLoader<T, Device> loader(data, {.batch_size = small, .shuffle = true, .seed = seed},
                                            trainer_.device());
    TwoBatches result;
    const auto parts = static_cast<double>(big / small), count = static_cast<double>(draws);
    for (std::size_t draw = 0; draw < draws; ++draw) {
      std::vector<double> mean, squares;
      for (std::size_t first = 0; first < big; first += small) {
        const KeptGradient& g = gradient(loader, draw, first, small);
        mean.resize(g.values.size());
        squares.resize(g.layers);
        for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += g.values[i] / parts;
        const std::vector<double> some = g.squares();
        for (std::size_t layer = 0; layer < g.layers; ++layer) squares[layer] += some[layer] / parts;
      }
      double big_squares = 0;
      for (const double value : mean) big_squares += value * value;
      const minitrain::NoiseSample sample{static_cast<double>(small), sum(squares), static_cast<double>(big),
                                          big_squares};
      result.all.signal += sample.signal() / count;
      result.all.noise += sample.noise() / count;
      result.small_squares.resize(squares.size());
      for (std::size_t i = 0; i < squares.size(); ++i) result.small_squares[i] += squares[i] / count;
    }
    return result;
  }

 private:
  KeepGradient rule_;
  minitrain::Trainer<T, Device> trainer_;
};

}  // namespace examples
