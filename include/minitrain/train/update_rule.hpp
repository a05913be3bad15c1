#pragma once
// UpdateRule: an optimizer with its type forgotten, so that a trainer's type is its scalar and device alone.

#include <minitrain/nn/network.hpp>
#include <minitrain/optim/wrapped.hpp>
#include <minitrain/train/optimizer_options.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// A network's tensors as optimizers see them. The names are those of `list`.
inline std::vector<ParameterTensor> parameter_tensors(const std::vector<NetworkParameter>& list) {
  std::vector<ParameterTensor> tensors;
  for (const NetworkParameter& p : list) {
    const Shape& shape = p.spec.shape;
    const std::size_t rank = shape.rank(), columns = rank == 0 ? 1 : shape[rank - 1];
    tensors.push_back({.name = p.name,
                       .offset = p.offset,
                       .rows = columns == 0 ? 0 : shape.size() / columns,
                       .columns = columns,
                       .rank = rank});
  }
  return tensors;
}

/// Bytes of an optimizer's state for a model.
template <class T, class Device, Model M, class Optimizer>
std::size_t moment_bytes(const M& model, const Optimizer& optimizer) {
  std::size_t slab = 0, scalars = 0;
  const auto list = Network<T, Device>::list_of(describe(model), slab);
  const auto tensors = parameter_tensors(list);
  for (std::size_t i = 0; i < optimizer.moments(); ++i) {
    scalars += detail::layout_of(optimizer, i, tensors).scalars_in(slab, sizeof(T));
  }
  return scalars * sizeof(T);
}

/// An optimizer, on one scalar and device.
template <class T, class Device>
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  virtual void run(const Device&, const UpdateStep<T, Device>&) const = 0;
  virtual std::string name() const = 0;
  virtual std::size_t moments() const = 0;
  virtual std::string moment_name(std::size_t i) const = 0;
  virtual MomentLayout moment_layout(std::size_t i, std::span<const ParameterTensor>) const = 0;
  /// The slab that holds averaged parameters, which are better to predict with (optim/ema.hpp).
  virtual std::optional<std::size_t> averaged_moment() const = 0;
  virtual bool copies_parameters(std::size_t moment) const = 0;
  /// Says in the tensors what is different for some of them (optim/groups.hpp). Throws OptionError.
  virtual void assign_groups(std::span<ParameterTensor>) const = 0;
  virtual double learning_rate() const = 0;
  /// (name, value), for the fingerprint of a run.
  virtual std::vector<std::pair<std::string, std::string>> options() const = 0;
  virtual bool takes_queued_scale() const = 0;
  virtual bool replayable() const = 0;
};

template <OptimizerSpec Optimizer, class T, class Device>
class UpdateRuleOf final : public UpdateRule<T, Device> {
 public:
  explicit UpdateRuleOf(Optimizer optimizer) : optimizer_(std::move(optimizer)) { optimizer_.check(); }

  void run(const Device& device, const UpdateStep<T, Device>& step) const override { optimizer_.update(device, step); }
  std::string name() const override { return std::string(std::string_view(optimizer_.name())); }
  std::size_t moments() const override { return optimizer_.moments(); }
  std::string moment_name(std::size_t i) const override {
    return std::string(std::string_view(optimizer_.moment_name(i)));
  }
  MomentLayout moment_layout(std::size_t i, std::span<const ParameterTensor> tensors) const override {
    return detail::layout_of(optimizer_, i, tensors);
  }
  std::optional<std::size_t> averaged_moment() const override {
    if constexpr (requires { optimizer_.averaged_moment(); }) {
      return optimizer_.averaged_moment();
    } else {
      return std::nullopt;
    }
  }
  bool copies_parameters(std::size_t i) const override { return detail::copies_parameters_of(optimizer_, i); }
  void assign_groups(std::span<ParameterTensor> tensors) const override {
    detail::assign_groups_of(optimizer_, tensors);
  }
  double learning_rate() const override { return optimizer_.learning_rate; }
  std::vector<std::pair<std::string, std::string>> options() const override { return optimizer_options(optimizer_); }
  bool takes_queued_scale() const override { return detail::queues<Optimizer>(); }
  bool replayable() const override { return detail::replays<Optimizer>(); }

 private:
  Optimizer optimizer_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
