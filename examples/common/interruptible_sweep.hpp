#pragma once
// sweep_until_interrupt(): a sweep whose points take long enough to be given up in their middle.

#include <minitrain/experiment/sweep.hpp>

#include "interrupt.hpp"

#include <string>
#include <vector>

namespace examples {

/// run_sweep() of a function that may throw Interrupted: the result is not complete() then, and what has been finished
/// is in the journal.
template <class F>
minitrain::SweepResult sweep_until_interrupt(const minitrain::Grid& grid, const std::vector<std::string>& metrics,
                                             F&& f, const minitrain::SweepOptions& options) {
  try {
    return minitrain::run_sweep(grid, metrics, f, options);
  } catch (const Interrupted&) {
    return {metrics, std::vector<std::vector<double>>(grid.size())};
  }
}

}  // namespace examples
