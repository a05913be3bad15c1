#pragma once
// Sequential: layers one after another, their types known to the compiler.

#include <minitrain/nn/layer.hpp>

#include <tuple>

namespace minitrain::inline MINITRAIN_ABI {

/// Sequential{Dense{784, 128}, ReLU{}, Dense{128, 10}}. Layers are numbered from 0, as in PyTorch's nn.Sequential.
template <Layer... Layers>
class Sequential {
 public:
  explicit constexpr Sequential(Layers... layers) : layers_(std::move(layers)...) {}

  static constexpr std::size_t size() noexcept { return sizeof...(Layers); }
  template <std::size_t I>
  const auto& layer() const {
    return std::get<I>(layers_);
  }

  /// Calls f(layer) for each layer in order.
  template <class F>
  void for_each_layer(F&& f) const {
    std::apply([&](const Layers&... layers) { (f(layers), ...); }, layers_);
  }

 private:
  std::tuple<Layers...> layers_;
};

namespace detail {
struct SeesLayers {  // a lambda in the concept is more than nvcc 13 understands
  template <class L>
  void operator()(const L&) const {}
};
}  // namespace detail

/// What a trainer takes: anything that can show its layers in order.
template <class M>
concept Model = std::copy_constructible<M> && requires(const M& model) {
  model.for_each_layer(detail::SeesLayers{});
};

}  // namespace minitrain::inline MINITRAIN_ABI
