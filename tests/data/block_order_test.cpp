#include <minitrain/cpu/permute.hpp>
#include <minitrain/data/block_order.hpp>

#include <algorithm>
#include <cmath>

#include "support/errors.hpp"

namespace mt = minitrain;

namespace {

std::vector<std::uint64_t> all(const mt::BlockOrder& order) {
  std::vector<std::uint64_t> samples(order.size());
  order.fill(mt::Cpu{}, 0, samples);
  return samples;
}

}  // namespace

TEST_CASE("a block order has every sample once, whatever the sizes") {
  for (const std::uint64_t n : {1, 2, 15, 16, 17, 31, 33, 257, 1000, 4096, 4097}) {
    for (const std::uint64_t samples : {1, 2, 16, 64, 8192}) {
      for (const std::uint64_t window : {1, 3, 16, 256}) {
        for (std::uint64_t seed = 0; seed < 3; ++seed) {
          const mt::BlockOrder order(n, {samples, window}, true, seed, 5);
          std::vector<std::uint64_t> sorted = all(order);
          std::sort(sorted.begin(), sorted.end());
          std::size_t wrong = 0;
          for (std::uint64_t i = 0; i < n; ++i) wrong += sorted[i] != i;
          INFO("n " << n << " samples " << samples << " window " << window << " seed " << seed);
          CHECK(wrong == 0);
        }
      }
    }
  }
}

TEST_CASE("the samples of a window are those of its blocks") {
  for (const std::uint64_t n : {1000, 1024, 1025, 5555}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const mt::BlockOrder order(n, {16, 5}, true, seed, 1);
      CHECK(order.window_begin(order.windows()) == n);
      std::size_t wrong = 0;
      for (std::uint64_t w = 0; w < order.windows(); ++w) {
        std::vector<std::uint64_t> expected, found(order.window_begin(w + 1) - order.window_begin(w));
        for (std::uint64_t i = 0; i < order.blocks_in(w); ++i) {
          const auto stretch = order.block(w, i);
          for (std::uint64_t k = 0; k < stretch.count; ++k) expected.push_back(stretch.first + k);
        }
        order.fill(mt::Cpu{}, order.window_begin(w), found);
        for (std::uint64_t p = order.window_begin(w); p < order.window_begin(w + 1); ++p)
          wrong += order.window_of(p) != w;
        std::sort(expected.begin(), expected.end());
        std::sort(found.begin(), found.end());
        wrong += expected != found;
      }
      INFO("n " << n << " seed " << seed);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("any stretch of a block order can be asked for") {
  const mt::BlockOrder order(10'007, {32, 7}, true, 3, 2);
  const std::vector<std::uint64_t> samples = all(order);
  const mt::Random random(1, mt::RandomPurpose::test);
  for (std::uint64_t trial = 0; trial < 500; ++trial) {
    const std::uint64_t first = random.word(2 * trial) % samples.size();
    std::vector<std::uint64_t> part(1 + random.word(2 * trial + 1) % (samples.size() - first));
    order.fill(mt::Cpu{}, first, part);
    CHECK(std::equal(part.begin(), part.end(), samples.begin() + static_cast<std::ptrdiff_t>(first)));
  }
}

TEST_CASE("seed and epoch choose another block order, and blocks that are not shuffled are in order") {
  const auto base = all(mt::BlockOrder(5000, {16, 8}, true, 1, 1));
  CHECK(all(mt::BlockOrder(5000, {16, 8}, true, 2, 1)) != base);
  CHECK(all(mt::BlockOrder(5000, {16, 8}, true, 1, 2)) != base);
  CHECK(all(mt::BlockOrder(5000, {16, 8}, true, 1, (std::uint64_t{1} << 32) + 1)) != base);
  const auto plain = all(mt::BlockOrder(5000, {16, 8}, false, 1, 1));
  for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(plain[i] == i);
}

TEST_CASE("the end of ten thousand million samples is there at once") {
  const std::uint64_t n = 10'000'000'000 + 7;
  const mt::BlockOrder order(n, {16'384, 64}, true, 1, 0);
  std::vector<std::uint64_t> last(100);
  order.fill(mt::Cpu{}, n - 100, last);
  std::sort(last.begin(), last.end());
  CHECK(std::unique(last.begin(), last.end()) == last.end());
  CHECK(last.back() < n);
}

TEST_CASE("blocks mix the whole set: positions and samples do not know of one another") {
  // 1,024 blocks of 256 samples, 64 to a window; figures as for a shuffle of single samples, but for what remains of
  // the windows.
  const std::uint64_t n = 1 << 18;
  const auto order = all(mt::BlockOrder(n, {256, 64}, true, 7, 0));
  const double mean = static_cast<double>(n - 1) / 2,
               variance = (static_cast<double>(n) * static_cast<double>(n) - 1) / 12;
  double serial = 0, displacement = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const auto x = static_cast<double>(order[i]), y = static_cast<double>(order[(i + 1) % n]);
    serial += (x - mean) * (y - mean);
    displacement += std::abs(x - static_cast<double>(i));
  }
  CHECK(std::abs(serial / (static_cast<double>(n) * variance)) < 0.06);
  CHECK(displacement / (static_cast<double>(n) * static_cast<double>(n)) == Approx(1.0 / 3).margin(0.03));
}

TEST_CASE("blocks that are none are refused") {
  for (const mt::Blocks& blocks : {mt::Blocks{0, 1}, mt::Blocks{3, 1}, mt::Blocks{2, 0}, mt::Blocks{2, 257}}) {
    test::check_error<mt::OptionError>(
        mt::ErrorCode::invalid_argument, [&] { mt::BlockOrder(10, blocks, true, 0, 0); }, "power of two");
  }
}
