#pragma once
// TrainerOptions: how a run goes.

#include <minitrain/core/check_option.hpp>
#include <minitrain/data/loading_options.hpp>
#include <minitrain/train/batch_growth.hpp>
#include <minitrain/train/checkpoint_options.hpp>
#include <minitrain/train/early_stopping.hpp>
#include <minitrain/train/learning_rate.hpp>
#include <minitrain/train/non_finite.hpp>
#include <minitrain/train/step_rules.hpp>

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
  double clip_norm = 0;           // largest norm of the mean gradient, over all parameters; 0: none. A longer one is
                                  // shortened, as torch.nn.utils.clip_grad_norm_ does
  double clip_value = 0;          // largest magnitude of an element of the mean gradient; 0: none. Before clip_norm
  Schedule schedule = {};         // of the learning rate, by optimizer steps: optim/schedules.hpp
  RateScaling rate_scaling = {};  // of the learning rate with the batch size: none unless asked for
  ReduceOnPlateau reduce_on_plateau = {};
  BatchGrowth batch_growth = {};
  EarlyStopping early_stopping = {};
  NonFinitePolicy non_finite = {};
  std::size_t noise_scale_every = 0;  // steps: measure the noise of the gradient that often, Trainer::noise_scale();
                                      // 0: never
  CheckpointOptions checkpoint = {};  // states of the run in a directory, written beside the training
  bool handle_signals =
      false;  // SIGINT and SIGTERM end fit(), which keeps what it did: RunStatus::interrupted. For one fit() at a time
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
    const auto clip = [](double value, const char* name) {
      check_option(value >= 0 && std::isfinite(value), "Trainer", name, value,
                   "finite and at least 0, which means no clipping");
    };
    clip(clip_norm, "clip_norm");
    clip(clip_value, "clip_value");
    rate_scaling.check();
    reduce_on_plateau.check();
    batch_growth.check();
    if (batch_growth.largest != 0 && batch_growth.largest < batch_size) {
      throw OptionError({"BatchGrowth: largest is ", batch_growth.largest, ", less than the batch_size of ", batch_size,
                         " that it begins with"});
    }
    early_stopping.check();
    non_finite.check();
    checkpoint.check("Trainer: checkpoint");
  }

  /// Samples of a step of that epoch.
  std::size_t batch_of(std::size_t epoch) const noexcept { return batch_growth.batch_size(batch_size, epoch); }
  /// What happens to gradients, with an optimizer of that learning rate.
  StepRules step_rules(double learning_rate) const {
    return {.clip_norm = clip_norm,
            .clip_value = clip_value,
            .non_finite = non_finite,
            .rate = {.base = learning_rate * rate_scaling.factor(batch_size), .schedule = schedule}};
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
