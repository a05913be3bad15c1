#pragma once
// What a network needs by the answers that it is to find: classes or numbers.

#include <minitrain/trainer.hpp>

namespace examples {

/// Outputs of the network.
inline std::size_t outputs_for(const minitrain::Dataset& data) {
  return data.is_classification() ? data.classes() : data.target_columns();
}

/// Returns f(loss).
template <class F>
decltype(auto) with_loss(const minitrain::Dataset& data, const F& f) {
  if (data.is_classification()) return f(minitrain::SoftmaxCrossEntropy{});
  return f(minitrain::MeanSquaredError{});
}

}  // namespace examples
