#pragma once
// Initial values of parameters, from Philox: a function of (seed, tensor, element), the same on every machine.

#include <minitrain/core/initial_values.hpp>
#include <minitrain/core/view.hpp>

#include <cmath>

namespace minitrain::inline MINITRAIN_ABI {

/// How a parameter begins. With fan_in inputs and fan_out outputs of the layer:
///   zeros, ones
///   fan_in_uniform   U(-a, a), a = 1/sqrt(fan_in)               PyTorch's default for Linear, weight and bias
///   he_normal        N(0, 2/fan_in)                             He et al., ICCV 2015: for ReLU
///   he_uniform       U(-a, a), a = sqrt(6/fan_in)
///   xavier_normal    N(0, 2/(fan_in + fan_out))                 Glorot & Bengio, AISTATS 2010: for tanh
///   xavier_uniform   U(-a, a), a = sqrt(6/(fan_in + fan_out))
enum class Init { zeros, ones, fan_in_uniform, he_normal, he_uniform, xavier_normal, xavier_uniform };

/// What a device fills a tensor with. `stream` tells one tensor from another.
inline InitialValues initial_values(Init init, std::size_t fan_in, std::size_t fan_out, std::uint64_t seed,
                                    std::uint32_t stream) {
  using Kind = InitialValues::Kind;
  const double in = static_cast<double>(fan_in > 0 ? fan_in : 1), both = in + static_cast<double>(fan_out);
  switch (init) {
    case Init::zeros:
      break;
    case Init::ones:
      return {Kind::constant, 1, seed, stream};
    case Init::fan_in_uniform:
      return {Kind::uniform, 1 / std::sqrt(in), seed, stream};
    case Init::he_normal:
      return {Kind::normal, std::sqrt(2 / in), seed, stream};
    case Init::he_uniform:
      return {Kind::uniform, std::sqrt(6 / in), seed, stream};
    case Init::xavier_normal:
      return {Kind::normal, std::sqrt(2 / both), seed, stream};
    case Init::xavier_uniform:
      return {Kind::uniform, std::sqrt(6 / both), seed, stream};
  }
  return {Kind::constant, 0, seed, stream};
}

/// Fills `values` (in host memory).
template <class T>
void initialise(View<T> values, Init init, std::size_t fan_in, std::size_t fan_out, std::uint64_t seed,
                std::uint32_t stream) {
  initial_elements(initial_values(init, fan_in, fan_out, seed, stream), 0, values.size(), values.data());
}

}  // namespace minitrain::inline MINITRAIN_ABI
