#pragma once
// NonFinitePolicy: what becomes of a step whose loss or gradient is not a finite number.

#include <minitrain/core/error.hpp>
#include <minitrain/core/gradient_clip.hpp>
#include <minitrain/train/totals.hpp>

#include <cmath>
#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI {

/// `skip` measures the norm of every step's gradient, so that it also sees a gradient past the range of the type under
/// a finite loss; `stop` does so only where clip_norm asks for it, and otherwise finds such a step by its parameters,
/// at the end of the epoch.
struct NonFinitePolicy {
  OnNonFinite action = OnNonFinite::stop;
  std::size_t most_skipped = 10;  // steps in a row

  bool measures_gradient() const noexcept { return action == OnNonFinite::skip; }
  void check() const {
    if (action == OnNonFinite::skip && most_skipped == 0) {
      throw OptionError("NonFinitePolicy: most_skipped is 0, but it must be at least 1: or choose OnNonFinite::stop");
    }
  }
};

/// Throws NumericError for a step whose totals are not finite, the last of so many in a row where these are skipped.
/// The parameters are those before it, finite or not.
[[noreturn]] inline void fail_non_finite(const Totals& totals, std::size_t step, bool parameters_finite,
                                         std::size_t in_row) {
  const bool loss = !std::isfinite(totals.loss);
  throw NumericError({"update: the loss is ", totals.loss, loss ? "" : ", but its gradient is not finite,", " at step ",
                      step, in_row > 1 ? joined({", number ", in_row, " in a row"}) : std::string(), ", over ",
                      totals.samples, " samples; the parameters are those before this step",
                      parameters_finite ? ": lower the learning rate, or look for values that are not finite in the "
                                          "data (read with NonFinite::error, or transformed by CheckFinite, it names "
                                          "the sample)"
                                        : ", and not all of them are finite: begin again with a lower learning rate"});
}

}  // namespace minitrain::inline MINITRAIN_ABI
