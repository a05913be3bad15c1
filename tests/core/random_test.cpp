// Philox4x32-10 against the known answers of its authors (Random123, kat_vectors).

#include <minitrain/core/random.hpp>

#include "support/catch.hpp"

namespace mt = minitrain;

TEST_CASE("Philox4x32-10 gives the published numbers", "[core]") {
  using Words = std::array<std::uint32_t, 4>;
  CHECK(mt::philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(mt::philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(mt::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("uniform numbers lie between 0 and 1 and differ by purpose, stream and seed", "[core]") {
  const mt::Random random(1, mt::RandomPurpose::test);
  double sum = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const double u = random.uniform(i);
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    sum += u;
  }
  CHECK(std::abs(sum / 10'000 - 0.5) < 0.015);
  CHECK(random.word(0) != mt::Random(2, mt::RandomPurpose::test).word(0));
  CHECK(random.word(0) != mt::Random(1, mt::RandomPurpose::dropout).word(0));
  CHECK(random.word(0) != mt::Random(1, mt::RandomPurpose::test, 1).word(0));
  CHECK(random.word(5) == random.block(1)[1]);
}
