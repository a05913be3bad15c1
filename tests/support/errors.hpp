#pragma once
// Errors checked for their type, their code and their words.

#include "support/catch.hpp"

#include <minitrain/core/error.hpp>

#include <initializer_list>
#include <string>

namespace test {

/// f() throws an E with this code and, for each of `parts`, these words in its message.
template <class E, class F, class... Part>
void check_error(minitrain::ErrorCode code, F&& f, const Part&... parts) {
  try {
    f();
  } catch (const E& error) {
    INFO(error.what());
    CHECK(error.code() == code);
    for (const std::string& part : std::initializer_list<std::string>{std::string(parts)...})
      CHECK_THAT(std::string(error.what()), ContainsSubstring(part));
    return;
  }
  FAIL_CHECK("nothing was thrown");
}

}  // namespace test
