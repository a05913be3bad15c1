#pragma once
// Tensor: an owning, 64-byte aligned, row-major array on a device.

#include <minitrain/core/view.hpp>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

/// Owns elements of type T in the memory of a Device. Moves are cheap; a copy is asked for by name: `t.clone()`.
/// A device gives memory and says how it is given back:
///   void* allocate(std::size_t bytes) const         64-byte aligned and zero-filled; throws DeviceError out_of_memory
///   Memory memory() const noexcept                  with void deallocate(void*, std::size_t) const noexcept
template <class T, class Device = Cpu>
class Tensor {
 public:
  using value_type = T;

  Tensor() = default;
  /// Zero-filled, on the host. Memory of another device comes from a device that is named: two values of one kind may
  /// be two queues of work.
  explicit Tensor(const Shape& shape) requires std::is_same_v<Device, Cpu> : Tensor(Device{}, shape) {}
  Tensor(const Device& device, const Shape& shape)
      : data_(static_cast<T*>(device.allocate(shape.size() * sizeof(T))),
              Deleter{device.memory(), shape.size() * sizeof(T)}),
        shape_(shape) {
    if constexpr (!std::is_trivially_default_constructible_v<T>) std::uninitialized_value_construct_n(data(), size());
  }
  /// From values in row-major order (host devices only). Throws ShapeError when their number is not shape.size().
  Tensor(const Shape& shape, std::initializer_list<T> values) requires std::is_same_v<Device, Cpu> : Tensor(shape) {
    if (values.size() != shape.size()) {
      throw ShapeError(ErrorCode::shape_mismatch, {"Tensor: ", values.size(), " values for shape ", to_string(shape),
                                                   ", which holds ", shape.size(), ": give one value per element"});
    }
    std::copy(values.begin(), values.end(), data());
  }

  Tensor(Tensor&& other) noexcept : data_(std::move(other.data_)), shape_(std::exchange(other.shape_, Shape{})) {}
  Tensor& operator=(Tensor&& other) noexcept {
    data_ = std::move(other.data_);
    shape_ = std::exchange(other.shape_, Shape{});
    return *this;
  }

  /// A copy on the same device (host devices only; others copy through their own operations).
  Tensor clone() const {
    Tensor copy(shape_);
    std::copy(begin(), end(), copy.begin());
    return copy;
  }

  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  const Shape& shape() const noexcept { return shape_; }
  std::size_t size() const noexcept { return shape_.size(); }
  bool empty() const noexcept { return shape_.empty(); }
  std::size_t rows() const noexcept { return shape_.rows(); }
  std::size_t columns() const noexcept { return shape_.columns(); }

  T& operator[](std::size_t i) { return view()[i]; }
  const T& operator[](std::size_t i) const { return view()[i]; }
  T& operator()(std::size_t row, std::size_t column) { return view()(row, column); }
  const T& operator()(std::size_t row, std::size_t column) const { return view()(row, column); }
  T* begin() noexcept { return data(); }
  T* end() noexcept { return data() + size(); }
  const T* begin() const noexcept { return data(); }
  const T* end() const noexcept { return data() + size(); }

  View<T, Device> view() noexcept { return {data(), shape_}; }
  View<const T, Device> view() const noexcept { return {data(), shape_}; }
  operator View<T, Device>() noexcept { return view(); }
  operator View<const T, Device>() const noexcept { return view(); }

  /// The same elements under another shape. Throws ShapeError when the number of elements differs; the tensor is
  /// unchanged.
  void reshape(const Shape& shape) {
    if (shape.size() != size()) {
      throw ShapeError(ErrorCode::shape_mismatch, {"Tensor: cannot reshape ", to_string(shape_), " to ",
                                                   to_string(shape), ": the number of elements differs"});
    }
    shape_ = shape;
  }

  /// Same shape and equal elements (host devices only).
  friend bool operator==(const Tensor& a, const Tensor& b) {
    return a.shape_ == b.shape_ && std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  using Memory = typename Device::Memory;
  struct Deleter {
    Memory memory;
    std::size_t bytes = 0;
    void operator()(T* p) const noexcept {
      if constexpr (!std::is_trivially_destructible_v<T>) std::destroy_n(p, bytes / sizeof(T));
      memory.deallocate(p, bytes);
    }
  };

  std::unique_ptr<T[], Deleter> data_;
  Shape shape_;
};

}  // namespace minitrain::inline MINITRAIN_ABI
