#pragma once
// Parts of a data set: its first samples, some at random, as many as there are.

#include <minitrain/core/permutation.hpp>
#include <minitrain/data/dataset.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <type_traits>
#include <vector>

namespace examples {

/// Samples first, first + 1, ..., as many as `count` of them or as there are; the numbers stay where they are.
inline minitrain::Dataset samples_from(const minitrain::Dataset& data, std::size_t first, std::size_t count) {
  std::vector<std::uint64_t> samples(std::min(count, data.size() - std::min(first, data.size())));
  std::iota(samples.begin(), samples.end(), first);
  return data.subset(std::move(samples));
}

/// The first `count` samples or all there are, in memory of their own. Of data that lie in memory in their order.
inline minitrain::Dataset copy_of_first(const minitrain::Dataset& data, std::size_t count) {
  const minitrain::DatasetParts& all = data.storage();
  count = std::min(count, data.size());
  const auto first = [&](const auto& values) {
    return std::remove_cvref_t<decltype(values)>(values.data(), values.data() + values.size() / all.samples * count);
  };
  return minitrain::Dataset({.samples = count,
                             .features = first(all.features),
                             .bytes = first(all.bytes),
                             .scale = all.scale,
                             .offset = all.offset,
                             .targets = first(all.targets),
                             .labels = first(all.labels),
                             .classes = all.classes});
}

/// `count` samples drawn at random without replacement, or all there are; those of a smaller count are the first of
/// them.
inline minitrain::Dataset some_of(const minitrain::Dataset& data, std::size_t count, std::uint64_t seed) {
  std::vector<std::uint64_t> rows(std::min(count, data.size()));
  minitrain::Permutation(data.size(), seed, 0, minitrain::RandomPurpose::split).fill(0, rows);
  return data.subset(std::move(rows));
}

/// Numbers of samples, those above what there is being all there are, once.
inline std::vector<std::size_t> at_most(std::vector<std::size_t> sizes, std::size_t available) {
  std::vector<std::size_t> result;
  for (const std::size_t size : sizes) {
    const std::size_t count = std::min(size, available);
    if (std::ranges::find(result, count) == result.end()) result.push_back(count);
  }
  return result;
}

/// Throws DataError where there are fewer to train on than an experiment is made for.
inline void want_samples(const minitrain::Dataset& train, std::size_t fewest) {
  if (train.size() >= fewest) return;
  throw minitrain::DataError(minitrain::ErrorCode::empty_data,
                             {"wanted ", fewest, " samples to train on or more, found ", train.size(),
                              ": give a larger data set, or none for synthetic data"});
}

}  // namespace examples
