#pragma once
// with_device: for programs whose user says where to train. Link minitrain::cuda.

#include <minitrain/cpu.hpp>
#include <minitrain/cuda.hpp>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

template <class F, class Device>
decltype(auto) call_with_device(F&& f, const Device& device, const std::string& why) {
  if constexpr (std::is_invocable_v<F, const Device&, const std::string&>) {
    return std::forward<F>(f)(device, why);
  } else {
    return std::forward<F>(f)(device);
  }
}

/// The number in "cuda:NUMBER", 0 for "cuda", -1 for anything else.
inline int cuda_index(std::string_view name) {
  if (name == "cuda") return 0;
  int index = -1;
  if (!name.starts_with("cuda:")) return -1;
  name.remove_prefix(5);
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  return error == std::errc() && end == name.data() + name.size() ? index : -1;
}

}  // namespace detail

/// Calls f(device) or f(device, why) with the device that `name` asks for, and returns what it returns:
///   "cpu"             Cpu{}
///   "cuda", "cuda:1"  Cuda{0}, Cuda{1}; throws DeviceError where there is none, never falls back
///   "auto"            the first GPU if one can be used, else the CPU; `why` says which and for what reason
///
///   with_device(argument, [&](const auto& device) { Trainer trainer{device, model, loss, optimizer}; ... });
///
/// f must take both kinds. Throws OptionError for any other name.
template <class F>
decltype(auto) with_device(std::string_view name, F&& f) {
  if (name == "cpu") return detail::call_with_device(std::forward<F>(f), Cpu{}, "the CPU was asked for");
  if (const int index = detail::cuda_index(name); index >= 0) {
    return detail::call_with_device(std::forward<F>(f), Cuda{index}, "the GPU was asked for");
  }
  if (name != "auto") {
    throw OptionError({"device \"", std::string(name), "\": wanted cpu, cuda, cuda:NUMBER or auto"});
  }
  std::string why;
  std::optional<Cuda> gpu;
  const int count = cuda::device_count(&why);
  if (count > 0) {
    try {
      gpu.emplace(0);
    } catch (const DeviceError& error) {
      why = error.what();
    }
  }
  if (!gpu) return detail::call_with_device(std::forward<F>(f), Cpu{}, "the CPU, because " + why);
  return detail::call_with_device(std::forward<F>(f), *gpu, joined({"the first of ", count, " GPUs"}));
}

}  // namespace minitrain::inline MINITRAIN_ABI
