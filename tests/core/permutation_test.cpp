#include <minitrain/core/permutation.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "support/errors.hpp"

namespace mt = minitrain;

namespace {

std::vector<std::uint64_t> order_of(const mt::Permutation& permutation) {
  std::vector<std::uint64_t> order(permutation.size());
  permutation.fill(0, order);
  return order;
}

bool is_bijection(std::vector<std::uint64_t> order) {
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i] != i) return false;
  }
  return true;
}

// How far sum((counts - expected)^2 / expected) lies from its mean, in standard deviations.
double deviations(const std::vector<double>& counts, double expected, double degrees) {
  double sum = 0;
  for (const double count : counts) sum += (count - expected) * (count - expected) / expected;
  return (sum - degrees) / std::sqrt(2 * degrees);
}

}  // namespace

TEST_CASE("a permutation is a bijection of the numbers below n") {
  std::vector<std::uint64_t> sizes{1,  2,  3,   4,   5,   7,   8,   31,   32,    33,   63,
                                   64, 65, 255, 256, 257, 511, 513, 1000, 65536, 65537};
  const mt::Random random(3, mt::RandomPurpose::test);
  for (std::uint64_t i = 0; i < 50; ++i) sizes.push_back(1 + random.word(i) % 5000);
  for (const std::uint64_t n : sizes) {
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
      INFO("n " << n << " seed " << seed);
      CHECK(is_bijection(order_of(mt::Permutation(n, seed, 1'000'000))));
    }
  }
}

TEST_CASE("every element is found at its position") {
  for (const std::uint64_t n : {1ull, 2ull, 3ull, 31ull, 1023ull, 1024ull, 100003ull, 1ull << 31, (1ull << 31) + 1,
                                (1ull << 32) + 1, 1ull << 63}) {
    for (const std::uint64_t seed : {0ull, ~0ull}) {
      const mt::Permutation p(n, seed, 3);
      std::size_t wrong = 0;
      for (std::uint64_t k = 0; k < std::min<std::uint64_t>(n, 2000); ++k) {
        const std::uint64_t i = n / 2000 == 0 ? k : k * (n / 2000);
        wrong += p(p.position_of(i)) != i || p.position_of(p(i)) != i;
      }
      INFO("n " << n << " seed " << seed);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("filling a span gives what asking one by one gives") {
  for (const std::uint64_t n :
       {std::uint64_t{1}, std::uint64_t{31}, std::uint64_t{1000}, std::uint64_t{70'000}, std::uint64_t{1} << 32,
        (std::uint64_t{1} << 32) + 1, (std::uint64_t{1} << 40) + 12345, std::uint64_t{1} << 63}) {
    const mt::Permutation permutation(n, 11, 4);
    for (const std::size_t count : {0, 1, 15, 16, 17, 64, 65, 511, 512, 513, 1500}) {
      const std::uint64_t size = std::min<std::uint64_t>(count, n), first = (n - size) / 2;
      std::vector<std::uint64_t> order(size);
      permutation.fill(first, order);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < size; ++i) wrong += order[i] != permutation(first + i) || order[i] >= n;
      INFO("n " << n << " count " << count);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("large permutations do not repeat an element") {
  const std::uint64_t n = (std::uint64_t{1} << 32) + 1;
  const mt::Permutation permutation(n, 5, 0);
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    seen.insert(permutation(i));
    seen.insert(permutation(n - 1 - i));
  }
  CHECK(seen.size() == 40'000);
  CHECK(*seen.rbegin() < n);
  CHECK(*seen.rbegin() > n - n / 1000);
}

TEST_CASE("seed, epoch and purpose each choose another order") {
  const auto order = order_of(mt::Permutation(1000, 7, 3));
  CHECK(order == order_of(mt::Permutation(1000, 7, 3)));
  CHECK(order != order_of(mt::Permutation(1000, 8, 3)));
  CHECK(order != order_of(mt::Permutation(1000, 7, 4)));
  CHECK(order != order_of(mt::Permutation(1000, 7 + (std::uint64_t{1} << 32), 3)));
  CHECK(order != order_of(mt::Permutation(1000, 7, 3 + (std::uint64_t{1} << 32))));
  CHECK(order != order_of(mt::Permutation(1000, 7, 3, mt::RandomPurpose::split)));
}

TEST_CASE("the order is the same on every machine") {
  static_assert(mt::Permutation(1000, 7, 3)(0) == 402);
  CHECK(order_of(mt::Permutation(10, 1, 0)) == std::vector<std::uint64_t>{4, 5, 6, 3, 1, 7, 0, 9, 8, 2});
  CHECK(mt::Permutation((std::uint64_t{1} << 40) + 12345, 1, 2)(5) == 35017542951);
}

TEST_CASE("every element is equally likely at every position") {
  // 20,000 orders of n elements, as a table of position against element.
  for (const std::uint64_t n : {2, 3, 5, 31, 33, 64}) {
    std::vector<double> table(n * n);
    constexpr int orders = 20'000;
    for (int seed = 0; seed < orders; ++seed) {
      const auto order = order_of(mt::Permutation(n, static_cast<std::uint64_t>(seed), 1));
      for (std::size_t i = 0; i < n; ++i) table[i * n + order[i]] += 1;
    }
    const double degrees = static_cast<double>((n - 1) * (n - 1));
    // Rows and columns of the table have fixed sums, which makes the statistic n / (n - 1) times too large.
    const double scale = static_cast<double>(n - 1) / static_cast<double>(n);
    double sum = 0;
    const double expected = orders / static_cast<double>(n);
    for (const double count : table) sum += (count - expected) * (count - expected) / expected;
    INFO("n " << n);
    CHECK(std::abs((sum * scale - degrees) / std::sqrt(2 * degrees)) < 5);
  }
}

TEST_CASE("large orders look random") {
  for (const std::uint64_t n : {std::uint64_t{20'640}, std::uint64_t{65'536}, std::uint64_t{1'000'003}}) {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      const auto order = order_of(mt::Permutation(n, seed, 1));
      const double mean = static_cast<double>(n - 1) / 2, size = static_cast<double>(n);
      const double variance = (size * size - 1) / 12;
      std::vector<double> table(64 * 64);
      double serial = 0, displacement = 0;
      for (std::uint64_t i = 0; i < n; ++i) {
        table[i * 64 / n * 64 + order[i] * 64 / n] += 1;
        const double x = static_cast<double>(order[i]);
        displacement += std::abs(x - static_cast<double>(i)) / size / size;
        if (i + 1 < n) serial += (x - mean) * (static_cast<double>(order[i + 1]) - mean) / variance / size;
      }
      INFO("n " << n << " seed " << seed);
      CHECK(std::abs(deviations(table, size / 4096, 63 * 63)) < 5);
      CHECK(std::abs(serial) * std::sqrt(size) < 5);
      CHECK(std::abs(displacement - 1.0 / 3) * std::sqrt(size) < 2);
    }
  }
}

TEST_CASE("a permutation of nothing, or of more than 2^63, is refused") {
  const auto code = mt::ErrorCode::invalid_argument;
  test::check_error<mt::OptionError>(
      code, [] { mt::Permutation(0, 1); }, "Permutation: of 0 elements");
  test::check_error<mt::OptionError>(
      code, [] { mt::Permutation((std::uint64_t{1} << 63) + 1, 1); }, "1 to 2^63");
}
