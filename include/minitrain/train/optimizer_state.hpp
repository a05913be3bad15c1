#pragma once
// OptimizerState: the slabs of an optimizer's moments, as large as it says.

#include <minitrain/core/tensor.hpp>
#include <minitrain/train/update_rule.hpp>

#include <span>
#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

template <class T, class Device>
class OptimizerState {
 public:
  /// Throws OptionError when groups do not fit the tensors.
  OptimizerState(const Device& device, const Network<T, Device>& network, const UpdateRule<T, Device>& rule)
      : tensors_(parameter_tensors(network.list())) {
    rule.assign_groups(tensors_);
    for (std::size_t i = 0; i < rule.moments(); ++i) {
      layouts_.push_back(rule.moment_layout(i, tensors_));
      const bool whole = layouts_.back().kind != MomentLayout::Kind::per_parameter;
      file_names_.push_back(joined({"optimizer.", rule.moment_name(i), whole ? "" : "."}));
      moments_.emplace_back(device, Shape{layouts_.back().scalars_in(network.parameters().size(), sizeof(T))});
      views_.push_back(moments_.back().view());
    }
  }

  std::span<Tensor<T, Device>> moments() noexcept { return moments_; }
  std::span<const Tensor<T, Device>> moments() const noexcept { return moments_; }
  std::span<const View<T, Device>> views() const noexcept { return views_; }
  std::span<const ParameterTensor> tensors() const noexcept { return tensors_; }
  const MomentLayout& layout(std::size_t i) const { return layouts_[i]; }
  bool is_per_parameter(std::size_t i) const { return layouts_[i].kind == MomentLayout::Kind::per_parameter; }
  /// The tensor's name in a state file, or what comes before the names of parameters there: "optimizer.exp_avg.".
  const std::string& file_name(std::size_t i) const { return file_names_[i]; }
  std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (const Tensor<T, Device>& moment : moments_) sum += moment.size() * sizeof(T);
    return sum;
  }

 private:
  std::vector<ParameterTensor> tensors_;
  std::vector<MomentLayout> layouts_;
  std::vector<std::string> file_names_;
  std::vector<Tensor<T, Device>> moments_;
  std::vector<View<T, Device>> views_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
