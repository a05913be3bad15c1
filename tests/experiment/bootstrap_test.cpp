// Bootstrap intervals: they hold the truth as often as they should, and are the same bits every time.

#include <minitrain/experiment/bootstrap.hpp>
#include <minitrain/experiment/hyperbola.hpp>

#include "support/errors.hpp"

#include <numbers>

namespace mt = minitrain;

namespace {

using Groups = std::vector<std::vector<double>>;

double mean_of_first(const Groups& groups) { return mt::mean_of(groups[0]).mean; }

double normal(std::uint32_t stream, std::uint64_t i) {
  const mt::Random random(13, mt::RandomPurpose::test, stream);
  return std::sqrt(-2 * std::log(1 - random.uniform(2 * i))) *
         std::cos(2 * std::numbers::pi * random.uniform(2 * i + 1));
}

}  // namespace

TEST_CASE("quantiles lie between values, as numpy's") {
  const std::vector<double> sorted{1, 2.5, 4, 5, 9};
  CHECK(mt::detail::quantile(sorted, 0.025) == test::Approx(1.15).epsilon(1e-12));  // Python: quantiles(inclusive)
  CHECK(mt::detail::quantile(sorted, 0.975) == test::Approx(8.6).epsilon(1e-12));
  CHECK(mt::detail::quantile(sorted, 0) == 1);
  CHECK(mt::detail::quantile(sorted, 0.5) == 4);
  CHECK(mt::detail::quantile(sorted, 1) == 9);
  CHECK(mt::detail::quantile({3}, 0.975) == 3);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(mt::detail::quantile({1, infinity, infinity}, 0.9) == infinity);
}

TEST_CASE("a bootstrap interval is a function of its seed") {
  const Groups groups{{1, 2, 3, 4, 5, 6, 7, 8}};
  const mt::Interval first = mt::bootstrap(groups, mean_of_first, 1);
  const mt::Interval again = mt::bootstrap(groups, mean_of_first, 1);
  const mt::Interval other = mt::bootstrap(groups, mean_of_first, 2);
  CHECK((first.low == again.low && first.high == again.high));
  CHECK((first.low != other.low || first.high != other.high));
  CHECK((first.low == 2.875 && first.high == 6.125));  // Python: Philox by hand, statistics.quantiles
}

TEST_CASE("the interval of a mean of many is the normal one, and covers 95 %") {
  std::size_t covered = 0;
  constexpr std::size_t rounds = 300, size = 40;
  double width = 0;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    Groups groups(1);
    for (std::size_t i = 0; i < size; ++i) groups[0].push_back(10 + normal(round, i));
    const mt::Interval interval = mt::bootstrap(groups, mean_of_first, round, 400);
    covered += interval.low <= 10 && 10 <= interval.high ? 1u : 0u;
    width += (interval.high - interval.low) / rounds;
  }
  CHECK(width == test::Approx(2 * 1.96 / std::sqrt(size)).epsilon(0.05));
  // About 93.5 % are due with 40 values; three standard errors of a count of 300 are 4.3 %.
  CHECK(static_cast<double>(covered) / rounds > 0.893);
  CHECK(static_cast<double>(covered) / rounds < 0.978);
}

TEST_CASE("the interval of a mean of three is their range, which covers 75 %") {
  std::size_t covered = 0, others = 0;
  constexpr std::size_t rounds = 500;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const Groups groups{{normal(round, 0), normal(round, 1), normal(round, 2)}};
    const mt::Interval interval = mt::bootstrap(groups, mean_of_first, round);
    const mt::Spread range = mt::spread(groups[0]);
    others += interval.low == test::Approx(range.low) && interval.high == test::Approx(range.high) ? 0u : 1u;
    covered += range.low <= 0 && 0 <= range.high ? 1u : 0u;
  }
  // A resample is three times the smallest in 1 of 27 cases, so that 2.5 % of 1000 are but for 1 round in 40.
  CHECK(others < rounds / 20);
  CHECK(static_cast<double>(covered) / rounds == test::Approx(0.75).margin(3 * std::sqrt(0.75 * 0.25 / rounds)));
}

TEST_CASE("groups are drawn each for itself, every value as often as the next") {
  const Groups groups{{1, 2, 3}, {10}, {100, 200}};
  std::vector<std::size_t> counts(6);
  std::size_t wrong = 0, resamples = 0, together = 0;
  const auto statistic = [&](const Groups& drawn) {
    wrong += drawn.size() == 3 && drawn[0].size() == 3 && drawn[1] == groups[1] && drawn[2].size() == 2 ? 0u : 1u;
    for (const double value : drawn[0]) ++counts[value == 1 ? 0 : value == 2 ? 1 : value == 3 ? 2 : 5];
    for (const double value : drawn[2]) ++counts[value == 100 ? 3 : value == 200 ? 4 : 5];
    together += drawn[0][0] == 1 && drawn[2][0] == 100 ? 1u : 0u;
    ++resamples;
    return 0.0;
  };
  mt::bootstrap(groups, statistic, 5, 6000);
  CHECK(resamples == 6000);
  CHECK(wrong == 0);
  CHECK(counts[5] == 0);
  for (std::size_t i = 0; i < 5; ++i) CHECK(static_cast<double>(counts[i]) == test::Approx(6000).margin(4 * 64));
  CHECK(static_cast<double>(together) == test::Approx(1000).margin(4 * 29));
}

TEST_CASE("the interval of a critical batch size holds the true one") {
  const std::vector<double> batch{16, 32, 64, 128, 256, 512, 1024};
  const auto b_crit = [&](const Groups& groups) {
    std::vector<double> steps;
    for (const auto& group : groups) steps.push_back(mt::mean_of(group).mean);
    return mt::fit_steps(batch, steps).b_crit;
  };
  std::size_t covered = 0;
  constexpr std::size_t rounds = 40;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    Groups groups(batch.size());
    for (std::size_t b = 0; b < batch.size(); ++b) {
      for (std::size_t i = 0; i < 10; ++i) {
        groups[b].push_back(500 * (1 + 120 / batch[b]) * (1 + 0.1 * normal(round, 100 * b + i)));
      }
    }
    const mt::Interval interval = mt::bootstrap(groups, b_crit, round, 200);
    covered += interval.low <= 120 && 120 <= interval.high ? 1u : 0u;
  }
  CHECK(covered >= 32);
  CHECK(covered < rounds);
}

TEST_CASE("bootstraps that cannot be are refused") {
  const Groups groups{{1, 2}};
  const auto empty = mt::ErrorCode::empty_data;
  test::check_error<mt::OptionError>(
      mt::ErrorCode::invalid_argument, [&] { mt::bootstrap(groups, mean_of_first, 1, 0); }, "0 resamples");
  test::check_error<mt::DataError>(
      empty, [] { mt::bootstrap({}, mean_of_first, 1); }, "no groups");
  test::check_error<mt::DataError>(
      empty,
      [] {
        mt::bootstrap({{1}, {}}, mean_of_first, 1);
      },
      "without values");
  const auto not_a_number = [](const Groups&) { return std::numeric_limits<double>::quiet_NaN(); };
  test::check_error<mt::DataError>(
      mt::ErrorCode::non_finite, [&] { mt::bootstrap(groups, not_a_number, 1); }, "resample 0 is NaN");
  const auto throws = [](const Groups&) -> double { throw std::range_error("statistic"); };
  CHECK_THROWS_AS(mt::bootstrap(groups, throws, 1), std::range_error);
}
