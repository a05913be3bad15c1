#pragma once
// Adam8bit and AdamW8bit: Adam and AdamW with a byte for each moment.

#include <minitrain/core/dynamic_code.hpp>
#include <minitrain/optim/adamw.hpp>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Codes of m and of v at the parameters' places, and the largest magnitudes of both for each block of a tensor.
inline MomentLayout adam8bit_layout(std::size_t i, std::span<const ParameterTensor> tensors) noexcept {
  std::size_t end = 0, blocks = 0;
  for (const ParameterTensor& tensor : tensors) {
    end = tensor.offset + tensor.size();
    blocks += code_blocks(tensor.size());
  }
  return i < 2 ? MomentLayout::bytes(end) : MomentLayout::scalars(2 * blocks);
}
constexpr const char* adam8bit_moment_name(std::size_t i) noexcept {
  return i == 0 ? "exp_avg" : i == 1 ? "exp_avg_sq" : "absmax";
}

}  // namespace detail

/// The steps of Adam on moments that are kept as bytes: between steps m is the nearest of 255 multiples of the largest
/// |m| in its block of 256 elements, finer the smaller it is (core/dynamic_code.hpp), and v likewise. 2 bytes of state
/// for a parameter, and 8 for a block of a tensor; in a step they are scalars. Source: Dettmers, Lewis, Shleifer and
/// Zettlemoyer, "8-bit Optimizers via Block-wise Quantization", 2022, arXiv:2110.02861.
struct Adam8bit {
  double learning_rate = 1e-3;
  double beta1 = 0.9;       // in [0, 1)
  double beta2 = 0.999;     // in [0, 1)
  double epsilon = 1e-8;    // > 0
  double weight_decay = 0;  // of the L2 kind: added to the gradient

  /// Throws OptionError for an option outside its range.
  void check() const { check_adam(name(), learning_rate, rule()); }

  static constexpr bool takes_queued_scale = true, replayable = true, takes_groups = true;
  static constexpr const char* name() noexcept { return "Adam8bit"; }
  static constexpr std::size_t moments() noexcept { return 3; }
  static constexpr const char* moment_name(std::size_t i) noexcept { return detail::adam8bit_moment_name(i); }
  static MomentLayout moment_layout(std::size_t i, std::span<const ParameterTensor> tensors) noexcept {
    return detail::adam8bit_layout(i, tensors);
  }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    adam8bit_update(device, rule(), step);
  }

 private:
  AdamRule rule() const noexcept { return {beta1, beta2, epsilon, weight_decay, false}; }
};

/// The same of AdamW.
struct AdamW8bit {
  double learning_rate = 1e-3;
  double beta1 = 0.9;          // in [0, 1)
  double beta2 = 0.999;        // in [0, 1)
  double epsilon = 1e-8;       // > 0
  double weight_decay = 0.01;  // >= 0

  /// Throws OptionError for an option outside its range.
  void check() const { check_adam(name(), learning_rate, rule()); }

  static constexpr bool takes_queued_scale = true, replayable = true, takes_groups = true;
  static constexpr const char* name() noexcept { return "AdamW8bit"; }
  static constexpr std::size_t moments() noexcept { return 3; }
  static constexpr const char* moment_name(std::size_t i) noexcept { return detail::adam8bit_moment_name(i); }
  static MomentLayout moment_layout(std::size_t i, std::span<const ParameterTensor> tensors) noexcept {
    return detail::adam8bit_layout(i, tensors);
  }

  template <class T, class Device>
  void update(const Device& device, const UpdateStep<T, Device>& step) const {
    adam8bit_update(device, rule(), step);
  }

 private:
  AdamRule rule() const noexcept { return {beta1, beta2, epsilon, weight_decay, true}; }
};

static_assert(OptimizerSpec<Adam8bit> && OptimizerSpec<AdamW8bit>);

}  // namespace minitrain::inline MINITRAIN_ABI
