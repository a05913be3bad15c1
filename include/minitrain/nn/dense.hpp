#pragma once
// Dense: the fully connected layer.

#include <minitrain/nn/layer.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// y[B, out] = x[B, in]·W[in, out] + b[out].
/// Gradients: dx = dy·Wᵀ, dW = Σ xᵀ·dy, db = Σ dy over the samples. In files: "weight" [out, in], "bias" [out], as
/// PyTorch's Linear. A following activation runs in the same operation (nn/fusion.hpp).
struct Dense {
  std::size_t in = 0;
  std::size_t out = 0;
  bool bias = true;
  Init init = Init::fan_in_uniform;       // of W; PyTorch's default
  Init bias_init = Init::fan_in_uniform;  // of b

  std::string name() const { return joined({"Dense{", in, ", ", out, "}"}); }
  std::size_t input_columns() const { return in; }
  double flops(std::size_t) const { return 2.0 * static_cast<double>(in) * static_cast<double>(out); }

  Shape output_shape(const Shape& x) const {
    if (in == 0 || out == 0) {
      throw ShapeError(ErrorCode::bad_shape, {name(), ": wanted at least one input and one output"});
    }
    expect_columns(x, in, name());
    return Shape{x.rows(), out};
  }

  std::vector<ParameterSpec> parameters() const {
    std::vector<ParameterSpec> list{{"weight", Shape{in, out}, init, in, out, true}};
    if (bias) list.push_back({"bias", Shape{out}, bias_init, in, out});
    return list;
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
