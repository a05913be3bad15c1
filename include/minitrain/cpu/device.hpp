#pragma once
// Cpu: the host as a device. A small value, passed first to every operation.

#include <minitrain/core/tensor.hpp>
#include <minitrain/cpu/simd.hpp>
#include <minitrain/cpu/threads.hpp>

#include <cstring>
#include <memory>
#include <new>
#include <thread>

namespace minitrain::inline MINITRAIN_ABI {

struct CpuOptions {
  std::size_t threads = 0;           // 0: as many as the machine has; never changes a bit of any result
  Isa isa = Isa::best;               // to compare instruction sets; AVX2 and AVX-512 give the same bits
  double work_per_thread = 400'000;  // floating-point operations below which another thread only costs
};

/// The host processor. Copies are independent devices with the same options: each starts threads of its own when an
/// operation is first large enough to want them, and keeps working memory of its own. One Cpu object serves one caller
/// at a time.
class Cpu {
 public:
  Cpu() : Cpu(CpuOptions{}) {}
  /// Throws OptionError for more than 1,024 threads, and for an instruction set that this processor does not have.
  explicit Cpu(const CpuOptions& options)
      : threads_(options.threads != 0
                     ? options.threads
                     : std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, cpu::Threads::most_parts)),
        isa_(options.isa != Isa::best ? options.isa : cpu::best_isa()),
        work_per_thread_(options.work_per_thread) {
    if (!(work_per_thread_ >= 1)) throw OptionError("Cpu: work_per_thread must be at least 1");
    if (threads_ > cpu::Threads::most_parts) {
      throw OptionError({"Cpu: ", threads_, " threads: ask for 1 to 1024, or 0 for all there are"});
    }
    if (isa_ > cpu::best_isa()) {
      throw OptionError("Cpu: this processor does not have the instruction set asked for: use Isa::best");
    }
  }
  Cpu(const Cpu& other) : threads_(other.threads_), isa_(other.isa_), work_per_thread_(other.work_per_thread_) {}
  Cpu& operator=(const Cpu& other) {
    threads_ = other.threads_;
    isa_ = other.isa_;
    work_per_thread_ = other.work_per_thread_;
    pool_.reset();
    scratch_ = {};
    return *this;
  }

  std::size_t threads() const noexcept { return threads_; }
  Isa isa() const noexcept { return isa_; }

  /// How tensors give their memory back.
  struct Memory {
    void deallocate(void* p, std::size_t) const noexcept { ::operator delete(p, alignment); }
  };
  Memory memory() const noexcept { return {}; }
  /// 64-byte aligned and zero-filled. Throws DeviceError out_of_memory.
  void* allocate(std::size_t bytes) const {
    void* p = ::operator new(bytes, alignment, std::nothrow);
    if (p == nullptr) {
      throw DeviceError(ErrorCode::out_of_memory,
                        {"Cpu: no memory for ", bytes, " bytes: use a smaller micro-batch, model or data set"});
    }
    return std::memset(p, 0, bytes);
  }

  /// Held while a run computes: denormal numbers are zero in it, in all its threads.
  cpu::FlushDenormals arithmetic_scope() const noexcept { return {}; }

  /// Splits [0, count) among threads at multiples of `grain` and calls f(begin, end) for each part. `work` is the
  /// number of floating-point operations (or bytes) of the whole, and decides how many threads are worth it.
  template <class F>
  void parallel(std::size_t count, std::size_t grain, double work, F&& f) const {
    const std::size_t grains = (count + grain - 1) / grain;
    std::size_t parts = std::min(threads_, grains);
    if (work < work_per_thread_ * static_cast<double>(parts)) parts = static_cast<std::size_t>(work / work_per_thread_);
    if (parts < 2) {
      if (count > 0) f(std::size_t{0}, count);
      return;
    }
    if (pool_ == nullptr) pool_ = std::make_unique<cpu::Threads>(threads_);
    auto run_part = [&](std::size_t part) {
      const std::size_t begin = grains * part / parts * grain;
      const std::size_t end = std::min(count, grains * (part + 1) / parts * grain);
      if (begin < end) f(begin, end);
    };
    pool_->run(parts, run_part);
  }

  /// Working memory that grows to the largest size ever asked for and is kept, one piece per `slot`. Call it outside of
  /// parallel(); what it held before is gone.
  template <class T>
  T* scratch(std::size_t slot, std::size_t count) const {
    Scratch& piece = scratch_[slot];
    if (piece.size() < count * sizeof(T)) piece = Scratch(*this, Shape{count * sizeof(T)});
    return reinterpret_cast<T*>(piece.data());
  }
  static constexpr std::size_t scratch_slots = 4;

 private:
  using Scratch = Tensor<std::byte, Cpu>;
  static constexpr std::align_val_t alignment{64};

  std::size_t threads_;
  Isa isa_;
  double work_per_thread_;
  mutable std::unique_ptr<cpu::Threads> pool_;
  mutable std::array<Scratch, scratch_slots> scratch_;
};

/// What a device has chosen at run time, for explain(); a CPU chooses nothing.
inline std::string describe_choices(const Cpu&) { return {}; }

/// Micro-batches whose sizes are multiples of it give the bits of the undivided batch.
constexpr std::size_t split_granule(const Cpu&) { return 1; }

/// "CPU, 2 threads, AVX-512"
inline std::string describe_device(const Cpu& device) {
  constexpr const char* names[] = {"baseline instructions", "AVX2 and FMA", "AVX-512"};
  return joined({"CPU, ", device.threads(), device.threads() == 1 ? " thread, " : " threads, ",
                 names[static_cast<int>(device.isa())]});
}

}  // namespace minitrain::inline MINITRAIN_ABI
