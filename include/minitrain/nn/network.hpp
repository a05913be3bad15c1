#pragma once
// Network: a model given memory on a device. One slab of parameters, one of gradient sums, buffers for one micro-batch.

#include <minitrain/core/tensor.hpp>
#include <minitrain/nn/description.hpp>
#include <minitrain/nn/fusion.hpp>

#include <algorithm>

namespace minitrain::inline MINITRAIN_ABI {

/// One parameter tensor inside the slabs.
struct NetworkParameter {
  std::string name;  // "0.weight"
  ParameterSpec spec;
  std::size_t offset = 0;  // in scalars, from the beginning of the slab
};

/// What a network takes of a device's memory, in scalars.
struct NetworkSize {
  std::size_t slab = 0;        // parameters with the padding between them; as many gradient sums
  std::size_t per_sample = 0;  // buffers for each sample of a micro-batch
  std::size_t padding = 0;     // of these buffers, whatever the micro-batch
  std::size_t inputs = 0, outputs = 0;
  bool replayable = true;  // see nn/layer.hpp
};

/// Runs a model forward and backward, one micro-batch at a time.
template <class T, class Device>
class Network {
 public:
  /// Throws ShapeError when the layers do not fit together. Parameters begin as their Init says, from `seed`.
  template <Model M>
  Network(const Device& device, const M& model, std::uint64_t seed) : description_(describe(model)) {
    std::size_t slab = 0;
    list_ = list_of(description_, slab);
    parameters_ = Tensor<T, Device>(device, Shape{slab});
    gradients_ = Tensor<T, Device>(device, Shape{slab});
    initialise_parameters(device, seed);
    stages_ = plan_stages(model, description_, parameters_.data(), gradients_.data());
    buffers_.resize(stages_.size());
  }

  /// The parameter tensors of a model as they lie in its slabs, each of `slab` scalars.
  static std::vector<NetworkParameter> list_of(const ModelDescription& description, std::size_t& slab) {
    std::vector<NetworkParameter> list;
    slab = 0;
    for (std::size_t number = 0; number < description.layers.size(); ++number) {
      for (const ParameterSpec& spec : description.layers[number].parameters) {
        list.push_back({joined({number, ".", spec.name}), spec, slab});
        slab += aligned(spec.shape.size());
      }
    }
    return list;
  }

  /// What a network of that model takes, found out without one. Throws ShapeError as the constructor does.
  template <Model M>
  static NetworkSize size_of(const M& model) {
    const ModelDescription description = describe(model);
    std::size_t slab = 0;
    static_cast<void>(list_of(description, slab));
    return size_of(plan_stages(model, description, nullptr, nullptr), slab);
  }
  /// What this one takes.
  NetworkSize size() const noexcept { return size_of(stages_, parameters_.size()); }

  const ModelDescription& description() const noexcept { return description_; }
  const std::vector<NetworkParameter>& list() const noexcept { return list_; }
  Tensor<T, Device>& parameters() noexcept { return parameters_; }
  const Tensor<T, Device>& parameters() const noexcept { return parameters_; }
  Tensor<T, Device>& gradients() noexcept { return gradients_; }
  const Tensor<T, Device>& gradients() const noexcept { return gradients_; }
  std::size_t input_columns() const noexcept { return stages_.front().in; }
  std::size_t output_columns() const noexcept { return stages_.back().out; }
  std::size_t stages() const noexcept { return stages_.size(); }
  /// "2 (Dense{16, 3})", the first of the layers that a stage runs.
  std::string stage_name(std::size_t stage) const {
    const std::uint32_t layer = stages_[stage].layer;
    return joined({layer, " (", description_.layers[layer].name, ")"});
  }
  bool ends_in_softmax() const noexcept { return stages_.back().is_softmax && stages_.size() > 1; }

  /// Whether a device may record the launches of a step and replay them; see nn/layer.hpp.
  bool replayable() const noexcept { return replayable(stages_); }

  /// Makes room for micro-batches of up to `rows` samples.
  void reserve(const Device& device, std::size_t rows) {
    if (rows <= capacity_) return;
    const NetworkSize wanted = size();
    buffer_ = Tensor<T, Device>(device, Shape{rows * wanted.per_sample + wanted.padding});
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
    for (auto& gradient : gradient_) gradient = take(widest(stages_));
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
  /// backward(), and sum += the squared norms of the gradients of single samples; see knows_squares().
  void backward_with_squares(const Device& device, const Pass& pass, std::size_t count, bool first,
                             const View<double, Device>& sum) {
    for (std::size_t i = count; i-- > 0;) {
      stages_[i].stage->backward(device, buffers_[i], pass, first);
      stages_[i].stage->add_squares(device, buffers_[i], sum);
    }
  }
  /// Whether every layer with parameters is a Dense, whose gradients of single samples have norms that cost little.
  bool knows_squares() const noexcept {
    return std::all_of(stages_.begin(), stages_.end(), [](const auto& s) { return s.stage->knows_squares(); });
  }
  /// backward(), and dx[B, input_columns()] receives the gradient by the input.
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

  using Stages = std::vector<PlannedStage<T, Device>>;

  static std::size_t widest(const Stages& stages) noexcept {
    std::size_t columns = 0;
    for (const auto& stage : stages) columns = std::max({columns, stage.in, stage.out});
    return columns;
  }

  static bool replayable(const Stages& stages) noexcept {
    for (const auto& stage : stages) {
      if (!stage.stage->replayable()) return false;
    }
    return true;
  }

  /// Buffers are outputs, kept values and two gradients of the widest layer.
  static NetworkSize size_of(const Stages& stages, std::size_t slab) noexcept {
    NetworkSize size{.slab = slab,
                     .per_sample = 2 * widest(stages),
                     .padding = (2 * stages.size() + 2) * alignment,
                     .inputs = stages.front().in,
                     .outputs = stages.back().out,
                     .replayable = replayable(stages)};
    for (const auto& stage : stages) size.per_sample += stage.out + stage.kept;
    return size;
  }

  /// The stages of a model on the two slabs, or on none, to see how large they are.
  template <Model M>
  static Stages plan_stages(const M& model, const ModelDescription& description, T* parameters, T* gradients) {
    Fusion<T, Device> fusion;
    std::uint32_t number = 0;
    model.for_each_layer([&](const auto& layer) {
      const LayerDescription& d = description.layers[number];
      std::vector<View<T, Device>> values, sums;
      for (const ParameterSpec& spec : d.parameters) {
        values.push_back({parameters, spec.shape});
        sums.push_back({gradients, spec.shape});
        if (parameters == nullptr) continue;
        parameters += aligned(spec.shape.size());
        gradients += aligned(spec.shape.size());
      }
      fusion.add(layer, d.in, d.out, std::move(values), std::move(sums), number++);
    });
    return fusion.take();
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
