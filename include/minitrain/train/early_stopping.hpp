#pragma once
// EarlyStopping: ends a run that no longer gets better.

#include <minitrain/core/check_option.hpp>
#include <minitrain/train/watched.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Ends fit() after `patience` epochs in a row of which none was better than the best by more than `min_change`, and
/// then gives the parameters of the best epoch back. As keras.callbacks.EarlyStopping. What is left to do after that,
/// the next fit() begins anew.
/// Source: Prechelt, "Early Stopping, But When?", 1998.
struct EarlyStopping {
  std::size_t patience = 0;  // epochs; 0: off
  double min_change = 0;     // >= 0, in the units of what is watched
  Watched watched{};
  bool restore_best = true;  // keeps a copy of the parameters in host memory

  bool on() const noexcept { return patience > 0; }
  void check() const {
    check_option(min_change >= 0 && min_change <= std::numeric_limits<double>::max(), "EarlyStopping", "min_change",
                 min_change, "finite and not negative");
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI
