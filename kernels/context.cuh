// Cuda::Context: what is behind a Cuda. One stream, the memory allocated in its order, staging for small uploads.
#pragma once
#include "current_gpu.cuh"
#include "replay.cuh"

#include <minitrain/core/traffic.hpp>
#include <minitrain/cuda/device.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
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
  cuda::Stream stream() noexcept { return {stream_, &log_}; }
  Math math() const noexcept { return options_.math; }
  bool exact() const noexcept { return options_.exact; }

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
  static constexpr std::size_t between_steps = 0;  // the slot of checks that are never captured

  /// How often scratch() has moved a piece of a step: what was captured with the old address cannot be replayed.
  std::uint64_t scratch_moves() const noexcept { return scratch_moves_; }

  /// The only copies between host memory and the GPU's, queued on `stream` and counted (copy.cu).
  void copy_to_gpu(const void* host, void* to, std::size_t bytes, cudaStream_t stream, const char* what);
  void copy_from_gpu(const void* from, void* host, std::size_t bytes, cudaStream_t stream, const char* what);
  const Traffic& traffic() const noexcept { return traffic_; }

  /// Copies a few values to `to` on the GPU through pinned memory, without waiting for what is queued, unless it is an
  /// upload `staging_slots` calls ago.
  template <class T>
  void upload(const T* host, std::size_t count, T* to) {
    static_assert(std::is_trivially_copyable_v<T>);
    upload_bytes(host, count * sizeof(T), to);
  }

  /// Who computes which matrix product, once that has been asked.
  std::shared_ptr<cuda::GemmChoices>& gemm_choices() noexcept { return gemm_choices_; }

  void synchronize();

  // --- steps that are captured and replayed (step_queue.cu) ---

  /// Launches go into a graph while it is captured. Then kernels take what varies from step to step from `state`.
  void begin_capture(const cuda::StepState* state);
  /// The graph; null where something was launched that cannot be captured.
  cudaGraph_t end_capture() noexcept;
  /// What every launch of the graph that was captured last copies.
  const Traffic& captured() const noexcept { return captured_; }
  /// It was launched.
  void copied(const Traffic& captured) noexcept { traffic_ += captured; }
  /// Null when nothing is captured.
  const cuda::StepState* replay() const noexcept { return replay_; }

  /// While a step is planned: update operations write their factors here, and launch nothing.
  void plan_into(cuda::PlannedStep* step) noexcept { planned_ = step; }
  bool plan(const SgdFactors<float>& factors) noexcept {
    if (planned_ != nullptr) planned_->sgd = factors;
    return planned_ != nullptr;
  }
  bool plan(const AdamFactors<float>& factors) noexcept {
    if (planned_ != nullptr) planned_->adam = factors;
    return planned_ != nullptr;
  }
  bool plan(const RmspropFactors<float>& factors) noexcept {
    if (planned_ != nullptr) planned_->rmsprop = factors;
    return planned_ != nullptr;
  }
  bool plan(const AdagradFactors<float>& factors) noexcept {
    if (planned_ != nullptr) planned_->adagrad = factors;
    return planned_ != nullptr;
  }
  bool plan(const AverageFactors<float>& factors) noexcept {
    if (planned_ != nullptr) planned_->average = factors;
    return planned_ != nullptr;
  }
  /// To be made current; null where only cudaSetDevice can do that.
  CUcontext primary() const noexcept { return primary_; }

  /// Throws DeviceError when `status` is a failure, with the kernels launched last where one of them may be the cause.
  void check(cudaError_t status, const char* what) { log_.check(status, what); }
  /// Throws what the first failure that sticks has thrown, if there was one.
  void refuse_if_failed() const { log_.refuse_if_failed(); }
  /// So many steps have been launched as graphs.
  void replayed(std::size_t steps) noexcept { log_.replayed(steps); }

 private:
  struct Piece {
    void* data = nullptr;
    std::size_t bytes = 0;
  };
  struct Staging {
    void* pinned = nullptr;
    std::size_t bytes = 0;
    cudaEvent_t copied = nullptr;
    bool in_flight = false;
  };
  static constexpr std::size_t staging_slots = 4;

  void refuse_in_capture() const;
  void* raw_allocate(std::size_t bytes);
  void* grow(Piece& piece, std::size_t bytes);
  void upload_bytes(const void* host, std::size_t bytes, void* to);
  void release() noexcept;

  CudaOptions options_;
  std::string name_;
  int compute_capability_ = 0, multiprocessors_ = 0;
  CUcontext primary_ = nullptr;
  cudaStream_t stream_ = nullptr;
  cuda::LaunchLog log_;
  std::size_t allocated_ = 0, peak_ = 0;
  Traffic traffic_, captured_;
  std::array<Piece, scratch_slots> scratch_;
  std::uint64_t scratch_moves_ = 0;
  const cuda::StepState* replay_ = nullptr;
  cuda::PlannedStep* planned_ = nullptr;
  std::array<Staging, staging_slots> staging_;
  std::size_t next_staging_ = 0;
  std::shared_ptr<cuda::GemmChoices> gemm_choices_;
};

namespace cuda {

inline Stream stream_of(const Cuda& device) { return device.context()->stream(); }

/// The GPU current for what gives things back, where errors have nowhere to go.
class QuietScope {
 public:
  QuietScope(int index, Cuda::Context* context) noexcept {
    try {
      scope_.emplace(index, context);
    } catch (...) {
    }
  }
  explicit QuietScope(const Cuda& device) noexcept : QuietScope(device.index(), device.context().get()) {}

 private:
  std::optional<Cuda::Scope> scope_;
};

}  // namespace cuda
}  // namespace minitrain::inline MINITRAIN_ABI
