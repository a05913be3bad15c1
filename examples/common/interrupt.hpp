#pragma once
// Ctrl-C: the first one asks a run to end after the step it is in, the second one ends the program.

#include <csignal>

namespace examples {

namespace detail {
inline volatile std::sig_atomic_t interrupted = 0;
}

inline void listen_for_interrupt() {
  std::signal(SIGINT, [](int) {
    detail::interrupted = 1;
    std::signal(SIGINT, SIG_DFL);
  });
}
inline bool was_interrupted() { return detail::interrupted != 0; }

}  // namespace examples
