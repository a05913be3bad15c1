#pragma once
// write_onnx(): a trained model for other programs to run.

#include <minitrain/core/tensor.hpp>
#include <minitrain/io/file.hpp>
#include <minitrain/io/onnx_graph.hpp>
#include <minitrain/nn/activations.hpp>
#include <minitrain/nn/dense.hpp>
#include <minitrain/nn/description.hpp>
#include <minitrain/nn/dropout.hpp>
#include <minitrain/nn/layer_norm.hpp>
#include <minitrain/nn/softmax.hpp>
#include <minitrain/train/slab_layout.hpp>

#include <array>
#include <cmath>
#include <numbers>

namespace minitrain::inline MINITRAIN_ABI {

/// What a layer adds to a graph with: the name of what comes into it, and those of its parameters, which have the shape
/// that they have in files, Dense weights [out, in].
struct OnnxLayer {
  OnnxGraph& graph;
  std::string x;
  std::vector<std::string> parameters{};
};

// What the layers are in ONNX: onnx_layer() returns the name of y. A layer of your own is exported when there is such a
// function in its namespace:
//
//   std::string onnx_layer(const Scale&, OnnxLayer& l) { return l.graph.node("Mul", {l.x, l.parameters[0]}); }

/// Gemm with the weight as PyTorch has it: y = x·Wᵀ + b.
inline std::string onnx_layer(const Dense& layer, OnnxLayer& l) {
  if (layer.bias) return l.graph.node("Gemm", {l.x, l.parameters[0], l.parameters[1]}, {{"transB", 1}});
  return l.graph.node("Gemm", {l.x, l.parameters[0]}, {{"transB", 1}});
}

template <ActivationLayer L>
std::string onnx_layer(const L& layer, OnnxLayer& l) {
  const Activation f = layer.activation();
  switch (f.kind) {
    case ActivationKind::identity:
      break;
    case ActivationKind::relu:
      return l.graph.node("Relu", {l.x});
    case ActivationKind::leaky_relu:
      return l.graph.node("LeakyRelu", {l.x}, {{"alpha", static_cast<float>(f.slope)}});
    case ActivationKind::tanh:
      return l.graph.node("Tanh", {l.x});
    case ActivationKind::sigmoid:
      return l.graph.node("Sigmoid", {l.x});
    case ActivationKind::gelu: {  // x·(1 + erf(x/sqrt(2)))/2: the operator Gelu is of a newer set
      const std::string scaled = l.graph.node("Mul", {l.x, l.graph.number(1 / std::numbers::sqrt2)});
      const std::string erf = l.graph.node("Erf", {scaled});
      const std::string twice = l.graph.node("Add", {erf, l.graph.number(1)});
      const std::string distribution = l.graph.node("Mul", {twice, l.graph.number(0.5)});
      return l.graph.node("Mul", {l.x, distribution});
    }
    case ActivationKind::silu:
      return l.graph.node("Mul", {l.x, l.graph.node("Sigmoid", {l.x})});
  }
  return l.x;
}

inline std::string onnx_layer(const Softmax&, OnnxLayer& l) { return l.graph.node("Softmax", {l.x}, {{"axis", -1}}); }

inline std::string onnx_layer(const LayerNorm& layer, OnnxLayer& l) {
  return l.graph.node("LayerNormalization", {l.x, l.parameters[0], l.parameters[1]},
                      {{"axis", -1}, {"epsilon", static_cast<float>(layer.epsilon)}});
}

/// Nothing: what is written predicts.
inline std::string onnx_layer(const Dropout&, OnnxLayer& l) { return l.x; }

/// Replaces the file by the model as ONNX, for onnxruntime, TensorRT, OpenVINO, netron, ...: "input" [batch, columns]
/// to "output" [batch, outputs], which is what trainer.predict() gives up to the rounding of another order of sums
/// (and, for GELU far below 0, of 1 + erf; onnxruntime has no erf of doubles). Parameters keep their names, "0.weight".
///
///   write_onnx("model.onnx", model, trainer.parameters());
///
/// The file appears whole or not at all. Throws ShapeError (count_mismatch) when these are not the model's parameters;
/// NumericError when one is not finite; DataError: unsupported, with its name, for a layer without onnx_layer(),
/// overflow past 2 GiB, io_error.
template <Model M, class T>
void write_onnx(const std::string& path, const M& model, const Tensor<T>& parameters) {
  const ModelDescription description = describe(model);
  if (parameters.size() != description.parameter_count()) {
    throw ShapeError(ErrorCode::count_mismatch,
                     {"onnx: ", parameters.size(), " parameters, but the model has ", description.parameter_count(),
                      ": give parameters() of a trainer of this model"});
  }
  for (const T& value : parameters) {
    if (std::isfinite(value)) continue;
    throw NumericError({detail::io::shown(path),
                        ": not written: not all parameters are finite: begin again with a "
                        "lower learning rate, or from a file of before"});
  }
  OnnxGraph graph(sizeof(T), description.input_columns(), description.output_columns());
  OnnxLayer place{.graph = graph, .x = OnnxGraph::input_name};
  std::size_t number = 0;
  const T* next = parameters.data();
  std::vector<T> turned;
  model.for_each_layer([&]<class L>(const L& layer) {
    place.parameters.clear();
    for (const ParameterSpec& spec : description.layers[number].parameters) {
      const std::size_t size = spec.shape.size();
      std::array<std::size_t, Shape::max_rank> extents{};
      for (std::size_t axis = 0; axis < spec.shape.rank(); ++axis) extents[axis] = spec.shape[axis];
      std::span<const T> values(next, size);
      if (spec.transposed) {
        turned.resize(size);
        detail::transpose(next, spec.shape[0], spec.shape[1], turned.data());
        std::swap(extents[0], extents[1]);
        values = turned;
      }
      place.parameters.push_back(
          graph.array<T>(joined({number, ".", spec.name}), std::span(extents).first(spec.shape.rank()), values));
      next += size;
    }
    if constexpr (requires { onnx_layer(layer, place); }) {
      place.x = onnx_layer(layer, place);
    } else {
      throw DataError(ErrorCode::unsupported,
                      {"onnx: layer ", number, ", ", std::string(layer.name()),
                       ": nobody has said what it is in ONNX: write onnx_layer() for it, see train/onnx.hpp"});
    }
    ++number;
  });
  const std::string file = graph.file(place.x);
  const std::array pieces{std::as_bytes(std::span(file))};
  write_file(path, pieces);
}

}  // namespace minitrain::inline MINITRAIN_ABI
