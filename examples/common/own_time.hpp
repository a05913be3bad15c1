#pragma once
// own_seconds(): a clock that other programs on the machine do not move on, where there is one.

#include <minitrain/cpu/device.hpp>

#include <time.h>

namespace examples {

/// Seconds since some moment, to take differences of: the processor time of the calling thread where `device` is one
/// thread of the processor, which is all that works then; for other devices, whose work is done elsewhere, time as it
/// passes.
template <class Device>
double own_seconds([[maybe_unused]] const Device& device) {
  clockid_t clock = CLOCK_MONOTONIC;
  if constexpr (std::is_same_v<Device, minitrain::Cpu>) {
    if (device.threads() == 1) clock = CLOCK_THREAD_CPUTIME_ID;
  }
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace examples
