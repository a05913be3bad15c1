#pragma once
// SlabLayout: where each tensor of a run lies in its slabs, and under what name and shape it stands in a file.

#include <minitrain/train/accumulator.hpp>

#include <string_view>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// In files, before the names of gradient sums, and of the best parameters so far and their average.
inline constexpr std::string_view accumulated_prefix = "accumulated.", best_prefix = "best.",
                                  best_average_prefix = "best_average.";

/// One slab of a run.
struct SlabSpec {
  std::string name{};    // in files: of its tensor, or what comes before the names of parameters, "optimizer.exp_avg."
  MomentLayout holds{};  // one scalar for each parameter, or something of the optimizer's own
  bool always = true;    // false: gradient sums and best parameters, where there are any
  bool finite = true;    // false: gradient sums of fp16 may be past its range
  std::size_t scalars = 0;  // with the padding between tensors

  bool per_parameter() const noexcept { return holds.kind == MomentLayout::Kind::per_parameter; }
  bool is_bytes() const noexcept { return holds.kind == MomentLayout::Kind::bytes; }
};

/// The slabs of a run: parameters, each of the optimizer's moments, best parameters and their average, gradient sums.
struct SlabLayout {
  std::size_t scalar = sizeof(float);          // bytes
  std::vector<NetworkParameter> parameters{};  // of every slab that has one scalar for each
  std::vector<SlabSpec> slabs{};

  std::string_view dtype() const noexcept { return scalar == sizeof(float) ? "F32" : "F64"; }
  /// Of a slab that is one tensor: its type in a file, and its bytes there.
  std::string_view dtype_of(const SlabSpec& slab) const noexcept { return slab.is_bytes() ? "U8" : dtype(); }
  std::size_t tensor_bytes(const SlabSpec& slab) const noexcept {
    return slab.holds.count * (slab.is_bytes() ? 1 : scalar);
  }
  std::size_t bytes(std::size_t slab) const noexcept { return slabs[slab].scalars * scalar; }
  std::size_t largest_bytes() const noexcept {
    std::size_t most = 0;
    for (const NetworkParameter& p : parameters) most = std::max(most, p.spec.shape.size());
    return most * scalar;
  }
  std::size_t best() const noexcept { return slabs.size() - 3; }
  std::size_t best_average() const noexcept { return slabs.size() - 2; }
  std::size_t accumulated() const noexcept { return slabs.size() - 1; }
};

template <class T, class Device>
SlabLayout slab_layout(const Accumulator<T, Device>& core) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "files of weights hold float or double");
  const std::size_t scalars = core.network().parameters().size();
  SlabLayout layout{.scalar = sizeof(T), .parameters = core.network().list()};
  layout.slabs.push_back({.scalars = scalars});
  const OptimizerState<T, Device>& state = core.optimizer_state();
  for (std::size_t i = 0; i < state.moments().size(); ++i) {
    layout.slabs.push_back(
        {.name = state.file_name(i), .holds = state.layout(i), .scalars = state.moments()[i].size()});
  }
  for (const std::string_view prefix : {best_prefix, best_average_prefix}) {
    layout.slabs.push_back({.name = std::string(prefix), .always = false, .scalars = scalars});
  }
  layout.slabs.push_back(
      {.name = std::string(accumulated_prefix), .always = false, .finite = false, .scalars = scalars});
  return layout;
}

/// Whether layout is slab_layout(core), but for the names of moments; allocates nothing.
template <class T, class Device>
bool fits(const SlabLayout& layout, const Accumulator<T, Device>& core) noexcept {
  const auto& list = core.network().list();
  const auto moments = core.optimizer_state().moments();
  if (layout.scalar != sizeof(T) || layout.slabs.size() != moments.size() + 4 ||
      layout.slabs.front().scalars != core.network().parameters().size())
    return false;
  for (std::size_t i = 0; i < moments.size(); ++i) {
    if (layout.slabs[1 + i].scalars != moments[i].size()) return false;
  }
  return std::equal(list.begin(), list.end(), layout.parameters.begin(), layout.parameters.end(),
                    [](const NetworkParameter& x, const NetworkParameter& y) {
                      return x.offset == y.offset && x.spec.shape == y.spec.shape && x.name == y.name;
                    });
}

namespace detail {

/// to[j, i] = from[i, j].
template <class T>
void transpose(const T* from, std::size_t rows, std::size_t columns, T* to) {
  constexpr std::size_t block = 32;  // both sides in the cache
  for (std::size_t i0 = 0; i0 < rows; i0 += block) {
    for (std::size_t j0 = 0; j0 < columns; j0 += block) {
      for (std::size_t i = i0; i < std::min(rows, i0 + block); ++i) {
        for (std::size_t j = j0; j < std::min(columns, j0 + block); ++j) to[j * rows + i] = from[i * columns + j];
      }
    }
  }
}

template <class T>
bool all_finite(const T* values, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    if (!(values[i] - values[i] == 0)) return false;
  }
  return true;
}

inline std::vector<std::size_t> file_shape(const ParameterSpec& spec) {
  if (spec.transposed) return {spec.shape[1], spec.shape[0]};
  std::vector<std::size_t> shape;
  for (std::size_t axis = 0; axis < spec.shape.rank(); ++axis) shape.push_back(spec.shape[axis]);
  return shape;
}

}  // namespace detail

}  // namespace minitrain::inline MINITRAIN_ABI
