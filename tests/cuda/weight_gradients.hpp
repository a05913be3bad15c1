#pragma once
// Weight and bias gradients of a batch, in one piece or in several.

#include <minitrain/cuda/ops.hpp>

#include "cuda/support.hpp"

namespace test {

/// Of a Dense layer of 19 inputs over 75 samples, at most `part` of them at a time.
inline Results weight_gradients_in_parts(const Cuda& device, std::size_t outputs, std::size_t part) {
  const std::size_t rows = 75, inputs = 19;
  const auto x = on(device, uniform({rows, inputs}, 5)), dy = on(device, uniform({rows, outputs}, 6));
  Tensor<float, Cuda> dw(device, {inputs, outputs}), db(device, {outputs});
  for (std::size_t first = 0; first < rows; first += part) {
    const std::size_t count = std::min(part, rows - first);
    dense_backward_weights(device, in(x).rows(first, count), in(dy).rows(first, count), dw.view(), db.view(),
                           first > 0);
  }
  Results results;
  results.add("dw", device, dw.view());
  results.add("db", device, db.view());
  return results;
}

}  // namespace test
