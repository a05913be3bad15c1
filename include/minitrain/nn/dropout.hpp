#pragma once
// Dropout: random zeros while training.

#include <minitrain/core/dropout_key.hpp>
#include <minitrain/nn/layer.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Training: y = x/(1 - p) with probability 1 - p, otherwise 0; evaluation: y = x. Srivastava et al., JMLR 2014
/// (inverted). Which elements fall is a function of (seed, layer, step, sample, column): no generator state, any split,
/// any device.
struct Dropout {
  double p = 0.5;

  static constexpr bool replayable = true;

  std::string name() const { return joined({"Dropout{", p, "}"}); }
  Shape output_shape(const Shape& x) const {
    if (!(p >= 0 && p < 1)) throw OptionError({name(), ": wanted a probability in [0, 1)"});
    return x;
  }

  template <class T, class Device>
  void forward(const Device& device, const ForwardPass<T, Device>& f) const {
    dropout_forward(device, key(f), f.pass.training ? p : 0.0, f.x, f.y);
  }
  template <class T, class Device>
  void backward(const Device& device, const BackwardPass<T, Device>& b) const {
    if (!b.dx.empty()) dropout_backward(device, key(b), b.pass.training ? p : 0.0, b.dy, b.dx);
  }

 private:
  static DropoutKey key(const auto& pass) {
    return {.seed = pass.pass.seed, .layer = pass.layer, .step = pass.pass.step, .first_row = pass.pass.first_row};
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
