#pragma once
// SlabLayout: where each tensor of a run lies in its slabs, and under what name and shape it stands in a file.

#include <minitrain/train/accumulator.hpp>

#include <string_view>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// In files, before the names of gradient sums.
inline constexpr std::string_view accumulated_prefix = "accumulated.";

/// Slabs of one shape: parameters, then one of each of the optimizer's moments, then gradient sums.
struct SlabLayout {
  std::size_t scalar = sizeof(float);          // bytes
  std::size_t slab = 0;                        // scalars of a slab, with the padding between tensors
  std::vector<NetworkParameter> parameters{};  // of every slab
  std::vector<std::string> prefixes{};         // of their names, slab by slab: "", "optimizer.exp_avg.", ...

  std::string_view dtype() const noexcept { return scalar == sizeof(float) ? "F32" : "F64"; }
  std::size_t slab_bytes() const noexcept { return slab * scalar; }
  /// Of the slabs: gradient sums of fp16 may be past its range.
  std::size_t finite_slabs() const noexcept { return prefixes.empty() ? 0 : prefixes.size() - 1; }
  std::size_t largest_bytes() const noexcept {
    std::size_t most = 0;
    for (const NetworkParameter& p : parameters) most = std::max(most, p.spec.shape.size());
    return most * scalar;
  }

  friend bool operator==(const SlabLayout& a, const SlabLayout& b) noexcept {
    const auto same = [](const NetworkParameter& x, const NetworkParameter& y) {
      return x.offset == y.offset && x.spec.shape == y.spec.shape && x.spec.transposed == y.spec.transposed &&
             x.name == y.name;
    };
    return a.scalar == b.scalar && a.slab == b.slab && a.prefixes == b.prefixes &&
           std::equal(a.parameters.begin(), a.parameters.end(), b.parameters.begin(), b.parameters.end(), same);
  }
};

template <class T, class Device>
SlabLayout slab_layout(const Accumulator<T, Device>& core) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "files of weights hold float or double");
  SlabLayout layout{.scalar = sizeof(T),
                    .slab = core.network().parameters().size(),
                    .parameters = core.network().list(),
                    .prefixes = {""}};
  for (std::size_t i = 0; i < core.moments().size(); ++i)
    layout.prefixes.push_back(joined({"optimizer.", core.rule().moment_name(i), "."}));
  layout.prefixes.emplace_back(accumulated_prefix);
  return layout;
}

/// layout == slab_layout(core), but for the names of moments; allocates nothing.
template <class T, class Device>
bool fits(const SlabLayout& layout, const Accumulator<T, Device>& core) noexcept {
  const auto& list = core.network().list();
  return layout.scalar == sizeof(T) && layout.slab == core.network().parameters().size() &&
         layout.prefixes.size() == core.moments().size() + 2 &&
         std::equal(list.begin(), list.end(), layout.parameters.begin(), layout.parameters.end(),
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
