#include <minitrain/data/split.hpp>

#include <cmath>
#include <limits>

#include "data/support.hpp"

namespace mt = minitrain;

namespace {

mt::Dataset counting(std::size_t n) {
  mt::DatasetParts parts{.samples = n};
  for (std::size_t i = 0; i < n; ++i) {
    parts.features.push_back(static_cast<float>(i));
    parts.targets.push_back(static_cast<float>(2 * i));
  }
  return mt::Dataset(std::move(parts));
}

}  // namespace

TEST_CASE("a split puts every sample into one part, in order, without copying numbers") {
  for (const std::size_t n : {2, 3, 31, 33, 257, 1003}) {
    const mt::Dataset data = counting(n);
    const auto [train, test] = mt::split(data, {.test_fraction = 0.4, .seed = 3});
    INFO("n " << n);
    CHECK(test.size() == static_cast<std::size_t>(std::lround(0.4 * static_cast<double>(n))));
    CHECK(train.size() + test.size() == n);
    CHECK(&train.storage() == &data.storage());
    CHECK(&test.storage() == &data.storage());
    std::vector<int> seen(n);
    std::size_t wrong = 0;
    for (const mt::Dataset* part : {&train, &test}) {
      for (std::size_t i = 0; i < part->size(); ++i) {
        const float x = part->feature(i, 0);
        wrong += part->target(i) != 2 * x;
        if (i > 0) wrong += x <= part->feature(i - 1, 0);
        ++seen[static_cast<std::size_t>(x)];
      }
    }
    CHECK(wrong == 0);
    CHECK(seen == std::vector<int>(n, 1));
  }
}

TEST_CASE("a split is chosen by its seed") {
  const mt::Dataset data = counting(1000);
  const auto rows = [&](std::uint64_t seed) {
    const auto test = mt::split(data, {.test_fraction = 0.2, .seed = seed}).test;
    return std::vector<std::uint64_t>(test.rows().begin(), test.rows().end());
  };
  CHECK(rows(1) == rows(1));
  CHECK(rows(1) != rows(2));
  // Drawn from all over: about half of the 200 from the first half.
  const auto drawn = rows(1);
  const auto low = std::count_if(drawn.begin(), drawn.end(), [](std::uint64_t row) { return row < 500; });
  CHECK(low > 65);
  CHECK(low < 135);
}

TEST_CASE("a part can be split again") {
  const auto [train, test] = mt::split(counting(100), {.test_fraction = 0.3, .seed = 1});
  const auto [smaller, validation] = mt::split(train, {.test_fraction = 0.5, .seed = 1});
  CHECK(smaller.size() == 35);
  CHECK(validation.size() == 35);
  std::vector<int> seen(100);
  for (const mt::Dataset* part : {&test, &smaller, &validation}) {
    for (std::size_t i = 0; i < part->size(); ++i) ++seen[static_cast<std::size_t>(part->feature(i, 0))];
  }
  CHECK(seen == std::vector<int>(100, 1));
}

TEST_CASE("a fraction outside (0, 1) is refused") {
  for (const double fraction : {0.0, 1.0, -0.1, 1.5, std::nan(""), std::numeric_limits<double>::infinity()}) {
    test::check_error<mt::OptionError>(
        mt::ErrorCode::invalid_argument, [&] { mt::split(counting(10), {.test_fraction = fraction}); }, "test_fraction",
        "more than 0 and less than 1");
  }
}

TEST_CASE("a part that would be empty is refused") {
  const auto code = mt::ErrorCode::empty_data;
  test::check_error<mt::DataError>(
      code, [] { mt::split(counting(10), {.test_fraction = 0.01}); }, "0 of 10 samples");
  test::check_error<mt::DataError>(
      code, [] { mt::split(counting(10), {.test_fraction = 0.99}); }, "10 of 10 samples");
  test::check_error<mt::DataError>(
      code, [] { mt::split(counting(1)); }, "0 of 1 samples");
  test::check_error<mt::DataError>(
      code, [] { mt::split(mt::Dataset()); }, "0 of 0 samples");
}
