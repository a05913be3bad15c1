#pragma once
// Network: a model given memory on a device. One slab of parameters, one of gradient sums, buffers for one micro-batch.

#include <minitrain/core/tensor.hpp>
#include <minitrain/nn/description.hpp>
#include <minitrain/nn/fusion.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// One parameter tensor inside the slabs.
struct NetworkParameter {
  std::string name;  // "0.weight"
  ParameterSpec spec;
  std::size_t offset = 0;  // in scalars, from the beginning of the slab
};

/// Runs a model forward and backward, one micro-batch at a time.
template <class T, class Device>
class Network {
 public:
  /// Throws ShapeError when the layers do not fit together. Parameters begin as their Init says, from `seed`.
  template <Model M>
  Network(const Device& device, const M& model, std::uint64_t seed) : description_(describe(model)) {
    std::size_t slab = 0;
    for (std::size_t number = 0; number < description_.layers.size(); ++number) {
      for (const ParameterSpec& spec : description_.layers[number].parameters) {
        list_.push_back({joined({number, ".", spec.name}), spec, slab});
        slab += aligned(spec.shape.size());
      }
    }
    parameters_ = Tensor<T, Device>(device, Shape{slab});
    gradients_ = Tensor<T, Device>(device, Shape{slab});
    initialise_parameters(device, seed);

    Fusion<T, Device> fusion;
    std::size_t number = 0, parameter = 0;
    model.for_each_layer([&](const auto& layer) {
      const LayerDescription& d = description_.layers[number];
      std::vector<View<T, Device>> parameters, gradients;
      for (std::size_t i = 0; i < d.parameters.size(); ++i, ++parameter) {
        parameters.push_back({parameters_.data() + list_[parameter].offset, d.parameters[i].shape});
        gradients.push_back({gradients_.data() + list_[parameter].offset, d.parameters[i].shape});
      }
      fusion.add(layer, d.in, d.out, std::move(parameters), std::move(gradients), static_cast<std::uint32_t>(number));
      ++number;
    });
    stages_ = fusion.take();
    buffers_.resize(stages_.size());
  }

  /// Scalars of each slab, the padding between tensors among them.
  static std::size_t slab_size(const ModelDescription& description) {
    std::size_t size = 0;
    for (const LayerDescription& layer : description.layers) {
      for (const ParameterSpec& spec : layer.parameters) size += aligned(spec.shape.size());
    }
    return size;
  }

  const ModelDescription& description() const noexcept { return description_; }
  const std::vector<NetworkParameter>& list() const noexcept { return list_; }
  Tensor<T, Device>& parameters() noexcept { return parameters_; }
  const Tensor<T, Device>& parameters() const noexcept { return parameters_; }
  const Tensor<T, Device>& gradients() const noexcept { return gradients_; }
  std::size_t input_columns() const noexcept { return stages_.front().in; }
  std::size_t output_columns() const noexcept { return stages_.back().out; }
  std::size_t stages() const noexcept { return stages_.size(); }
  bool ends_in_softmax() const noexcept { return stages_.back().is_softmax && stages_.size() > 1; }

  /// Whether a device may record the launches of a step and replay them; see nn/layer.hpp.
  bool replayable() const noexcept {
    for (const auto& stage : stages_) {
      if (!stage.stage->replayable()) return false;
    }
    return true;
  }

  /// Scalars of buffers per sample: outputs, kept values and two gradients of the widest layer.
  std::size_t scalars_per_sample() const noexcept {
    std::size_t count = 2 * widest();
    for (const auto& stage : stages_) count += stage.out + stage.kept;
    return count;
  }

