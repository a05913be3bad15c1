#pragma once
// Adafactor: the second moment of a matrix as the product of two vectors, and steps relative to the size of a tensor.

#include <minitrain/core/check_option.hpp>
#include <minitrain/core/real_power.hpp>
#include <minitrain/core/tensor_rules.hpp>
#include <minitrain/optim/optimizer.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace minitrain::inline MINITRAIN_ABI {

/// With g the mean gradient, at step t = 1, 2, ..., beta2 = 1 - t^beta2_decay, for each tensor:
///   matrix     R = beta2·R + (1 - beta2)·(row means of g² + epsilon1), C likewise of columns, v = R·Cᵀ / mean(R)
///   vector     v = beta2·v + (1 - beta2)·(g² + epsilon1)
///   u = g/√v, divided by max(1, RMS(u) / clip_threshold)
///   rho = min(learning_rate, 1/√t), or learning_rate unless relative_step; with warmup_init min(rho, 1e-6·t)
///   p -= learning_rate·weight_decay·p + max(epsilon2, RMS(p))·rho·u, RMS(p) of before; rho·u unless scale_parameter
/// and with beta1 a running mean m = beta1·m + (1 - beta1)·(that step) in its place. State of a matrix [rows, columns]
/// is rows + columns scalars, and of a vector one for each element. The rules and defaults of torch.optim.Adafactor,
/// but for epsilon1, which is the paper's and is added where PyTorch's is a lower bound; its defaults have no beta1,
/// warm-up or other steps than relative ones. Source: Shazeer and Stern, "Adafactor: Adaptive Learning Rates with
/// Sublinear Memory Cost", 2018, arXiv:1804.04235.
struct Adafactor {
  double learning_rate = 1e-2;
  double beta2_decay = -0.8;  // < 0
  double epsilon1 = 1e-30;    // at least 1e-30
  double epsilon2 = 1e-3;     // > 0
  double clip_threshold = 1;  // > 0
  double beta1 = 0;           // in [0, 1); 0: no first moment
  double weight_decay = 0;    // apart from the gradient
  bool relative_step = true;
  bool scale_parameter = true;
  bool warmup_init = false;

  /// Throws OptionError for an option outside its range.
  void check() const {
    constexpr double largest = std::numeric_limits<double>::max();
    check_option(learning_rate >= 0 && learning_rate <= largest, name(), "learning_rate", learning_rate,
                 "finite and not negative");
    check_option(beta2_decay < 0 && beta2_decay >= -largest, name(), "beta2_decay", beta2_decay, "finite and negative");
    check_option(epsilon1 >= 1e-30 && epsilon1 <= largest, name(), "epsilon1", epsilon1, "finite and at least 1e-30");
    check_option(epsilon2 > 0 && epsilon2 <= largest, name(), "epsilon2", epsilon2, "finite and positive");
    check_option(clip_threshold > 0 && clip_threshold <= largest, name(), "clip_threshold", clip_threshold,
                 "finite and positive");
    check_option(beta1 >= 0 && beta1 < 1, name(), "beta1", beta1, "in [0, 1)");
    check_option(weight_decay >= 0 && weight_decay <= largest, name(), "weight_decay", weight_decay,
                 "finite and not negative");
  }

  // Norms of tensors are a launch each, with numbers of the step by value, so no GPU replays them.
  static constexpr bool takes_queued_scale = true, replayable = false, takes_groups = true;
  static constexpr const char* name() noexcept { return "Adafactor"; }
  std::size_t moments() const noexcept { return beta1 > 0 ? 4 : 3; }
  static constexpr const char* moment_name(std::size_t i) noexcept {
    constexpr const char* names[] = {"row_var", "col_var", "variance", "exp_avg"};
    return names[i];
  }
  static MomentLayout moment_layout(std::size_t i, std::span<const ParameterTensor> tensors) noexcept {
    AdafactorPlace all;
    for (const ParameterTensor& tensor : tensors) {
      if (tensor.size() > 0) all.pass(tensor);
    }
    if (i == 3) return {};
    return MomentLayout::scalars(i == 0 ? all.row : i == 1 ? all.column : all.vector);
  }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    const auto t = static_cast<double>(step.step);
    double rho = step.learning_rate;
    if (relative_step) rho = std::min(rho, 1 / std::sqrt(t));
    if (warmup_init) rho = std::min(rho, 1e-6 * t);
    adafactor_update(device,
                     AdafactorRule{.rate = rho,
                                   .blend = detail::real_power(t, beta2_decay),
                                   .epsilon1 = epsilon1,
                                   .epsilon2 = epsilon2,
                                   .clip_threshold = clip_threshold,
                                   .beta1 = beta1,
                                   .weight_decay = weight_decay,
                                   .scales_with_parameters = scale_parameter},
                     step);
  }
};

static_assert(OptimizerSpec<Adafactor>);

}  // namespace minitrain::inline MINITRAIN_ABI
