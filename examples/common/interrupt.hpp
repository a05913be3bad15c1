#pragma once
// Ctrl-C and SIGTERM: the first one asks a run to end after the step it is in, the second one ends the program.

#include <minitrain/train/interrupt.hpp>

#include <csignal>
#include <optional>
#include <stdexcept>

namespace examples {

namespace detail {
inline std::optional<minitrain::InterruptGuard> guard;
}

inline void listen_for_interrupt() {
  if (!detail::guard) detail::guard.emplace({SIGINT, SIGTERM});
}
inline bool was_interrupted() { return detail::guard && detail::guard->requested(); }
/// What to return then: 130 or 143.
inline int interrupted_code() { return detail::guard->flag().exit_status(); }

/// Thrown out of a point of a sweep after Ctrl-C: half a point counts as none.
class Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted") {}
};

}  // namespace examples
