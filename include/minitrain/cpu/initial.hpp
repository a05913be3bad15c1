#pragma once
// fill_initial on the CPU.

#include <minitrain/core/initial_values.hpp>
#include <minitrain/cpu/device.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// y[i] = element i of `values`.
template <class T>
void fill_initial(const Cpu& device, const InitialValues& values, const View<T, Cpu>& y) {
  device.parallel(y.size(), 16, 100.0 * static_cast<double>(y.size()), [&](std::size_t begin, std::size_t end) {
    initial_elements(values, begin, end - begin, y.data() + begin);
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI
