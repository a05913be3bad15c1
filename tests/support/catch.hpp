#pragma once
// Catch2 2.13 and 3.x under one set of names.

#if __has_include(<catch2/catch_test_macros.hpp>)

#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>

namespace test {
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinAbs;
}  // namespace test

#else

#include <catch2/catch.hpp>

namespace test {
using Catch::Detail::Approx;  // Catch::Approx also finds the vector matcher in 2.13, and does not compile
using Catch::Matchers::WithinAbs;
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
}  // namespace test

#endif
