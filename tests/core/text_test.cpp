// Texts of error messages: numbers as they are, not rounded to what they are not.

#include <minitrain/core/text.hpp>

#include "support/catch.hpp"

namespace mt = minitrain;

TEST_CASE("joined texts tell numbers apart that differ", "[core]") {
  CHECK(mt::joined({"rows ", 3, " of ", std::string("name")}) == "rows 3 of name");
  CHECK(mt::joined({-7, " ", 18446744073709551615u, " ", true}) == "-7 18446744073709551615 1");
  CHECK(mt::joined({1.0, " ", 0.1, " ", -1e-9, " ", 1.0000001, " ", 1e300}) == "1 0.1 -1e-09 1.0000001 1e+300");
  CHECK(mt::joined({0.1f}) == "0.10000000149011612");
}
