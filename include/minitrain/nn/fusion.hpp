#pragma once
// Fusion: from the layers a user wrote to the stages that run. The only place that knows which neighbours go together.

#include <minitrain/nn/activations.hpp>
#include <minitrain/nn/dense.hpp>
#include <minitrain/nn/softmax.hpp>
#include <minitrain/nn/stage.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// A stage and what the network must know to give it buffers.
template <class T, class Device>
struct PlannedStage {
  std::unique_ptr<Stage<T, Device>> stage;
  std::size_t in = 0, out = 0, kept = 0;
  bool is_softmax = false;
  std::uint32_t layer = 0;  // the first of those it runs
};

/// Takes the layers in order and plans stages:
///   Dense, f   -> one DenseStage, when f' can be had from f's output (all but GELU and SiLU)
///   f, Dense   -> on the way back, Dense multiplies dx by the derivative of an f fused before it
/// and leaves every other layer as it is.
template <class T, class Device>
class Fusion {
 public:
  using Views = std::vector<View<T, Device>>;

  template <Layer L>
  void add(const L& layer, std::size_t in, std::size_t out, Views parameters, Views gradients, std::uint32_t number) {
    if constexpr (std::same_as<L, Dense>) {
      auto stage = std::make_unique<DenseStage<T, Device>>(parameters.data(), gradients.data(), layer.bias);
      if (last_ != nullptr && last_->trailing_activation().kind != ActivationKind::identity) {
        stage->set_previous_activation(last_->trailing_activation());
        last_->leave_activation_to_next();
      }
      last_dense_ = stage.get();
      push(std::move(stage), in, out, 0, number);
    } else if constexpr (ActivationLayer<L>) {
      const Activation activation = checked_activation(layer.activation());
      if (last_dense_ != nullptr && derivative_from_output(activation.kind)) {
        last_dense_->set_activation(activation);
        last_dense_ = nullptr;
      } else {
        last_dense_ = nullptr;
        push(std::make_unique<ActivationStage<T, Device>>(activation), in, out, 0, number);
      }
    } else {
      last_dense_ = nullptr;
      push(std::make_unique<LayerStage<L, T, Device>>(layer, std::move(parameters), std::move(gradients), number), in,
           out, kept_columns_of(layer, in), number);
      plan_.back().is_softmax = std::same_as<L, Softmax>;
    }
  }

  std::vector<PlannedStage<T, Device>> take() { return std::move(plan_); }

 private:
  void push(std::unique_ptr<Stage<T, Device>> stage, std::size_t in, std::size_t out, std::size_t kept,
            std::uint32_t number) {
    last_ = stage.get();
    plan_.push_back({std::move(stage), in, out, kept, false, number});
  }

  std::vector<PlannedStage<T, Device>> plan_;
  Stage<T, Device>* last_ = nullptr;             // the stage just planned
  DenseStage<T, Device>* last_dense_ = nullptr;  // the same, if it is a Dense still open to an activation
};

}  // namespace minitrain::inline MINITRAIN_ABI
