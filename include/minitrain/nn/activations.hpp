#pragma once
// Activation layers: y = f(x), element by element.

#include <minitrain/core/activation.hpp>
#include <minitrain/nn/layer.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// The activation. Throws OptionError for a slope outside [0, 1), where f' could not be told from f's output, and for
/// what is no activation at all.
inline Activation checked_activation(const Activation& activation) {
  if (activation.kind > ActivationKind::silu || !(activation.slope >= 0 && activation.slope < 1)) {
    throw OptionError({"activation ", static_cast<int>(activation.kind), " with slope ", activation.slope,
                       ": wanted one of ActivationKind and a slope in [0, 1)"});
  }
  return activation;
}

/// What the activation layers share: any width in, the same width out, no parameters.
struct ElementwiseLayer {
  Shape output_shape(const Shape& x) const { return x; }
};

/// y = max(0, x); derivative 0 at 0.
struct ReLU : ElementwiseLayer {
  std::string name() const { return "ReLU"; }
  Activation activation() const { return {ActivationKind::relu}; }
};

/// y = x for x > 0, slope·x otherwise. Throws OptionError for a slope outside [0, 1).
struct LeakyReLU : ElementwiseLayer {
  double slope = 0.01;

  LeakyReLU() = default;
  explicit LeakyReLU(double negative_slope) : slope(negative_slope) {
    if (!(slope >= 0 && slope < 1)) {
      throw OptionError({"LeakyReLU: slope ", slope, ": wanted a number in [0, 1)"});
    }
  }
  std::string name() const { return joined({"LeakyReLU{", slope, "}"}); }
  Activation activation() const { return {ActivationKind::leaky_relu, slope}; }
};

/// y = tanh(x).
struct Tanh : ElementwiseLayer {
  std::string name() const { return "Tanh"; }
  Activation activation() const { return {ActivationKind::tanh}; }
};

/// y = 1 / (1 + exp(-x)).
struct Sigmoid : ElementwiseLayer {
  std::string name() const { return "Sigmoid"; }
  Activation activation() const { return {ActivationKind::sigmoid}; }
};

/// y = x·Φ(x), Φ the normal distribution function: the exact form, PyTorch's default. Hendrycks & Gimpel 2016.
struct GELU : ElementwiseLayer {
  std::string name() const { return "GELU"; }
  Activation activation() const { return {ActivationKind::gelu}; }
};

/// y = x·sigmoid(x), also called swish.
struct SiLU : ElementwiseLayer {
  std::string name() const { return "SiLU"; }
  Activation activation() const { return {ActivationKind::silu}; }
};

/// A layer that is nothing but an activation function.
template <class L>
concept ActivationLayer = Layer<L> && requires(const L& layer) {
  { layer.activation() } -> std::same_as<Activation>;
};

}  // namespace minitrain::inline MINITRAIN_ABI
