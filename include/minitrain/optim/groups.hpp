#pragma once
// groups(): learning rates and weight decays that differ between tensors; PyTorch's parameter groups.

#include <minitrain/core/check_option.hpp>
#include <minitrain/optim/wrapped.hpp>

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// Which tensors, and what is different for them. A tensor belongs to the first group that it matches, and to none if
/// there is none.
struct ParameterGroup {
  std::string match{};                      // a part of the name, as ".bias" or "2.weight"; "": any name
  bool vectors_only = false;                // biases, and gains and shifts of normalisations
  double learning_rate_factor = 1;          // times the learning rate of the step
  std::optional<double> weight_decay = {};  // instead of the optimizer's

  bool matches(const ParameterTensor& tensor) const noexcept {
    return (!vectors_only || tensor.is_vector()) && tensor.name.find(match) != std::string_view::npos;
  }
};

/// An optimizer with groups. Where groups lie between one another, an update is one pass per run of tensors that agree,
/// and no GPU replays it.
template <OptimizerSpec Optimizer>
struct Groups {
  Optimizer optimizer{};
  std::vector<ParameterGroup> list{};
  double learning_rate = optimizer.learning_rate;

  static_assert(detail::heeds_groups<Optimizer>(),
                "this optimizer does not look at UpdateStep::tensors: it has no groups");
  static constexpr bool takes_groups = true, replayable = false;
  static constexpr bool takes_queued_scale = detail::queues<Optimizer>();

  /// Throws OptionError for an option outside its range.
  void check() const {
    optimizer.check();
    for (const ParameterGroup& group : list) {
      check_option(group.learning_rate_factor >= 0 && std::isfinite(group.learning_rate_factor), "groups",
                   "learning_rate_factor", group.learning_rate_factor, "finite and not negative");
      const double decay = group.weight_decay.value_or(0);
      check_option(decay >= 0 && std::isfinite(decay), "groups", "weight_decay", decay, "finite and not negative");
    }
  }

  auto name() const { return optimizer.name(); }
  std::size_t moments() const { return optimizer.moments(); }
  auto moment_name(std::size_t i) const { return optimizer.moment_name(i); }
  MomentLayout moment_layout(std::size_t i, std::span<const ParameterTensor> tensors) const {
    return detail::layout_of(optimizer, i, tensors);
  }
  std::size_t averaged_moment() const requires requires(const Optimizer& o) { o.averaged_moment(); }
  { return optimizer.averaged_moment(); }

  /// Throws OptionError for a group with a name that matches no tensor.
  void assign_groups(std::span<ParameterTensor> tensors) const {
    detail::assign_groups_of(optimizer, tensors);
    std::vector<bool> found(list.size());
    for (ParameterTensor& tensor : tensors) {
      bool taken = false;
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (!list[i].matches(tensor)) continue;
        found[i] = true;
        if (std::exchange(taken, true)) continue;
        tensor.learning_rate_factor *= list[i].learning_rate_factor;
        tensor.has_weight_decay = tensor.has_weight_decay || list[i].weight_decay;
        tensor.weight_decay = list[i].weight_decay.value_or(tensor.weight_decay);
      }
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (found[i] || list[i].match.empty()) continue;
      throw OptionError({"groups: no tensor's name has \"", list[i].match, "\" in it",
                         list[i].vectors_only ? " and is a vector's" : "",
                         ": names are those of a file of save_weights(), as in \"0.weight\""});
    }
  }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    optimizer.update(device, step);
  }
};

/// optimizer, but for what the groups say:
///   groups(AdamW{}, {{.match = ".bias", .weight_decay = 0}, {.match = "0.", .learning_rate_factor = 0.1}})
template <OptimizerSpec Optimizer>
Groups<Optimizer> groups(const Optimizer& optimizer, std::vector<ParameterGroup> list) {
  return {optimizer, std::move(list), optimizer.learning_rate};
}

/// No weight decay for biases, nor for gains and shifts of normalisations: what most recipes ask for.
template <OptimizerSpec Optimizer>
Groups<Optimizer> without_decay_on_biases(const Optimizer& optimizer) {
  return groups(optimizer, {{.vectors_only = true, .weight_decay = 0.0}});
}

}  // namespace minitrain::inline MINITRAIN_ABI
