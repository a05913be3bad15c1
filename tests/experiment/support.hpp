#pragma once
// What the tests of experiments share: a function whose values show every bit, results compared bit by bit.

#include <minitrain/core/random.hpp>
#include <minitrain/experiment/sweep.hpp>

#include "io/support.hpp"
#include "support/errors.hpp"

#include <bit>
#include <cstring>

namespace test {

/// Values of a point that only it decides: any double there is, NaN of many kinds, infinities and denormals among them.
inline std::vector<double> any_values(const minitrain::Point& point) {
  const minitrain::Random random(7, minitrain::RandomPurpose::test);
  const auto words = random.block(point.index());
  const double any = std::bit_cast<double>(std::uint64_t{words[0]} << 32 | words[1]);
  constexpr double special[] = {std::numeric_limits<double>::quiet_NaN(),
                                -std::numeric_limits<double>::quiet_NaN(),
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                -0.0,
                                std::numeric_limits<double>::denorm_min(),
                                std::numeric_limits<double>::max(),
                                0.1};
  return {any, special[words[2] % 8], point.values()[0] / 3};
}

inline std::vector<std::uint64_t> bits_of(const minitrain::SweepResult& result) {
  std::vector<std::uint64_t> bits;
  for (const auto& row : result.rows) {
    bits.push_back(row.size());
    for (const double value : row) bits.push_back(std::bit_cast<std::uint64_t>(value));
  }
  return bits;
}

}  // namespace test
