#pragma once
// LayerNorm: every sample to mean 0 and variance 1, then scaled and shifted.

#include <minitrain/nn/layer.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// y = (x - mean)/sqrt(variance + epsilon)·weight + bias, mean and (biased) variance over the columns of each sample.
/// Ba, Kiros, Hinton 2016. Parameters "weight" [columns] (ones) and "bias" [columns] (zeros), as PyTorch's.
struct LayerNorm {
  std::size_t columns = 0;
  double epsilon = 1e-5;

  static constexpr bool replayable = true;

  std::string name() const { return joined({"LayerNorm{", columns, "}"}); }
  std::size_t input_columns() const { return columns; }
  std::size_t kept_columns(std::size_t) const { return 2; }  // mean and 1/sqrt(variance + epsilon)
  double flops(std::size_t in) const { return 8.0 * static_cast<double>(in); }

  Shape output_shape(const Shape& x) const {
    if (columns == 0) throw ShapeError(ErrorCode::bad_shape, {name(), ": wanted at least one column"});
    if (!(epsilon > 0 && epsilon < 1)) {
      throw OptionError({name(), ": epsilon ", epsilon, ": wanted a small number above 0"});
    }
    expect_columns(x, columns, name());
    return x;
  }
  std::vector<ParameterSpec> parameters() const {
    return {{"weight", Shape{columns}, Init::ones}, {"bias", Shape{columns}, Init::zeros}};
  }

  template <class T, class Device>
  void forward(const Device& device, const ForwardPass<T, Device>& p) const {
    layer_norm_forward(device, epsilon, p.x, View<const T, Device>(p.parameters[0]),
                       View<const T, Device>(p.parameters[1]), p.y, p.kept);
  }
  template <class T, class Device>
  void backward(const Device& device, const BackwardPass<T, Device>& p) const {
    layer_norm_backward(device, p.x, View<const T, Device>(p.parameters[0]), p.kept, p.dy, p.dx, p.gradients[0],
                        p.gradients[1], true);
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
