#pragma once
// A layer of the user's own: y = scale·x, one learned scale per column.

#include <minitrain/nn/layer.hpp>

struct Scale {
  std::size_t columns = 0;

  std::string name() const { return "Scale{" + std::to_string(columns) + "}"; }
  std::size_t input_columns() const { return columns; }
  minitrain::Shape output_shape(const minitrain::Shape& x) const {
    minitrain::expect_columns(x, columns, name());
    return x;
  }
  std::vector<minitrain::ParameterSpec> parameters() const {
    return {{"scale", minitrain::Shape{columns}, minitrain::Init::ones}};
  }

  template <class T, class Device>
  void forward(const Device&, const minitrain::ForwardPass<T, Device>& pass) const {
    const auto scale = pass.parameters[0];
    for (std::size_t b = 0; b < pass.x.rows(); ++b) {
      for (std::size_t j = 0; j < columns; ++j) pass.y(b, j) = scale[j] * pass.x(b, j);
    }
  }
  template <class T, class Device>
  void backward(const Device&, const minitrain::BackwardPass<T, Device>& pass) const {
    const auto scale = pass.parameters[0], dscale = pass.gradients[0];
    for (std::size_t b = 0; b < pass.x.rows(); ++b) {
      for (std::size_t j = 0; j < columns; ++j) {
        dscale[j] += pass.x(b, j) * pass.dy(b, j);
        if (!pass.dx.empty()) pass.dx(b, j) = scale[j] * pass.dy(b, j);
      }
    }
  }
};
