// Cuda::Context: what is behind a Cuda. One stream, the memory allocated in its order, staging for small uploads.
#pragma once
#include "launch.cuh"

#include <minitrain/cuda/device.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI {

namespace cuda {
class GemmChoices;  // gemm_choice.cu
}

class Cuda::Context {
 public:
  explicit Context(const CudaOptions& options);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  int index() const noexcept { return options_.index; }
  const std::string& name() const noexcept { return name_; }
  int compute_capability() const noexcept { return compute_capability_; }  // 90 for 9.0
  int multiprocessors() const noexcept { return multiprocessors_; }
  Math math() const noexcept { return options_.math; }
  bool exact() const noexcept { return options_.exact; }
  cudaStream_t stream() const noexcept { return stream_; }

  /// Zero-filled memory, given back in the order of the stream.
  void* allocate(std::size_t bytes);
  void deallocate(void* p, std::size_t bytes) noexcept;
  std::size_t allocated() const noexcept { return allocated_; }
  std::size_t peak() const noexcept { return peak_; }
  /// Bytes that can still be allocated.
  std::size_t available();

  /// Working memory that grows to the largest size ever asked for and is kept, one piece per `slot`; what it held
  /// before is gone. Kernels of one stream run one after the other, so that each may use it.
  template <class T>
  T* scratch(std::size_t slot, std::size_t count) {
    return static_cast<T*>(grow(scratch_[slot], count * sizeof(T)));
  }
  static constexpr std::size_t scratch_slots = 4;

  /// Copies a few values to the GPU through pinned memory, without waiting for what is queued, unless it is an upload
  /// `staging_slots` calls ago. They stay as long.
  template <class T>
  const T* upload(const T* host, std::size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    return static_cast<const T*>(upload_bytes(host, count * sizeof(T)));
  }

  /// Who computes which matrix product, once that has been asked.
  std::shared_ptr<cuda::GemmChoices>& gemm_choices() noexcept { return gemm_choices_; }

  void synchronize();

 private:
  struct Piece {
    void* data = nullptr;
    std::size_t bytes = 0;
  };
  struct Staging {
    void* pinned = nullptr;
    Piece device;
    std::size_t bytes = 0;
    cudaEvent_t copied = nullptr;
    bool in_flight = false;
  };
  static constexpr std::size_t staging_slots = 4;

  void* raw_allocate(std::size_t bytes);
  void* grow(Piece& piece, std::size_t bytes);
  const void* upload_bytes(const void* host, std::size_t bytes);
  void release() noexcept;

  CudaOptions options_;
  std::string name_;
  int compute_capability_ = 0, multiprocessors_ = 0;
  cudaStream_t stream_ = nullptr;
  std::size_t allocated_ = 0, peak_ = 0;
  std::array<Piece, scratch_slots> scratch_;
  std::array<Staging, staging_slots> staging_;
  std::size_t next_staging_ = 0;
  std::shared_ptr<cuda::GemmChoices> gemm_choices_;
};

namespace cuda {

inline cudaStream_t stream_of(const Cuda& device) { return device.context()->stream(); }

}  // namespace cuda
}  // namespace minitrain::inline MINITRAIN_ABI
