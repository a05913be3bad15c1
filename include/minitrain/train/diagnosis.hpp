#pragma once
// diagnose_non_finite(): where in a batch and in a network numbers stopped being finite.

#include <minitrain/data/loader.hpp>
#include <minitrain/train/accumulator.hpp>

#include <cmath>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Rows of a view that hold a number that is not finite.
template <class T, class Device>
std::vector<std::size_t> non_finite_rows(const Device& device, const View<const T, Device>& view) {
  std::vector<std::size_t> rows;
  std::vector<T> host(view.size());
  copy_to_host(device, view, host.data());
  for (std::size_t i = 0; i < view.rows(); ++i) {
    for (std::size_t j = 0; j < view.columns(); ++j) {
      if (std::isfinite(host[i * view.columns() + j])) continue;
      rows.push_back(i);
      break;
    }
  }
  return rows;
}

/// "sample 17" or "samples 17, 3, 8 and 4 others"
inline std::string sample_list(const std::vector<std::uint64_t>& samples) {
  constexpr std::size_t most = 8;
  std::string text = samples.size() == 1 ? "sample " : "samples ";
  for (std::size_t i = 0; i < std::min(most, samples.size()); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(samples[i]);
  return samples.size() <= most ? text : text + joined({" and ", samples.size() - most, " others"});
}

}  // namespace detail

/// Goes through the samples at positions [at, end) of an epoch once more, with the parameters of before the step that
/// failed, and says in words which samples and which layer first gave numbers that are not finite: "; ...". Empty where
/// it cannot tell.
template <class T, class Device>
std::string diagnose_non_finite(const Device& device, Accumulator<T, Device>& core, DataLoader<T, Device>& loader,
                                std::size_t epoch, std::size_t at, std::size_t end) noexcept {
  try {
    Network<T, Device>& network = core.network();
    std::string where;
    std::size_t earliest = network.stages() + 1;
    std::vector<std::uint64_t> samples;
    const std::size_t begin = at;
    for (std::size_t count; at < end; at += count) {
      count = std::min(network.capacity(), end - at);
      const Batch<T, Device>& batch = loader.next(device, epoch, at, count);
      // Dropout as it was in the step: the same samples, the same zeros.
      const Pass pass{core.seed(), core.steps(), at - begin, true};
      for (std::size_t stage = 0; stage <= network.stages() && stage <= earliest; ++stage) {
        const View<const T, Device> values =
            stage == 0 ? batch.features : View<const T, Device>(network.forward(device, batch.features, pass, stage));
        const std::vector<std::size_t> rows = detail::non_finite_rows(device, values);
        if (rows.empty()) continue;
        if (stage < earliest) samples.clear();
        earliest = stage;
        const std::vector<std::uint64_t> numbers = loader.samples(batch);
        for (const std::size_t row : rows) samples.push_back(numbers[row]);
        break;
      }
    }
    const std::string batch =
        joined({"; in epoch ", epoch, ", batch of samples at positions ", begin, " to ", end, ": "});
    if (samples.empty()) {
      return batch +
             "all outputs of all layers are finite: it is the loss or a gradient that is past the range of the "
             "type";
    }
    const std::string which = detail::sample_list(samples);
    if (earliest == 0)
      return batch + which + (samples.size() == 1 ? " has" : " have") + " features that are not finite";
    return batch + "first in layer " + network.stage_name(earliest - 1) + ", for " + which;
  } catch (...) {  // the failure itself is what is to be heard of
    return {};
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
