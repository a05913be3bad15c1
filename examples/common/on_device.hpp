#pragma once
// on_device(), on_one_thread(): the device that a program's user has asked for.

#include <minitrain/with_device.hpp>

#include <string>
#include <type_traits>
#include <utility>

namespace examples {

/// f(device) on the device that `name` asks for; a processor has so many threads.
template <class F>
decltype(auto) on_device(const std::string& name, std::size_t threads, F&& f) {
  return minitrain::with_device(name, [&]<class Device>(const Device& device) -> decltype(auto) {
    if constexpr (std::is_same_v<Device, minitrain::Cpu>) {
      return f(minitrain::Cpu{{.threads = threads}});
    } else {
      return f(device);
    }
  });
}

/// The same for one of many points of a sweep, which have a thread each.
template <class F>
decltype(auto) on_one_thread(const std::string& name, F&& f) {
  return on_device(name, 1, std::forward<F>(f));
}

/// Points of a sweep at a time, for Experiment::sweep_options(): as many as threads, but one on a GPU.
inline std::size_t sweep_workers(const std::string& device) { return device == "cpu" ? 0 : 1; }

}  // namespace examples
