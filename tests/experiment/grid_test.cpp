// The points of a grid: all combinations of axes, or a list.

#include <minitrain/experiment/grid.hpp>

#include "support/errors.hpp"

#include <limits>
#include <optional>

namespace mt = minitrain;

TEST_CASE("a grid has all combinations, the last axis fastest") {
  const mt::Grid grid({{"batch_size", {32, 64, 128}}, {"seed", {0, 1}}});
  REQUIRE(grid.size() == 6);
  CHECK(grid.names() == std::vector<std::string>{"batch_size", "seed"});
  const double wanted[6][2] = {{32, 0}, {32, 1}, {64, 0}, {64, 1}, {128, 0}, {128, 1}};
  for (std::size_t i = 0; i < 6; ++i) {
    const mt::Point point = grid[i];
    CHECK(point.index() == i);
    CHECK(point["batch_size"] == wanted[i][0]);
    CHECK(point.count("seed") == static_cast<std::size_t>(wanted[i][1]));
    CHECK(point.values() == std::vector<double>(wanted[i], wanted[i] + 2));
  }
  CHECK(grid[3].text() == "batch_size=64 seed=1");
  CHECK(mt::Grid({{"learning_rate", {0.1}}})[0].text() == "learning_rate=0.1");
}

TEST_CASE("a list of points is a grid too") {
  const mt::Grid grid({"samples", "features"}, {{100, 10}, {200, 20}});
  REQUIRE(grid.size() == 2);
  CHECK(grid.axes().empty());
  CHECK(grid[1]["samples"] == 200);
  CHECK(grid[1]["features"] == 20);
  CHECK(grid[1].text() == "samples=200 features=20");
}

TEST_CASE("braces of one axis, of one value, of zero make a grid, with whatever brackets around") {
  CHECK(mt::Grid({{"x", {0}}}).names() == std::vector<std::string>{"x"});
  CHECK(mt::Grid{{"x", {0}}}.size() == 1);
  CHECK(mt::Grid({{"x", {1, 2}}, {"seed", {0}}}).names() == std::vector<std::string>{"x", "seed"});
  CHECK(mt::Grid{{"x", {1, 2}}, {"seed", {0}}}.size() == 2);
  const std::vector<double> seeds{0, 1, 2};
  CHECK(mt::Grid({{"x", {1, 2}}, {"seed", seeds}}).size() == 6);
  CHECK(mt::Grid({mt::Axis{"seed", seeds}}).size() == 3);
  CHECK(mt::Grid({"x"}, {{1}, {2}}).size() == 2);
  CHECK(mt::Grid({"x", "y"}, {{1, 2}}).size() == 1);
  CHECK(mt::Grid({"x", "y"}, {{0, 0}})[0].text() == "x=0 y=0");
}

TEST_CASE("a point outlives its grid") {
  std::optional<mt::Grid> grid(mt::Grid({{"an axis whose name is too long to lie in the string itself", {1, 2}}}));
  const mt::Point point = (*grid)[1];
  grid.reset();
  CHECK(point["an axis whose name is too long to lie in the string itself"] == 2);
}

TEST_CASE("what a point does not have") {
  const mt::Grid grid({{"rate", {0.5, -1, 0x1p54}}, {"seed", {0}}});
  const auto invalid = mt::ErrorCode::invalid_argument;
  test::check_error<mt::OptionError>(
      invalid, [&] { return grid[0]["sed"]; }, "'sed'", "rate, seed");
  for (std::size_t i = 0; i < 3; ++i) {
    test::check_error<mt::OptionError>(
        invalid, [&] { return grid[i].count("rate"); }, "whole number");
  }
  test::check_error<mt::OptionError>(
      invalid, [&] { return grid[3]; }, "no point 3", "there are 3");
}

TEST_CASE("grids that cannot be are refused") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [](const char* why, auto make) {
    test::check_error<mt::OptionError>(mt::ErrorCode::invalid_argument, make, why);
  };
  refused("no axes", [] { mt::Grid(std::vector<mt::Axis>{}); });
  refused("'b' has no values", [] { mt::Grid({{"a", {1}}, {"b", {}}}); });
  refused("two axes are called 'a'", [] { mt::Grid({{"a", {1}}, {"b", {1}}, {"a", {2}}}); });
  refused("called ''", [] { mt::Grid({{"", {1}}}); });
  refused("UTF-8", [] { mt::Grid({{"\xff", {1}}}); });
  refused("NaN", [] { mt::Grid({{"a", {1, nan}}}); });
  refused("a list of 0 points", [] { mt::Grid({"a"}, {}); });
  refused("no axes", [] { mt::Grid(std::vector<std::string>{}, {{}}); });
  refused("point 1 has 1 values for 2 names", [] { mt::Grid({"a", "b"}, {{1, 2}, {3}}); });
  refused("two axes are called 'a'", [] { mt::Grid({"a", "a"}, {{1, 2}}); });
  refused("point 0 has NaN", [] { mt::Grid({"a", "b"}, {{1, nan}}); });
}

TEST_CASE("a grid of too many points is refused, the product of whose axes overflows too") {
  const std::vector<double> values(4096, 1.0);
  CHECK(mt::Grid({{"a", values}, {"b", values}}).size() == mt::Grid::most_points);
  for (const std::size_t axes : {3u, 6u, 16u}) {  // 2^36, 2^72, 2^192: the last two are 2^8 and 0 in 64 bits
    std::vector<mt::Axis> all;
    for (std::size_t i = 0; i < axes; ++i) all.push_back({std::string(1, static_cast<char>('a' + i)), values});
    test::check_error<mt::OptionError>(
        mt::ErrorCode::invalid_argument, [&] { mt::Grid{all}; }, "more than 16777216 points, from axis 'c' on");
  }
}
