#pragma once
// The losses: mean squared error, Huber, softmax cross-entropy, binary cross-entropy. Each is the mean over samples.

#include <minitrain/core/check_option.hpp>
#include <minitrain/nn/loss.hpp>

#include <limits>
#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// (1/out)·Σ_j (y_j - t_j)² of a sample; torch.nn.MSELoss.
struct MeanSquaredError {
  static constexpr bool uses_labels = false;
  static constexpr bool replayable = true;
  static constexpr const char* name() noexcept { return "MeanSquaredError"; }
  void check(std::size_t) const noexcept {}

  template <class T, class Device>
  void operator()(const Device& device, const LossArguments<T, Device>& a) const {
    mean_squared_error(device, a);
  }
};

/// (1/out)·Σ_j h(y_j - t_j) of a sample, h(e) = e²/2 for |e| <= delta and delta·(|e| - delta/2) beyond: outliers pull
/// with a force of at most delta. torch.nn.HuberLoss.
struct Huber {
  double delta = 1;  // > 0

  static constexpr bool uses_labels = false;
  static constexpr bool replayable = true;
  static constexpr const char* name() noexcept { return "Huber"; }
  /// Throws OptionError.
  void check(std::size_t) const {
    check_option(delta > 0 && delta <= std::numeric_limits<double>::max(), name(), "delta", delta,
                 "finite and positive");
  }

  template <class T, class Device>
  void operator()(const Device& device, const LossArguments<T, Device>& a) const {
    huber_loss(device, delta, a);
  }
};

/// -Σ_c q_c·log softmax(y)_c of a sample with label k and C classes, q_c = class_weights[c]·((1 - s)·[c = k] + s/C), s
/// the label smoothing; its weight in the mean is class_weights[k]. torch.nn.CrossEntropyLoss, also where smoothing and
/// weights meet. A sample is answered right when y_k is the largest output (of equal ones, the first counts) and no
/// output is NaN. Takes the model's outputs before any softmax.
struct SoftmaxCrossEntropy {
  double label_smoothing = 0;           // in [0, 1)
  std::vector<double> class_weights{};  // one per class, >= 0; empty: all 1

  static constexpr bool uses_labels = true;
  static constexpr bool takes_logits_of_softmax = true;  // a Softmax at the end of the model is left out in training
  static constexpr bool replayable = true;
  static constexpr const char* name() noexcept { return "SoftmaxCrossEntropy"; }

  /// Throws ShapeError for a model with fewer than two outputs, or another number of them than weights; OptionError.
  void check(std::size_t outputs) const {
    if (outputs < 2) {
      throw ShapeError(ErrorCode::shape_mismatch,
                       {"SoftmaxCrossEntropy: the model has ", outputs,
                        " output, but this loss wants one per class: use BinaryCrossEntropy with one output"});
    }
    if (!class_weights.empty() && class_weights.size() != outputs) {
      throw ShapeError(ErrorCode::count_mismatch,
                       {"SoftmaxCrossEntropy: ", class_weights.size(), " class_weights for a model with ", outputs,
                        " outputs: give one per class, or none"});
    }
    check_option(label_smoothing >= 0 && label_smoothing < 1, name(), "label_smoothing", label_smoothing, "in [0, 1)");
    double largest = class_weights.empty() ? 1 : 0;
    for (const double weight : class_weights) {
      check_option(weight >= 0 && weight <= std::numeric_limits<float>::max(), name(), "a class weight", weight,
                   "finite and not negative");
      largest = weight > largest ? weight : largest;
    }
    check_option(largest > 0, name(), "the largest class weight", largest, "positive");
  }

  template <class T, class Device>
  void operator()(const Device& device, const LossArguments<T, Device>& a) const {
    softmax_cross_entropy(device, label_smoothing, a);
  }
};

/// -(1/out)·Σ_j (t_j·log p_j + (1 - t_j)·log(1 - p_j)) of a sample, p = 1/(1 + exp(-y)), t in [0, 1];
/// torch.nn.BCEWithLogitsLoss. A sample is answered right when every output is on its side: y_j > 0 where t_j > 1/2,
/// and only there; NaN is on none. Takes the model's outputs before any sigmoid.
struct BinaryCrossEntropy {
  static constexpr bool uses_labels = false;
  static constexpr bool counts_correct = true;
  static constexpr double least_target = 0, largest_target = 1;
  static constexpr bool replayable = true;
  static constexpr const char* name() noexcept { return "BinaryCrossEntropy"; }
  void check(std::size_t) const noexcept {}

  template <class T, class Device>
  void operator()(const Device& device, const LossArguments<T, Device>& a) const {
    binary_cross_entropy_with_logits(device, a);
  }
};

static_assert(LossSpec<MeanSquaredError> && LossSpec<Huber>);
static_assert(LossSpec<SoftmaxCrossEntropy> && LossSpec<BinaryCrossEntropy>);

}  // namespace minitrain::inline MINITRAIN_ABI
