#pragma once
// HostSlot: host memory for some samples, where threads put them and a device takes them from.

#include <minitrain/core/tensor.hpp>
#include <minitrain/data/dataset.hpp>

#include <new>

namespace minitrain::inline MINITRAIN_ABI {

/// Host memory that a device copies from without a detour: Device::PinnedMemory where there is such a thing, else what
/// operator new gives. 64-byte aligned; nothing is written to it, so its pages come to be where they are first used.
template <class Device>
class StagingMemory {
 public:
  /// Throws DeviceError (out_of_memory).
  StagingMemory(const Device&, std::size_t bytes) : data_(::operator new(bytes, alignment, std::nothrow)) {
    if (data_ == nullptr) {
      throw DeviceError(ErrorCode::out_of_memory, {"DataLoader: no memory for ", bytes,
                                                   " bytes of samples that are read ahead: use a smaller batch, a "
                                                   "micro-batch, or a smaller depth"});
    }
  }
  void* data() const noexcept { return data_.get(); }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Deleter {
    void operator()(void* p) const noexcept { ::operator delete(p, alignment); }
  };
  std::unique_ptr<void, Deleter> data_;
};
template <class Device>
requires requires { typename Device::PinnedMemory; }
class StagingMemory<Device> : public Device::PinnedMemory {
  using Device::PinnedMemory::PinnedMemory;
};

/// Room for `capacity` samples of a shape: features, then answers.
template <class Device>
class HostSlot {
 public:
  HostSlot(const Device& device, const SampleShape& shape, std::size_t capacity)
      : shape_(shape), capacity_(capacity), memory_(device, bytes(shape, capacity)) {}

  std::size_t capacity() const noexcept { return capacity_; }
  /// Where sample i of the slot, and those behind it, are.
  SampleBuffers at(std::size_t i) const noexcept {
    auto* const features = static_cast<float*>(memory_.data());
    auto* const answers = features + rounded(capacity_ * shape_.feature_columns);
    SampleBuffers buffers{.features = features + i * shape_.feature_columns};
    if (shape_.classes != 0) buffers.labels = reinterpret_cast<std::int32_t*>(answers) + i;
    if (shape_.target_columns != 0) buffers.targets = answers + i * shape_.target_columns;
    return buffers;
  }
  static std::size_t bytes(const SampleShape& shape, std::size_t capacity) noexcept {
    const std::size_t answers = shape.classes != 0 ? 1 : shape.target_columns;
    return (rounded(capacity * shape.feature_columns) + capacity * answers) * sizeof(float);
  }

 private:
  static_assert(sizeof(float) == sizeof(std::int32_t));
  static constexpr std::size_t rounded(std::size_t count) noexcept { return (count + 15) / 16 * 16; }

  SampleShape shape_;
  std::size_t capacity_;
  StagingMemory<Device> memory_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
