// LaunchLog: which kernels were launched last. A kernel that fails is noticed later, by a call that has nothing to do
// with it; then the log says between which kernels to look, and gives every later call the same answer.
#pragma once
#include <minitrain/core/error.hpp>

#include <cuda_runtime.h>
#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI::cuda {

/// Throws DeviceError when `status` is a failure: out_of_memory, or device_unavailable for everything else.
inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  const auto code = status == cudaErrorMemoryAllocation ? ErrorCode::out_of_memory : ErrorCode::device_unavailable;
  throw DeviceError(code, {what, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")"});
}

/// The kernel's name as in the source, for messages. "a kernel" where the runtime cannot tell, as after a fault.
inline std::string kernel_name([[maybe_unused]] const void* kernel) {
#if defined(CUDART_VERSION) && CUDART_VERSION < 12030  // which cannot tell
  return "a kernel";
#else
  const char* mangled = nullptr;
  if (cudaFuncGetName(&mangled, kernel) != cudaSuccess || mangled == nullptr) return "a kernel";
  char* const readable = abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr);
  const std::string name = readable != nullptr ? readable : mangled;
  std::free(readable);
  return name;
#endif
}

/// Whether the GPU answers everything with this error from now on, in this process.
inline bool sticks(cudaError_t status) {
  switch (static_cast<int>(status)) {
    case 46:   // cudaErrorDevicesUnavailable
    case 214:  // cudaErrorECCUncorrectable
    case 220:  // cudaErrorNvlinkUncorrectable
    case 700:  // cudaErrorIllegalAddress
    case 702:  // cudaErrorLaunchTimeout
    case 710:  // cudaErrorAssert
    case 714:  // cudaErrorHardwareStackError
    case 715:  // cudaErrorIllegalInstruction
    case 716:  // cudaErrorMisalignedAddress
    case 717:  // cudaErrorInvalidAddressSpace
    case 718:  // cudaErrorInvalidPc
    case 719:  // cudaErrorLaunchFailure
    case 999:  // cudaErrorUnknown
      return true;
    default:
      return false;
  }
}

class LaunchLog {
 public:
  /// The number of a kernel in the log. Its name is asked for the first time, while the GPU still works.
  std::size_t number_of(const void* kernel) {
    for (std::size_t i = 0; i < known_.size(); ++i) {
      if (known_[i].kernel == kernel) return i;
    }
    known_.push_back({kernel, kernel_name(kernel)});
    return known_.size() - 1;
  }
  void launched(std::size_t number) noexcept { last_[launches_++ % last_.size()] = number; }
  void replayed(std::size_t steps) noexcept { replayed_ += steps; }
  /// All launched before has ended, and well.
  void finished() noexcept {
    finished_ = launches_;
    replayed_ = 0;
  }

  /// Throws as the first time when the GPU has failed before.
  void refuse_if_failed() const {
    if (!failure_.empty()) throw DeviceError(ErrorCode::device_unavailable, failure_);
  }
  /// Throws DeviceError when `status` is a failure; names the kernels that may have caused it when it is one that
  /// sticks.
  void check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    if (failure_.empty() && sticks(status)) failure_ = describe(status, what);
    refuse_if_failed();
    cuda::check(status, what);
  }

 private:
  struct Known {
    const void* kernel;
    std::string name;
  };

  std::string describe(cudaError_t status, const char* what) const {
    std::string text = joined({"Cuda: the GPU failed: ", cudaGetErrorString(status), " (", cudaGetErrorName(status),
                               "), noticed at: ", what, "; launched since it was last waited for: ", replayed_,
                               " steps as graphs, and kernels: ", launches_ - finished_,
                               launches_ == 0 ? "" : ", the last of all, latest first: "});
    const std::size_t count = std::min(launches_, last_.size());
    for (std::size_t i = 0; i < count; ++i) {
      text += (i == 0 ? "" : ", ") + known_[last_[(launches_ - 1 - i) % last_.size()]].name;
    }
    return text + ": this process can do no more on it: start it again, and look with compute-sanitizer if it recurs";
  }

  std::vector<Known> known_;  // grows to the number of kernels in the library that are used
  std::array<std::size_t, 4> last_{};
  std::size_t launches_ = 0, finished_ = 0, replayed_ = 0;
  std::string failure_;
};

/// A stream, and who remembers what is launched on it.
struct Stream {
  Stream(cudaStream_t stream, LaunchLog* launches = nullptr) noexcept : handle(stream), log(launches) {}
  operator cudaStream_t() const noexcept { return handle; }

  cudaStream_t handle;
  LaunchLog* log;
};

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
