#pragma once
// OptimizerRun: an optimizer with its slabs on a device, stepped on gradients that a test makes up.

#include "optim/pytorch_fixture.hpp"

#include <minitrain/core/tensor.hpp>
#include <minitrain/train/update_rule.hpp>

#include <cstring>
#include <string>
#include <vector>

namespace test {

/// Tensors one after the other, each at a multiple of 16 scalars, as a network has them.
inline std::vector<minitrain::ParameterTensor> laid_out(const std::vector<minitrain::Shape>& shapes) {
  static const std::string names[] = {"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias", "3.weight"};
  std::vector<minitrain::NetworkParameter> list;
  std::size_t offset = 0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    list.push_back({names[i], {.shape = shapes[i]}, offset});
    offset += (shapes[i].size() + 15) / 16 * 16;
  }
  auto tensors = minitrain::parameter_tensors(list);
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].name = names[i];
  return tensors;
}

template <class T, class Device, class Optimizer>
class OptimizerRun {
 public:
  OptimizerRun(const Device& device, const Optimizer& optimizer, const std::vector<minitrain::Shape>& shapes)
      : device_(device), optimizer_(optimizer), tensors_(laid_out(shapes)) {
    optimizer_.check();
    if constexpr (requires { optimizer_.assign_groups(tensors_); }) optimizer_.assign_groups(tensors_);
    for (const auto& t : tensors_) slab_ = std::max(slab_, (t.offset + t.size() + 15) / 16 * 16);
    p_ = {device, minitrain::Shape{slab_}};
    g_ = {device, minitrain::Shape{slab_}};
    for (std::size_t i = 0; i < optimizer_.moments(); ++i) {
      const auto layout = minitrain::detail::layout_of(optimizer_, i, tensors_);
      state_.emplace_back(device, minitrain::Shape{layout.scalars_in(slab_, sizeof(T))});
    }
    for (auto& s : state_) moments_.push_back(s.view());
    put(p_,
        [](std::size_t i) { return fixture::start(static_cast<int>(i % 33)) + 0.25 * static_cast<double>(i / 33); });
  }
  OptimizerRun(const OptimizerRun&) = delete;

  /// One step with gradient(i) of parameter i, counted through all tensors; handed over as sums of 8.
  template <class Gradient>
  void step(const Gradient& gradient, double learning_rate_factor = 1) {
    put(g_, [&](std::size_t i) { return 8 * gradient(i); });
    minitrain::UpdateStep<T, Device> step;
    step.parameters = p_.view();
    step.gradient_sums = g_.view();
    step.moments = moments_;
    step.gradient_scale = 1.0 / 8;
    step.learning_rate = optimizer_.learning_rate * learning_rate_factor;
    step.step = ++steps_;
    step.queued_scale = queued_;
    step.tensors = tensors_;
    optimizer_.update(device_, step);
  }
  /// Steps on the gradients of the fixture, a little different past its 33 parameters.
  void fixture_steps(int count = fixture::steps) {
    for (int t = 1; t <= count; ++t) {
      step([this](std::size_t i) {
        const int n = static_cast<int>(i);
        return fixture::gradient(n % 33, static_cast<int>(steps_) + 1 + n / 33);
      });
    }
  }
  void queue(const minitrain::View<const double, Device>& scale) { queued_ = scale; }

  /// All parameters, one tensor after the other.
  std::vector<T> parameters() const { return flat(p_); }
  std::vector<T> moment(std::size_t i) const { return host(state_[i]); }
  std::size_t state_bytes() const {
    std::size_t bytes = 0;
    for (const auto& s : state_) bytes += s.size() * sizeof(T);
    return bytes;
  }
  /// Parameters and state, with the padding.
  std::vector<T> everything() const {
    std::vector<T> all = host(p_);
    for (const auto& s : state_) {
      const auto part = host(s);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }
  const std::vector<minitrain::ParameterTensor>& tensors() const { return tensors_; }

 private:
  std::vector<T> host(const minitrain::Tensor<T, Device>& t) const {
    std::vector<T> values(t.size());
    copy_to_host(device_, minitrain::View<const T, Device>(t.view()), values.data());
    return values;
  }
  std::vector<T> flat(const minitrain::Tensor<T, Device>& slab) const {
    const auto all = host(slab);
    std::vector<T> values;
    for (const auto& t : tensors_) {
      values.insert(values.end(), all.begin() + static_cast<std::ptrdiff_t>(t.offset),
                    all.begin() + static_cast<std::ptrdiff_t>(t.offset + t.size()));
    }
    return values;
  }
  template <class Value>
  void put(minitrain::Tensor<T, Device>& slab, const Value& value) {
    std::vector<T> values(slab_);
    std::size_t i = 0;
    for (const auto& t : tensors_) {
      for (std::size_t k = 0; k < t.size(); ++k) values[t.offset + k] = T(value(i++));
    }
    copy_from_host(device_, values.data(), slab.view());
  }

  Device device_;
  Optimizer optimizer_;
  std::vector<minitrain::ParameterTensor> tensors_;
  std::size_t slab_ = 0, steps_ = 0;
  minitrain::Tensor<T, Device> p_, g_;
  std::vector<minitrain::Tensor<T, Device>> state_;
  std::vector<minitrain::View<T, Device>> moments_;
  minitrain::View<const double, Device> queued_{};
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace test