  /// Makes room for micro-batches of up to `rows` samples.
  void reserve(const Device& device, std::size_t rows) {
    if (rows <= capacity_) return;
    buffer_ = Tensor<T, Device>(device, Shape{rows * scalars_per_sample() + (2 * stages_.size() + 2) * alignment});
    T* next = buffer_.data();
    const auto take = [&](std::size_t columns) {
      T* piece = next;
      next += aligned(rows * columns);
      return piece;
    };
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      buffers_[i].y = {take(stages_[i].out), Shape()};
      buffers_[i].kept = {take(stages_[i].kept), Shape()};
    }
    for (auto& gradient : gradient_) gradient = take(widest());
    buffers_.front().x = {};  // the next micro-batch gets new views
    capacity_ = rows;
  }
  std::size_t capacity() const noexcept { return capacity_; }

  /// y = model(x) through the first `count` stages; x [B, input_columns()], B at most capacity(). The result and what
  /// the backward pass needs stay until the next call; so must x.
  const View<T, Device>& forward(const Device& device, const View<const T, Device>& x, const Pass& pass,
                                 std::size_t count) {
    set_micro_batch(x);
    for (std::size_t i = 0; i < count; ++i) stages_[i].stage->forward(device, buffers_[i], pass);
    return buffers_[count - 1].y;
  }

  /// Where the loss leaves its gradient by the output of stage `count` - 1, after forward() and before backward().
  const View<T, Device>& output_gradient(std::size_t count) const noexcept { return buffers_[count - 1].dy; }

  /// Adds the gradient of the samples that forward() saw to the gradient sums, or begins them when `first`.
  void backward(const Device& device, const Pass& pass, std::size_t count, bool first) {
    for (std::size_t i = count; i-- > 0;) stages_[i].stage->backward(device, buffers_[i], pass, first);
  }
  /// The same, and dx[B, input_columns()] receives the gradient by the input.
  void backward(const Device& device, const Pass& pass, std::size_t count, bool first, const View<T, Device>& dx) {
    const View<T, Device> none = std::exchange(buffers_.front().dx, dx);
    backward(device, pass, count, first);
    buffers_.front().dx = none;
  }

 private:
  static constexpr std::size_t alignment = 64 / sizeof(float);
  static constexpr std::size_t aligned(std::size_t scalars) noexcept {
    return (scalars + alignment - 1) / alignment * alignment;
  }

  /// Gives every stage its views. They change only when x or the number of samples does: in the steady state a step
  /// writes none of them.
  void set_micro_batch(const View<const T, Device>& x) {
    const std::size_t rows = x.rows();
    StageBuffers<T, Device>& front = buffers_.front();
    if (x.data() == front.x.data() && rows == front.x.rows()) return;
    View<const T, Device> input = x;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      StageBuffers<T, Device>& b = buffers_[i];
      // Gradients take turns in two buffers, so that a stage never reads and writes one.
      T *const out = gradient_[i % 2], *const in = gradient_[1 - i % 2];
      b.x = input;
      b.y = {b.y.data(), Shape::matrix(rows, stages_[i].out)};
      b.kept = {b.kept.data(), Shape::matrix(rows, stages_[i].kept)};
      b.dy = {out, Shape::matrix(rows, stages_[i].out)};
      if (i > 0) b.dx = {in, Shape::matrix(rows, stages_[i].in)};
      input = b.y;
    }
  }

  std::size_t widest() const noexcept {
    std::size_t columns = 0;
    for (const auto& stage : stages_) columns = std::max({columns, stage.in, stage.out});
    return columns;
  }

  void initialise_parameters(const Device& device, std::uint64_t seed) {
    std::uint32_t stream = 0;
    for (const NetworkParameter& parameter : list_) {
      const ParameterSpec& spec = parameter.spec;
      fill_initial(device, initial_values(spec.init, spec.fan_in, spec.fan_out, seed, stream++),
                   View<T, Device>(parameters_.data() + parameter.offset, spec.shape));
    }
  }

  ModelDescription description_;
  std::vector<NetworkParameter> list_;
  Tensor<T, Device> parameters_, gradients_, buffer_;
  std::vector<PlannedStage<T, Device>> stages_;
  std::vector<StageBuffers<T, Device>> buffers_;
  T* gradient_[2] = {nullptr, nullptr};
  std::size_t capacity_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI
