#include <minitrain/data/generated.hpp>
#include <minitrain/data/read_all.hpp>

#include "data/support.hpp"

namespace mt = minitrain;

TEST_CASE("all samples of a set in memory, however it is read") {
  constexpr std::size_t n = 2500;  // more than are read at a time
  const mt::Dataset data =
      mt::generated({.feature_columns = 2, .target_columns = 1}, n, [](std::uint64_t i, mt::SampleBuffers out) {
        out.features[1] = static_cast<float>(i), out.targets[0] = -static_cast<float>(i);
      });
  const mt::Dataset all = mt::read_all(data);
  REQUIRE(all.in_memory());
  REQUIRE(all.shape() == data.shape());
  REQUIRE(all.size() == n);
  for (const std::size_t i : {std::size_t{0}, std::size_t{1023}, std::size_t{1024}, n - 1}) {
    CHECK(all.feature(i, 1) == static_cast<float>(i));
    CHECK(all.target(i) == -static_cast<float>(i));
  }
  CHECK(&mt::read_all(all).storage() == &all.storage());
}

TEST_CASE("more samples than any memory holds are refused, also where 64 bits do not hold their bytes") {
  const mt::Dataset data = mt::generated({.feature_columns = std::size_t{1} << 40}, std::uint64_t{1} << 24,
                                         [](std::uint64_t, mt::SampleBuffers) {});
  test::check_error<mt::DataError>(
      mt::ErrorCode::overflow, [&] { mt::read_all(data); }, "16777216 samples", "4398046511104 bytes");
}
