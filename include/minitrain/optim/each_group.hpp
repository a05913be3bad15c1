#pragma once
// for_each_group: a step of an optimizer that treats elements alike, part by part where groups of tensors differ.

#include <minitrain/core/update_step.hpp>

#include <array>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Elements [begin, end) of all slabs, with the learning rate of a tensor in them.
template <class T, class Device>
struct StepPart {
  static constexpr std::size_t most_moments = 4;
  std::array<View<T, Device>, most_moments> moments{};
  UpdateStep<T, Device> step;

  StepPart(const UpdateStep<T, Device>& whole, std::size_t begin, std::size_t end, double learning_rate_factor)
      : step(whole) {
    const Shape shape{end - begin};
    step.parameters = {whole.parameters.data() + begin, shape};
    step.gradient_sums = {whole.gradient_sums.data() + begin, shape};
    for (std::size_t i = 0; i < whole.moments.size(); ++i) moments[i] = {whole.moments[i].data() + begin, shape};
    step.moments = std::span(moments).first(whole.moments.size());
    step.learning_rate *= learning_rate_factor;
    step.tensors = {};
  }
  StepPart(const StepPart&) = delete;
};

}  // namespace detail

/// Calls update(part, weight_decay) for runs of tensors that agree in learning rate and weight decay, where
/// `weight_decay` is that of tensors that say nothing: once, with all of the step, where no tensor says anything. For
/// optimizers whose update of an element depends on that element alone, with at most four moments, one scalar for each
/// parameter in each.
template <class T, class Device, class Update>
void for_each_group(const UpdateStep<T, Device>& step, double weight_decay, const Update& update) {
  const auto& tensors = step.tensors;
  std::size_t begin = 0;
  for (std::size_t first = 0, next; first < tensors.size(); first = next) {
    const double factor = tensors[first].learning_rate_factor, decay = tensors[first].decay_of(weight_decay);
    for (next = first + 1; next < tensors.size(); ++next) {
      if (tensors[next].learning_rate_factor != factor || tensors[next].decay_of(weight_decay) != decay) break;
    }
    if (first == 0 && next == tensors.size() && factor == 1) return update(step, decay);
    const std::size_t end = next < tensors.size() ? tensors[next].offset : step.parameters.size();
    const detail::StepPart<T, Device> part(step, begin, end, factor);
    update(part.step, decay);
    begin = end;
  }
  if (tensors.empty()) update(step, weight_decay);
}

}  // namespace minitrain::inline MINITRAIN_ABI
