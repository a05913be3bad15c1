#pragma once
// Activation functions, by name: what operations take as an argument.

#include <minitrain/config.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Elementwise y = f(z).
///   identity    z                         relu     max(0, z), derivative 0 at 0
///   leaky_relu  z > 0 ? z : slope·z       tanh     tanh(z)
///   sigmoid     1 / (1 + exp(-z))         gelu     z·Phi(z), Phi the normal distribution function (not its tanh
///   approximation) silu        z·sigmoid(z)
enum class ActivationKind { identity, relu, leaky_relu, tanh, sigmoid, gelu, silu };

struct Activation {
  ActivationKind kind = ActivationKind::identity;
  double slope = 0.01;  // of leaky_relu, in [0, 1)
};

/// Whether f'(z) can be computed from y = f(z) alone, so that z need not be kept: all but gelu and silu.
constexpr bool derivative_from_output(ActivationKind kind) noexcept {
  return kind != ActivationKind::gelu && kind != ActivationKind::silu;
}

}  // namespace minitrain::inline MINITRAIN_ABI
