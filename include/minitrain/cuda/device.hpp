#pragma once
// Cuda: an NVIDIA GPU as a device. A small value, passed first to every operation. Includes no CUDA header: what is
// declared here is defined in minitrain::cuda, by nvcc or, in builds without a toolkit, by a stub that says so.

#include <minitrain/core/tensor.hpp>

#include <memory>
#include <string>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI {

/// What the operands of matrix products are rounded to, to nearest even, on their way into the GPU's multipliers. The
/// products are summed in fp32, and everything in memory is fp32, in every mode (docs/adr/0005-arithmetic-modes.md).
enum class Math {
  fp32,  // not at all: the CPU's bits
  tf32,  // 10 bits after the point, the range of fp32; compute capability 8.0
  bf16,  // 7 bits, the range of fp32; compute capability 8.0
  fp16   // 10 bits, up to 65504, infinity past that; compute capability 7.5
};

/// "fp32", "tf32", "bf16", "fp16"
inline const char* to_string(Math math) {
  return math == Math::fp32 ? "fp32" : math == Math::tf32 ? "tf32" : math == Math::bf16 ? "bf16" : "fp16";
}

struct CudaOptions {
  int index = 0;                 // which GPU, as CUDA_VISIBLE_DEVICES orders them
  std::size_t memory_limit = 0;  // bytes for tensors and working memory; 0: what the GPU has. Within it the library
                                 // chooses micro-batches, and streams data sets that do not fit. 90 kB go to the queue
                                 // of steps
  Math math = Math::fp32;        // of matrix products; never less than asked for
  bool exact = true;             // only the library's own kernels, whose sums have an order that no split changes;
                                 // false: cuBLASLt where it is faster
};

/// A GPU, one stream on it and the memory allocated there. Copies are handles of the same stream: work queued through
/// any of them runs in the order in which it was queued. Two values made apart are two streams that do not wait for one
/// another: make a trainer's data with its own device. One stream serves one caller at a time. Operations called by
/// hand want arithmetic_scope() held where there are several GPUs.
class Cuda {
 public:
  /// GPU 0. Throws as the other constructors do.
  Cuda() : Cuda(CudaOptions{}) {}
  explicit Cuda(int index) : Cuda(CudaOptions{.index = index}) {}
  /// Throws DeviceError when there is no such GPU, no driver for it, no code for its architecture, when it lacks
  /// options.math, or when the library was built without CUDA; never falls back to the CPU or to another mode.
  explicit Cuda(const CudaOptions& options);

  /// What is behind a Cuda: its stream, its staging memory, what it has allocated. Defined with the kernels.
  class Context;
  const std::shared_ptr<Context>& context() const noexcept { return context_; }

  int index() const noexcept;
  /// "NVIDIA H200"
  const std::string& name() const noexcept;
  /// As asked for by the options.
  Math math() const noexcept;
  bool exact() const noexcept;

  /// What the operations are defined for.
  template <class T>
  static constexpr bool computes = std::is_same_v<T, float>;

  /// Steps that the host does not wait for; cuda/step_queue.hpp.
  class StepQueue;
  /// The order of an epoch, on the GPU; cuda/row_order.hpp.
  class RowOrder;
  /// Rows of a data set that does not fit into the GPU's memory; cuda/row_stream.hpp.
  class RowStream;
  class PinnedMemory;

  /// How tensors give their memory back: in the order of the stream, without waiting.
  class Memory {
   public:
    Memory() = default;
    explicit Memory(std::shared_ptr<Context> context) noexcept : context_(std::move(context)) {}
    void deallocate(void* p, std::size_t bytes) const noexcept;

   private:
    std::shared_ptr<Context> context_;
  };
  Memory memory() const noexcept { return Memory(context_); }
  /// Zero-filled. Throws DeviceError (out_of_memory) with the bytes wanted, free and held.
  void* allocate(std::size_t bytes) const;
  /// Bytes that tensors and working memory of this device hold, and the most they ever held.
  std::size_t allocated_bytes() const noexcept;
  std::size_t peak_allocated_bytes() const noexcept;

  /// The cudaStream_t that its work is queued on, for kernels of your own: they run in their turn, and may be replayed
  /// in steps (nn/layer.hpp). It does not wait for CUDA's default stream, nor that for it. Do not destroy it.
  void* stream() const noexcept;

  /// Waits until everything queued is done. Throws DeviceError when some of it failed.
  void synchronize() const;

  /// Held while a run computes: makes the GPU current for the calling thread, and puts back the one that was.
  class Scope {
   public:
    Scope(int index, Context* context);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    int before_ = 0, index_ = 0;
  };
  Scope arithmetic_scope() const;

 private:
  std::shared_ptr<Context> context_;
};

namespace cuda {

/// Bytes between host memory and the GPU's, in the order of the stream. Host memory may be reused when they return.
void copy_from_host(const Cuda&, const void* host, void* device, std::size_t bytes);
void copy_to_host(const Cuda&, const void* device, void* host, std::size_t bytes);
void fill_zero(const Cuda&, void* device, std::size_t bytes);

/// How many GPUs there are; 0 with a reason in `why` when none can be used.
int device_count(std::string* why = nullptr);

}  // namespace cuda

/// "CUDA, NVIDIA H200 (device 0, compute capability 9.0), products in fp32"
std::string describe_device(const Cuda& device);

}  // namespace minitrain::inline MINITRAIN_ABI
