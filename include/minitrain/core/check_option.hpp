#pragma once
// What the check() of an option aggregate throws.

#include <minitrain/core/error.hpp>

#include <cstdio>

namespace minitrain::inline MINITRAIN_ABI {

/// Throws OptionError "Adam: beta1 is 1.5, but it must be in [0, 1)" unless `ok`. Write `ok` so that NaN makes it
/// false.
inline void check_option(bool ok, const char* owner, const char* option, double value, const char* wanted) {
  if (ok) return;
  char number[32];
  std::snprintf(number, sizeof number, "%.9g", value);
  throw OptionError({owner, ": ", option, " is ", number, ", but it must be ", wanted});
}

}  // namespace minitrain::inline MINITRAIN_ABI
