#pragma once
// split: a data set into a part to train on and a part to test on.

#include <minitrain/core/permutation.hpp>
#include <minitrain/data/dataset.hpp>

namespace minitrain::inline MINITRAIN_ABI {

struct SplitOptions {
  double test_fraction = 0.2;  // of the samples, rounded to the nearest number of them; in (0, 1)
  std::uint64_t seed = 0;
};

/// The parts of a split: `const auto [train, test] = split(data, {.test_fraction = 0.2, .seed = 1});`
struct Split {
  Dataset train, test;
};

/// Draws the samples of the test part at random, without replacement. Each part keeps the samples in their order and
/// shares the numbers. Throws OptionError for a fraction outside (0, 1); DataError (empty_data) when a part would be
/// empty.
inline Split split(const Dataset& data, const SplitOptions& options = {}) {
  if (!(options.test_fraction > 0 && options.test_fraction < 1)) {
    throw OptionError({"split: test_fraction ", options.test_fraction, ": ask for more than 0 and less than 1"});
  }
  const std::size_t n = data.size();
  const auto count = static_cast<std::size_t>(static_cast<double>(n) * options.test_fraction + 0.5);
  if (count == 0 || count >= n) {
    throw DataError(ErrorCode::empty_data,
                    {"split: ", count, " of ", n, " samples to test on leaves a part empty: change test_fraction"});
  }
  const Permutation order(n, options.seed, 0, RandomPurpose::split);
  std::vector<bool> is_test(n);
  std::vector<std::uint64_t> drawn(count);
  order.fill(0, drawn);
  for (const std::uint64_t sample : drawn) is_test[sample] = true;

  std::vector<std::uint64_t> train, test;
  train.reserve(n - count);
  test.reserve(count);
  for (std::size_t sample = 0; sample < n; ++sample) (is_test[sample] ? test : train).push_back(sample);
  return {data.subset(std::move(train)), data.subset(std::move(test))};
}

}  // namespace minitrain::inline MINITRAIN_ABI
