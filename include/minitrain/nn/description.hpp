#pragma once
// A model as plain data: what summaries, memory plans and networks read.

#include <minitrain/nn/sequential.hpp>

#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// One layer of a model.
struct LayerDescription {
  std::string name{};
  std::size_t in = 0, out = 0;  // columns
  std::size_t kept = 0;         // scalars per sample kept for the backward pass beside the output
  std::vector<ParameterSpec> parameters{};
  double forward_flops = 0;  // per sample

  std::size_t parameter_count() const {
    std::size_t count = 0;
    for (const ParameterSpec& parameter : parameters) count += parameter.shape.size();
    return count;
  }
};

/// A model of known input width.
struct ModelDescription {
  std::vector<LayerDescription> layers{};

  std::size_t input_columns() const { return layers.front().in; }
  std::size_t output_columns() const { return layers.back().out; }
  std::size_t parameter_count() const {
    std::size_t count = 0;
    for (const LayerDescription& layer : layers) count += layer.parameter_count();
    return count;
  }
  double forward_flops() const {
    double flops = 0;
    for (const LayerDescription& layer : layers) flops += layer.forward_flops;
    return flops;
  }
  /// Outputs and kept values of all layers, in scalars per sample.
  std::size_t activations() const {
    std::size_t count = 0;
    for (const LayerDescription& layer : layers) count += layer.out + layer.kept;
    return count;
  }
};

/// Follows the shapes through the model. The input width is that of the first layer that takes one width only (layers
/// before it must keep the width). Throws ShapeError when a layer does not fit what comes before it, when no layer
/// fixes the width, and when there is no layer at all.
template <Model M>
ModelDescription describe(const M& model) {
  std::size_t columns = 0;
  model.for_each_layer([&](const auto& layer) {
    if (columns == 0) columns = input_columns_of(layer);
  });
  if (columns == 0) {
    throw ShapeError(ErrorCode::bad_shape,
                     "model: no layer fixes the number of input columns: begin with a Dense layer, which does");
  }
  ModelDescription description;
  model.for_each_layer([&](const auto& layer) {
    const Shape y = layer.output_shape(Shape{1, columns});
    description.layers.push_back({.name = layer.name(),
                                  .in = columns,
                                  .out = y.columns(),
                                  .kept = kept_columns_of(layer, columns),
                                  .parameters = parameters_of(layer),
                                  .forward_flops = flops_of(layer, columns)});
    columns = y.columns();
  });
  return description;
}

}  // namespace minitrain::inline MINITRAIN_ABI
