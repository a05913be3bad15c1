#pragma once
// ParameterTensor: one tensor of a model's parameters, as optimizers see it. MomentLayout: what a slab of their state
// holds.

#include <minitrain/config.hpp>

#include <cstddef>
#include <string_view>

namespace minitrain::inline MINITRAIN_ABI {

/// Where a tensor lies in the slabs of parameters, gradient sums and moments, and what is different for it. Its
/// elements are a matrix [rows, columns], row-major: columns are the last axis, rows all others; a vector is one row.
struct ParameterTensor {
  std::string_view name{};  // "0.weight"; belongs to the network
  std::size_t offset = 0;   // of the first element in every slab, in scalars
  std::size_t rows = 1, columns = 0;
  std::size_t rank = 1;
  double learning_rate_factor = 1;  // see optim/groups.hpp
  bool has_weight_decay = false;
  double weight_decay = 0;  // instead of the optimizer's, if it has one

  constexpr std::size_t size() const noexcept { return rows * columns; }
  /// Biases, and gains and shifts of normalisations.
  constexpr bool is_vector() const noexcept { return rank < 2; }
  /// The weight decay of this tensor, where `usual` is the optimizer's.
  constexpr double decay_of(double usual) const noexcept { return has_weight_decay ? weight_decay : usual; }
};

/// What one slab of an optimizer's state holds: one scalar for each parameter, at the parameter's place; or `count`
/// scalars, or `count` bytes, in an order of the optimizer's own.
struct MomentLayout {
  enum class Kind { per_parameter, scalars, bytes };
  Kind kind = Kind::per_parameter;
  std::size_t count = 0;

  static constexpr MomentLayout scalars(std::size_t count) noexcept { return {Kind::scalars, count}; }
  static constexpr MomentLayout bytes(std::size_t count) noexcept { return {Kind::bytes, count}; }

  /// Scalars of `scalar_bytes` that a slab takes, beside parameters in a slab of `parameters` scalars.
  constexpr std::size_t scalars_in(std::size_t parameters, std::size_t scalar_bytes) const noexcept {
    if (kind == Kind::per_parameter) return parameters;
    return kind == Kind::scalars ? count : (count + scalar_bytes - 1) / scalar_bytes;
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
