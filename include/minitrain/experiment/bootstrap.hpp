#pragma once
// bootstrap(): how sure a number is that was computed from repeated measurements.

#include <minitrain/core/random.hpp>
#include <minitrain/experiment/statistics.hpp>

#include <cstdint>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

struct Interval {
  double low = 0, high = 0;
};

namespace detail {

/// The q quantile of sorted values, between two of them in proportion (numpy.quantile's "linear").
inline double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto i = static_cast<std::size_t>(at);
  const double part = at - static_cast<double>(i);
  if (part == 0 || sorted[i] == sorted[i + 1]) return sorted[i];
  return sorted[i] * (1 - part) + sorted[i + 1] * part;
}

}  // namespace detail

/// The 95 % interval of a statistic by the percentile bootstrap: groups of measurements, such as the seeds at each
/// batch size, are drawn anew from themselves, with replacement and each group for itself, `resamples` times; between
/// the 2.5 % and the 97.5 % quantile of statistic(groups) lies the interval. Efron, "Bootstrap methods", 1979. Of few
/// measurements it is too narrow: of 3 by half. The same bits for the same seed.
///
///   bootstrap(steps_of_each_batch, [&](const auto& groups) { return fit_steps(batch, medians(groups)).b_crit; }, 1);
///
/// Throws OptionError (no resamples), DataError (empty_data: no groups, or one that is empty; non_finite: the statistic
/// is NaN), and what the statistic throws.
template <class Statistic>
Interval bootstrap(const std::vector<std::vector<double>>& groups, Statistic&& statistic, std::uint64_t seed,
                   std::size_t resamples = 1000) {
  if (resamples == 0 || resamples > 0xFFFFFFFF) {
    throw OptionError({"bootstrap: ", resamples, " resamples, but wanted are 1 to 2^32 - 1"});
  }
  if (groups.empty()) throw DataError(ErrorCode::empty_data, "bootstrap: no groups: give one or more");
  for (const auto& group : groups) {
    if (group.empty()) throw DataError(ErrorCode::empty_data, "bootstrap: a group without values: leave it out");
  }
  std::vector<std::vector<double>> drawn = groups;
  std::vector<double> values;
  for (std::size_t resample = 0; resample < resamples; ++resample) {
    const Random random(seed, RandomPurpose::bootstrap, static_cast<std::uint32_t>(resample));
    std::uint64_t i = 0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const auto size = static_cast<double>(groups[g].size());
      for (double& value : drawn[g]) value = groups[g][static_cast<std::size_t>(random.uniform(i++) * size)];
    }
    values.push_back(static_cast<double>(statistic(std::as_const(drawn))));
    if (std::isnan(values.back())) {
      throw DataError(ErrorCode::non_finite, {"bootstrap: the statistic of resample ", resample,
                                              " is NaN: give it more measurements, or one that is a number for all"});
    }
  }
  std::sort(values.begin(), values.end());
  return {detail::quantile(values, 0.025), detail::quantile(values, 0.975)};
}

}  // namespace minitrain::inline MINITRAIN_ABI
