#pragma once
// NoiseProbe: what a step tells about the noise of its gradient.

#include <minitrain/nn/network.hpp>
#include <minitrain/train/noise_scale.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Compares the gradient of a whole batch with gradients of fewer samples. Of a network whose only layers with
/// parameters are Dense, single samples: their norms follow from norms of inputs and of gradients by outputs, a
/// hundredth of the work of the pass. Of any other, the first micro-batch, where a batch has more than one.
template <class T, class Device>
class NoiseProbe {
 public:
  /// From now on, and before the first sample of a batch, whose gradients are `scale` times what they should be.
  void watch(const Device& device, bool on, double scale) {
    on_ = on;
    scale_ = scale;
    if (on && squares_.empty()) squares_ = Tensor<double, Device>(device, Shape{2});
  }
  bool on() const noexcept { return on_; }

  void backward(const Device& device, Network<T, Device>& network, const Pass& pass, std::size_t stages, bool first) {
    if (!on_) return network.backward(device, pass, stages, first);
    if (first) {
      forget();
      fill_zero(device, squares_.view());
    }
    if (!network.knows_squares()) return network.backward(device, pass, stages, first);
    network.backward_with_squares(device, pass, stages, first, small());
  }
  /// After each part of a batch, with the samples so far.
  void after_part(const Device& device, const Network<T, Device>& network, std::size_t samples) {
    if (!on_ || network.knows_squares() || first_part_ != 0) return;
    first_part_ = samples;
    sum_of_squares(device, View<const T, Device>(network.gradients().view()), small());
  }
  /// When the gradient sum is complete, and not clipped yet.
  void before_update(const Device& device, const Network<T, Device>& network, std::size_t samples) {
    if (!on_) return;
    sum_of_squares(device, View<const T, Device>(network.gradients().view()),
                   View<double, Device>(squares_.data() + 1, Shape{1}));
    samples_ = samples;
    singles_ = network.knows_squares();
  }
  /// After the update: what it told, once.
  NoiseSample take(const Device& device) {
    if (!on_ || samples_ == 0) return {};
    double squares[2];
    copy_to_host(device, View<const double, Device>(squares_.view()), squares);
    for (double& sum : squares) sum /= scale_ * scale_;
    const auto part = static_cast<double>(first_part_), all = static_cast<double>(samples_);
    const NoiseSample sample = singles_ ? NoiseSample{1, squares[0] / all, all, squares[1] / (all * all)}
                                        : NoiseSample{part, squares[0] / (part * part), all, squares[1] / (all * all)};
    forget();
    return sample;
  }
  void forget() noexcept { first_part_ = samples_ = 0; }

 private:
  View<double, Device> small() noexcept { return {squares_.data(), Shape{1}}; }

  bool on_ = false, singles_ = false;
  double scale_ = 1;
  Tensor<double, Device> squares_;  // of fewer samples, of all
  std::size_t first_part_ = 0, samples_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI
