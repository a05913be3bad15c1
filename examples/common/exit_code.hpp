#pragma once
// Exit codes of the examples, and the one line on stderr that goes with a failure.

#include <minitrain/core/error.hpp>

#include <cstdio>
#include <exception>
#include <new>
#include <stdexcept>

namespace examples {

enum ExitCode {
  ok = 0,
  run_failed = 1,    // it ran, and what came out is not right: a loss that is not finite, a promise not kept
  wrong_usage = 2,   // the command line
  wrong_data = 3,    // files and data sets that are not there, or not what they should be
  does_not_fit = 4,  // memory, of the host or of the device
  no_device = 5,     // none of the kind that was asked for, or one that failed
  interrupted = 130,
  terminated = 143
};

/// A command line that cannot be understood.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class E>
bool is(const std::exception& error) {
  return dynamic_cast<const E*>(&error) != nullptr;
}

/// The exit code that says what kind of fault it was.
inline ExitCode exit_code(const std::exception& error) {
  const auto* const ours = dynamic_cast<const minitrain::Error*>(&error);
  if (ours != nullptr && ours->code() == minitrain::ErrorCode::out_of_memory) return does_not_fit;
  if (is<std::bad_alloc>(error)) return does_not_fit;
  if (is<UsageError>(error)) return wrong_usage;
  if (is<minitrain::OptionError>(error)) return wrong_usage;
  if (is<minitrain::DataError>(error)) return wrong_data;
  if (is<minitrain::DeviceError>(error)) return no_device;
  return run_failed;
}

/// Prints what went wrong and returns the exit code.
inline int report(const std::exception& error) {
  const ExitCode code = exit_code(error);
  const bool unnamed = is<std::bad_alloc>(error);
  std::fprintf(stderr, "error: %s\n", unnamed ? "there is not enough memory" : error.what());
  return code;
}

/// What to return when all is printed: `code`, or run_failed where some of it did not get to where stdout goes.
inline int printed(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  std::fprintf(stderr, "error: what was found could not be written to standard output: is its disk full?\n");
  return run_failed;
}

}  // namespace examples
