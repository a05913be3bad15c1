#pragma once
// on_one_thread(): the device of one point of a sweep, beside other points.

#include <minitrain/with_device.hpp>

#include <string>
#include <type_traits>
#include <utility>

namespace examples {

/// f(device) on the device that `name` asks for; of a processor on one thread, since each point of a sweep has one.
template <class F>
decltype(auto) on_one_thread(const std::string& name, F&& f) {
  return minitrain::with_device(name, [&]<class Device>(const Device& device) -> decltype(auto) {
    if constexpr (std::is_same_v<Device, minitrain::Cpu>) {
      return f(minitrain::Cpu{{.threads = 1}});
    } else {
      return f(device);
    }
  });
}

/// Points of a sweep at a time, for Experiment::sweep_options(): as many as threads, but one on a GPU.
inline std::size_t sweep_workers(const std::string& device) { return device == "cpu" ? 0 : 1; }

}  // namespace examples
