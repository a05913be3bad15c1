#pragma once
// View: a pointer and a shape, on a device. What operations take.

#include <minitrain/core/shape.hpp>

#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI {

class Cpu;

/// Elements of type T in the memory of a Device, row-major, owned by somebody else. Trivially copyable; crosses into
/// kernels as it is. A View<T> converts to View<const T>; views of two devices never convert into one another, so
/// mixing devices does not compile.
template <class T, class Device = Cpu>
class View {
 public:
  using value_type = std::remove_const_t<T>;

  constexpr View() = default;
  constexpr View(T* data, const Shape& shape) : data_(data), shape_(shape) {}

  template <class U>
  requires(std::is_same_v<T, const U>) constexpr View(const View<U, Device>& other)
      : data_(other.data()), shape_(other.shape()) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr const Shape& shape() const noexcept { return shape_; }
  constexpr std::size_t size() const noexcept { return shape_.size(); }
  constexpr bool empty() const noexcept { return shape_.empty(); }
  constexpr std::size_t rows() const noexcept { return shape_.rows(); }
  constexpr std::size_t columns() const noexcept { return shape_.columns(); }

  /// Element `i` in row-major order. Checked only when MINITRAIN_CHECKS is 1.
  constexpr T& operator[](std::size_t i) const {
    check(i < size(), "View: index past the last element");
    return data_[i];
  }
  /// Element (row, column). Checked only when MINITRAIN_CHECKS is 1.
  constexpr T& operator()(std::size_t row, std::size_t column) const {
    check(row < rows() && column < columns(), "View: row or column past the last");
    return data_[row * columns() + column];
  }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size(); }

  /// `count` rows beginning with `first`, as a matrix [count, columns]. Throws ShapeError when they are not all there.
  constexpr View rows(std::size_t first, std::size_t count) const {
    if (first > rows() || count > rows() - first) {
      throw ShapeError(ErrorCode::shape_mismatch, {"View: rows ", first, " to ", first + count, " of ",
                                                   to_string(shape_), ": ask for rows that are there"});
    }
    return View(data_ + first * columns(), Shape::matrix(count, columns()));
  }

 private:
  constexpr void check(bool ok, const char* message) const {
    if constexpr (checks_enabled) {
      if (!ok) throw ShapeError(ErrorCode::shape_mismatch, {message, " of ", to_string(shape_)});
    }
  }

  T* data_ = nullptr;
  Shape shape_;
};

/// to = from, but writes only when they differ: hot loops keep their views from step to step, because a view that was
/// just written piece by piece is slow to copy (the copy waits for the pieces to reach the cache).
template <class T, class U, class Device>
constexpr void assign(View<T, Device>& to, const View<U, Device>& from) {
  if (to.data() != from.data() || to.shape() != from.shape()) to = from;
}

}  // namespace minitrain::inline MINITRAIN_ABI
