#pragma once
// Softmax: a row of numbers to a row of probabilities.

#include <minitrain/nn/layer.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// y_j = exp(x_j - max x) / Σ_k exp(x_k - max x), row by row. dx = y·(dy - Σ_k dy_k·y_k).
/// As the last layer of a model trained with SoftmaxCrossEntropy it is not run twice: the loss takes what comes into
/// this layer, and predictions are probabilities.
struct Softmax {
  static constexpr bool replayable = true;
  std::string name() const { return "Softmax"; }
  Shape output_shape(const Shape& x) const { return x; }
  double flops(std::size_t in) const { return 5.0 * static_cast<double>(in); }

  template <class T, class Device>
  void forward(const Device& device, const ForwardPass<T, Device>& p) const {
    softmax_forward(device, p.x, p.y);
  }
  template <class T, class Device>
  void backward(const Device& device, const BackwardPass<T, Device>& p) const {
    if (!p.dx.empty()) softmax_backward(device, p.y, p.dy, p.dx);
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
