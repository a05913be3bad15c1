#pragma once
// Mlp: a multilayer perceptron whose depth is chosen at run time.

#include <minitrain/nn/activations.hpp>
#include <minitrain/nn/dense.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Dense layers of the given widths with an activation between them, none after the last: widths {784, 128, 64, 10} is
/// Sequential{Dense{784, 128}, f, Dense{128, 64}, f, Dense{64, 10}}, numbers, names and bits included.
struct Mlp {
  std::vector<std::size_t> widths{};
  Activation activation{ActivationKind::relu};
  bool bias = true;
  Init init = Init::fan_in_uniform;

  /// An activation chosen at run time, as a layer.
  struct AnyActivation : ElementwiseLayer {
    Activation function;
    explicit AnyActivation(Activation f) : function(checked_activation(f)) {}
    std::string name() const {
      constexpr const char* names[] = {"Identity", "ReLU", "LeakyReLU", "Tanh", "Sigmoid", "GELU", "SiLU"};
      return names[static_cast<int>(function.kind)];
    }
    Activation activation() const { return function; }
  };

  template <class F>
  void for_each_layer(F&& f) const {
    if (widths.size() < 2) {
      throw ShapeError(ErrorCode::bad_shape,
                       {"Mlp: ", widths.size(), " widths: give at least two, of the input and of the output"});
    }
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      if (i > 0) f(AnyActivation(activation));
      f(Dense{.in = widths[i], .out = widths[i + 1], .bias = bias, .init = init});
    }
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
