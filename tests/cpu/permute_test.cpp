// fill_order() is the permutation, whatever the instruction set and the stretch.

#include <minitrain/cpu/permute.hpp>

#include <vector>

#include "support/catch.hpp"

namespace mt = minitrain;

TEST_CASE("fill_order gives the permutation on every instruction set", "[cpu]") {
  for (const std::uint64_t n : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{31},
                                std::uint64_t{33}, std::uint64_t{257}, std::uint64_t{1000}, std::uint64_t{65537},
                                std::uint64_t{1} << 32, (std::uint64_t{1} << 32) + 1, std::uint64_t{1} << 63}) {
    const mt::Permutation permutation(n, 7, 3);
    for (const std::uint64_t first : {std::uint64_t{0}, n / 2}) {
      const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(n - first, 1100));
      for (mt::Isa isa = mt::Isa::baseline; isa <= mt::cpu::best_isa();
           isa = static_cast<mt::Isa>(static_cast<int>(isa) + 1)) {
        std::vector<std::uint64_t> order(count);
        mt::fill_order(mt::Cpu{{.threads = 1, .isa = isa}}, permutation, first, order);
        std::size_t wrong = 0;
        for (std::size_t j = 0; j < count; ++j) wrong += order[j] != permutation(first + j);
        CAPTURE(n, first, static_cast<int>(isa));
        CHECK(wrong == 0);
      }
    }
  }
}
