#pragma once
// Objective: a loss with its type forgotten, so that a trainer's type is its scalar and device alone.

#include <minitrain/core/loss_arguments.hpp>
#include <minitrain/core/tensor.hpp>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// A loss, on one scalar and device.
template <class T, class Device>
class Objective {
 public:
  virtual ~Objective() = default;
  /// Adds loss, weights and right answers to a.totals and, unless a.dy is empty, writes the gradient of the sum to it.
  virtual void run(const Device&, const LossArguments<T, Device>& a) const = 0;
  /// What a.class_weights is to be.
  virtual View<const T, Device> class_weights() const = 0;
  virtual std::string name() const = 0;
  /// (name, value), for the fingerprint of a run.
  virtual std::vector<std::pair<std::string, std::string>> options() const = 0;
  virtual bool uses_labels() const = 0;
  virtual bool counts_right_answers() const = 0;
  virtual bool is_softmax_cross_entropy() const = 0;
  virtual bool replayable() const = 0;
  /// Targets lie in [first, second].
  virtual std::pair<double, double> target_range() const = 0;
};

template <class Loss, class T, class Device>
class ObjectiveOf final : public Objective<T, Device> {
 public:
  /// Throws when the loss does not fit a model with `outputs` columns.
  ObjectiveOf(const Device& device, Loss loss, std::size_t outputs) : loss_(std::move(loss)) {
    loss_.check(outputs);
    if constexpr (requires { loss_.class_weights; }) {
      if (!loss_.class_weights.empty()) {
        const std::vector<T> weights(loss_.class_weights.begin(), loss_.class_weights.end());
        class_weights_ = Tensor<T, Device>(device, Shape{weights.size()});
        copy_from_host(device, weights.data(), class_weights_.view());
      }
    }
  }

  void run(const Device& device, const LossArguments<T, Device>& a) const override { loss_(device, a); }
  View<const T, Device> class_weights() const override { return class_weights_.view(); }
  std::string name() const override { return loss_.name(); }
  std::vector<std::pair<std::string, std::string>> options() const override {
    std::vector<std::pair<std::string, std::string>> list;
    if constexpr (requires { joined({loss_.delta}); }) list.emplace_back("delta", joined({loss_.delta}));
    if constexpr (requires { joined({loss_.label_smoothing}); }) {
      list.emplace_back("label_smoothing", joined({loss_.label_smoothing}));
    }
    if constexpr (requires { loss_.class_weights; }) {
      std::string weights;
      for (const auto weight : loss_.class_weights) weights += joined({weights.empty() ? "" : " ", weight});
      list.emplace_back("class_weights", weights);
    }
    return list;
  }
  bool uses_labels() const override { return Loss::uses_labels; }
  bool counts_right_answers() const override {
    if constexpr (requires { Loss::counts_correct; }) {
      return Loss::counts_correct;
    } else {
      return Loss::uses_labels;
    }
  }
  bool is_softmax_cross_entropy() const override {
    if constexpr (requires { Loss::takes_logits_of_softmax; }) {
      return Loss::takes_logits_of_softmax;
    } else {
      return false;
    }
  }

  bool replayable() const override {
    if constexpr (requires { Loss::replayable; }) {
      return Loss::replayable;
    } else {
      return false;
    }
  }

  std::pair<double, double> target_range() const override {
    if constexpr (requires { Loss::largest_target; }) {
      return {Loss::least_target, Loss::largest_target};
    } else {
      constexpr double infinity = std::numeric_limits<double>::infinity();
      return {-infinity, infinity};
    }
  }

 private:
  Loss loss_;
  Tensor<T, Device> class_weights_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
