#pragma once
// TrainerOptions: how a run goes.

#include <minitrain/core/check_option.hpp>
#include <minitrain/data/loading_options.hpp>

#include <cmath>
#include <cstdint>
#include <string>

namespace minitrain::inline MINITRAIN_ABI {

/// For micro_batch_size: the library chooses, for speed, and no more than fits into the device's memory.
inline constexpr std::size_t automatic = 0;

struct TrainerOptions {
  std::size_t epochs = 1;                    // of one fit()
  std::size_t batch_size = 32;               // samples of one optimizer step: the effective batch size
  std::size_t micro_batch_size = automatic;  // samples in flight at a time, memory in short. Never changes a bit of the
                                             // result (docs/numerics.md: in fp32)
  bool shuffle = true;                       // a new permutation every epoch, by (seed, epoch)
  std::uint64_t seed = 0;                    // of initial parameters, shuffling and dropout
  double clip_norm = 0;         // largest norm of the mean gradient, over all parameters; 0: none. A longer one is
                                // shortened, as torch.nn.utils.clip_grad_norm_ does
  bool profile = false;         // measure where bytes and seconds go: Trainer::profile(), train/profile.hpp
  LoadingOptions loading = {};  // of data that is not in memory

  /// Throws OptionError for an option outside its range.
  void check() const {
    const auto positive = [](std::size_t value, const char* name) {
      if (value == 0) {
        throw OptionError({"Trainer: ", name, " is 0, but it must be at least 1"});
      }
      if (value > (std::size_t{1} << 31)) {
        throw OptionError(
            {"Trainer: ", name, " is ", value, ", but it must be at most 2^31: a negative number, perhaps?"});
      }
    };
    positive(epochs, "epochs");
    positive(batch_size, "batch_size");
    if (micro_batch_size != automatic) positive(micro_batch_size, "micro_batch_size");
    loading.check("Trainer");
    check_option(clip_norm >= 0 && std::isfinite(clip_norm), "Trainer", "clip_norm", clip_norm,
                 "finite and at least 0, which means no clipping");
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
