#pragma once
// Exit codes of the examples, and the one line on stderr that goes with a failure.

#include <minitrain/core/error.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>

namespace examples {

enum ExitCode { ok = 0, run_failed = 1, wrong_usage = 2, wrong_data = 3, no_device = 5, interrupted = 130 };

/// A command line that cannot be understood.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Prints what went wrong and returns the exit code that says what kind of fault it was.
inline int report(const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  if (dynamic_cast<const UsageError*>(&error) != nullptr) return wrong_usage;
  if (dynamic_cast<const minitrain::OptionError*>(&error) != nullptr) return wrong_usage;
  if (dynamic_cast<const minitrain::DataError*>(&error) != nullptr) return wrong_data;
  if (dynamic_cast<const minitrain::DeviceError*>(&error) != nullptr) return no_device;
  return run_failed;
}

}  // namespace examples
