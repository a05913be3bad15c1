#pragma once
// What a layer is. A user's own layer needs no base class and no registration.

#include <minitrain/core/view.hpp>
#include <minitrain/nn/init.hpp>

#include <concepts>
#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// One parameter tensor of a layer.
struct ParameterSpec {
  std::string name{};  // in files: "weight" of layer 0 is "0.weight"
  Shape shape{};       // as stored
  Init init = Init::zeros;
  std::size_t fan_in = 1, fan_out = 1;
  bool transposed = false;  // stored [in, out], in files [out, in] as PyTorch has it
};

/// Where a micro-batch stands in the run: what random layers key their numbers with.
struct Pass {
  std::uint64_t seed = 0;     // of the run
  std::uint64_t step = 0;     // optimizer steps done before this one
  std::size_t first_row = 0;  // samples of this step that came in earlier micro-batches
  bool training = false;      // false: evaluation or prediction
};

/// What a layer is given to compute y = f(x). B samples.
template <class T, class Device>
struct ForwardPass {
  View<const T, Device> x;            // [B, in]
  View<T, Device> y;                  // [B, out]
  View<T, Device> kept;               // [B, kept_columns()], for the backward pass
  const View<T, Device>* parameters;  // in the order of parameters()
  std::uint32_t layer;                // number in the model
  Pass pass;
};

/// What a layer is given to compute dx = (dy/dx)ᵀ·dy and to *add* its parameters' gradient, summed over the samples in
/// sample order, to what is there.
template <class T, class Device>
struct BackwardPass {
  View<const T, Device> x, y, kept;  // as in the forward pass
  View<const T, Device> dy;          // [B, out]: gradient of the loss by y
  View<T, Device> dx;                // [B, in]; empty when nobody needs it
  const View<T, Device>* parameters;
  const View<T, Device>* gradients;  // as `parameters`; add to them
  std::uint32_t layer;
  Pass pass;
};

/// A layer says what it is:
///
///     Shape output_shape(const Shape& x) const       // of a batch [B, in]; throws ShapeError when x does not fit
///     std::string name() const                       // "Dense{784, 128}", for messages and summaries
///
/// computes, on any scalar and device that it wants to serve (float for training, double for gradient checks):
///
///     template <class T, class Device> void forward(const Device&, const ForwardPass<T, Device>&) const
///     template <class T, class Device> void backward(const Device&, const BackwardPass<T, Device>&) const
///
/// and may say more:
///
///     std::vector<ParameterSpec> parameters() const  // none when absent
///     std::size_t input_columns() const              // when it takes one width only
///     std::size_t kept_columns(std::size_t in) const // scalars per sample to keep for the backward pass
///     double flops(std::size_t in) const             // of one sample's forward pass, for summaries
///     static constexpr bool replayable = true        // on a GPU, see below
///
/// A GPU goes through steps fastest when their launches are recorded once and replayed. A layer that is `replayable`
/// launches the same for every step of as many samples: what it does on the host does not matter, and Pass reaches
/// nothing but the library's own operations. With another layer in the model, every step is launched anew. For kernels
/// of your own, overload forward() and backward() for Cuda, in a .cu file, and launch on device.stream().
///
/// A layer with a member `Activation activation() const` is that function and nothing else: its forward() is not
/// called. Row b of y may depend on row b of x alone; then the split into micro-batches never shows.
template <class L>
concept Layer = std::copy_constructible<L> && requires(const L& layer, const Shape& x) {
  { layer.output_shape(x) } -> std::same_as<Shape>;
  { layer.name() } -> std::convertible_to<std::string>;
};

template <class L>
concept HasParameters = requires(const L& layer) {
  { layer.parameters() } -> std::same_as<std::vector<ParameterSpec>>;
};

template <Layer L>
std::vector<ParameterSpec> parameters_of(const L& layer) {
  if constexpr (HasParameters<L>) {
    return layer.parameters();
  } else {
    return {};
  }
}

/// 0 when the layer takes any width.
template <Layer L>
std::size_t input_columns_of(const L& layer) {
  if constexpr (requires { layer.input_columns(); }) {
    return layer.input_columns();
  } else {
    return 0;
  }
}

template <Layer L>
std::size_t kept_columns_of(const L& layer, std::size_t in) {
  if constexpr (requires { layer.kept_columns(in); }) {
    return layer.kept_columns(in);
  } else {
    return 0;
  }
}

template <Layer L>
double flops_of(const L& layer, std::size_t in) {
  if constexpr (requires { layer.flops(in); }) {
    return layer.flops(in);
  } else {
    return static_cast<double>(in);
  }
}

template <Layer L>
constexpr bool is_replayable() {
  if constexpr (requires { L::replayable; }) {
    return L::replayable;
  } else {
    return false;
  }
}

/// Throws ShapeError "NAME: input has n columns, wanted m" unless `x` has `wanted` columns.
inline void expect_columns(const Shape& x, std::size_t wanted, const std::string& name) {
  if (x.columns() != wanted) {
    throw ShapeError(ErrorCode::shape_mismatch, {name, ": input has ", x.columns(), " columns, wanted ", wanted,
                                                 ": change this layer or what comes before it"});
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
