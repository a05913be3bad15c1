#pragma once
// Copies of a network's slab in host memory, and what keeps a half-made sum from staying behind.

#include <minitrain/train/accumulator.hpp>

#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

template <class T, class Device>
void copy_slab(const Device& device, const Tensor<T, Device>& slab, std::vector<T>& host) {
  host.resize(slab.size());
  copy_to_host(device, View<const T, Device>(slab.view()), host.data());
}

/// After parameters came from elsewhere: what an optimizer keeps of earlier ones begins with these.
template <class T, class Device>
void refresh_copies(const Device& device, Accumulator<T, Device>& core) {
  std::vector<T> parameters;
  for (std::size_t i = 0; i < core.moments().size(); ++i) {
    if (!core.rule().copies_parameters(i)) continue;
    if (parameters.empty()) copy_slab(device, core.network().parameters(), parameters);
    copy_from_host(device, parameters.data(), core.moments()[i].view());
  }
}

/// f(); what has accumulated is dropped when it throws, so that no half of a sum stays behind.
template <class T, class Device, class F>
void all_or_nothing(const Device& device, Accumulator<T, Device>& core, F&& f) {
  try {
    f();
  } catch (...) {
    try {
      core.drop(device);
    } catch (...) {  // a device that fails now has said why already
    }
    throw;
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
