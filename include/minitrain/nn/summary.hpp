#pragma once
// summary(model): layers, shapes, parameters, FLOPs and bytes as a table.

#include <minitrain/nn/description.hpp>

#include <cstdio>

namespace minitrain::inline MINITRAIN_ABI {

/// A table of the model's layers. FLOPs and activation bytes are per sample and forward pass, in scalars of
/// `scalar_bytes`.
inline std::string to_string(const ModelDescription& model, std::size_t scalar_bytes = sizeof(float)) {
  std::string text;
  char line[256];
  const auto row = [&](const char* layer, const char* output, const char* parameters, const char* flops,
                       const char* bytes) {
    std::snprintf(line, sizeof line, "%-24.60s %-14s %14s %14s %12s\n", layer, output, parameters, flops, bytes);
    text += line;
  };
  const auto row_of = [&](const std::string& name, std::size_t out, std::size_t parameters, double flops,
                          std::size_t scalars) {
    char f[32];
    std::snprintf(f, sizeof f, "%.0f", flops);
    row(name.c_str(), ("[B, " + std::to_string(out) + "]").c_str(), std::to_string(parameters).c_str(), f,
        std::to_string(scalars * scalar_bytes).c_str());
  };
  row("layer", "output", "parameters", "FLOP/sample", "bytes/sample");
  for (const LayerDescription& layer : model.layers) {
    row_of(layer.name, layer.out, layer.parameter_count(), layer.forward_flops, layer.out + layer.kept);
  }
  row_of("total", model.output_columns(), model.parameter_count(), model.forward_flops(), model.activations());
  return text;
}

/// std::puts(summary(model).c_str()) shows what a model is. Throws ShapeError when its layers do not fit together.
template <Model M>
std::string summary(const M& model) {
  return to_string(describe(model));
}

}  // namespace minitrain::inline MINITRAIN_ABI
