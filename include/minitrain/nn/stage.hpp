#pragma once
// Stage: one operation of a network that is ready to run. A layer, or a layer fused with its neighbours.

#include <minitrain/core/activation.hpp>
#include <minitrain/nn/layer.hpp>

#include <memory>

namespace minitrain::inline MINITRAIN_ABI {

/// Buffers of one stage for one micro-batch of B samples.
template <class T, class Device>
struct StageBuffers {
  View<const T, Device> x;  // [B, in]
  View<T, Device> y;        // [B, out]
  View<T, Device> kept;     // [B, kept columns]
  View<T, Device> dy;       // [B, out]: backward only, and free to be overwritten
  View<T, Device> dx;       // [B, in]: backward only; empty when nobody needs it
};

/// Runs forward and backward on views into the slabs of a network.
template <class T, class Device>
class Stage {
 public:
  virtual ~Stage() = default;
  virtual void forward(const Device&, const StageBuffers<T, Device>&, const Pass&) const = 0;
  /// `first`: the gradients hold nothing yet and are overwritten; otherwise they are added to.
  virtual void backward(const Device&, const StageBuffers<T, Device>&, const Pass&, bool first) const = 0;
  /// After backward(): sum += squared norms of the gradients of single samples by the parameters of this stage.
  virtual void add_squares(const Device&, const StageBuffers<T, Device>&, const View<double, Device>&) const {}
  /// Whether the function above counts all of its parameters, if it has any.
  virtual bool knows_squares() const { return true; }
  /// See nn/layer.hpp.
  virtual bool replayable() const { return true; }
  /// The activation this stage ends with, if the next stage can undo it on the way back, and word that it will.
  virtual Activation trailing_activation() const { return {}; }
  virtual void leave_activation_to_next() {}
};

/// y = f(x·W + b), forward and backward in as few passes as the device has them.
template <class T, class Device>
class DenseStage final : public Stage<T, Device> {
 public:
  DenseStage(const View<T, Device>* parameters, const View<T, Device>* gradients, bool bias)
      : weight_(parameters[0]), weight_gradient_(gradients[0]) {
    if (bias) bias_ = parameters[1], bias_gradient_ = gradients[1];
  }

  void set_activation(Activation activation) { activation_ = activation; }
  /// The input is the output of `activation`, whose derivative this stage applies to dx.
  void set_previous_activation(Activation activation) { previous_ = activation; }
  Activation trailing_activation() const override { return activation_; }
  void leave_activation_to_next() override { next_applies_activation_ = true; }

  void forward(const Device& device, const StageBuffers<T, Device>& b, const Pass&) const override {
    dense_forward(device, b.x, View<const T, Device>(weight_), View<const T, Device>(bias_), activation_, b.y);
  }

  void backward(const Device& device, const StageBuffers<T, Device>& b, const Pass&, bool first) const override {
    if (activation_.kind != ActivationKind::identity && !next_applies_activation_) {
      activation_backward(device, activation_, View<const T, Device>(), View<const T, Device>(b.y),
                          View<const T, Device>(b.dy), b.dy);
    }
    const View<const T, Device> dy = b.dy;
    dense_backward_weights(device, b.x, dy, weight_gradient_, bias_gradient_, !first);
    if (!b.dx.empty()) dense_backward_input(device, dy, View<const T, Device>(weight_), previous_, b.x, b.dx);
  }
  void add_squares(const Device& device, const StageBuffers<T, Device>& b,
                   const View<double, Device>& sum) const override {
    if constexpr (measures) add_gradient_squares(device, b.x, View<const T, Device>(b.dy), !bias_.empty(), sum);
  }
  bool knows_squares() const override { return measures; }

 private:
  static constexpr bool measures = std::is_floating_point_v<T>;  // not dual numbers

  View<T, Device> weight_, weight_gradient_, bias_, bias_gradient_;
  Activation activation_, previous_;
  bool next_applies_activation_ = false;
};

/// An activation that no Dense layer took over.
template <class T, class Device>
class ActivationStage final : public Stage<T, Device> {
 public:
  explicit ActivationStage(Activation activation) : activation_(activation) {}

  void forward(const Device& device, const StageBuffers<T, Device>& b, const Pass&) const override {
    activation_forward(device, activation_, b.x, b.y);
  }
  void backward(const Device& device, const StageBuffers<T, Device>& b, const Pass&, bool) const override {
    if (b.dx.empty()) return;
    activation_backward(device, activation_, b.x, View<const T, Device>(b.y), View<const T, Device>(b.dy), b.dx);
  }

 private:
  Activation activation_;
};

/// Any other layer, the user's own included.
template <class L, class T, class Device>
class LayerStage final : public Stage<T, Device> {
 public:
  LayerStage(const L& layer, std::vector<View<T, Device>> parameters, std::vector<View<T, Device>> gradients,
             std::uint32_t number)
      : layer_(layer), parameters_(std::move(parameters)), gradients_(std::move(gradients)), number_(number) {}

  void forward(const Device& device, const StageBuffers<T, Device>& b, const Pass& pass) const override {
    layer_.forward(device, ForwardPass<T, Device>{b.x, b.y, b.kept, parameters_.data(), number_, pass});
  }
  void backward(const Device& device, const StageBuffers<T, Device>& b, const Pass& pass, bool first) const override {
    if (first) {
      for (const View<T, Device>& gradient : gradients_) fill_zero(device, gradient);
    }
    layer_.backward(device, BackwardPass<T, Device>{b.x, b.y, b.kept, b.dy, b.dx, parameters_.data(), gradients_.data(),
                                                    number_, pass});
  }
  bool replayable() const override { return is_replayable<L>(); }
  bool knows_squares() const override { return parameters_.empty(); }

 private:
  L layer_;
  std::vector<View<T, Device>> parameters_, gradients_;
  std::uint32_t number_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
