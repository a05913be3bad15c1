#pragma once
// Shape: the extents of a row-major array of rank 1 to 4.

#include <minitrain/core/error.hpp>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>

namespace minitrain::inline MINITRAIN_ABI {

/// Extents of a row-major array, outermost first: Shape{32, 784} is 32 rows of 784. An extent of zero is allowed and
/// makes the array empty. Throws ShapeError for rank 0 or above 4, and when the number of elements passes 2^58.
class Shape {
 public:
  static constexpr std::size_t max_rank = 4;

  /// The shape of nothing: rank 1, extent 0.
  constexpr Shape() = default;

  constexpr Shape(std::initializer_list<std::size_t> extents) : Shape(extents.begin(), extents.size()) {}

  constexpr Shape(const std::size_t* extents, std::size_t rank) : rank_(rank) {
    if (rank == 0 || rank > max_rank) {
      throw ShapeError(ErrorCode::bad_shape,
                       {"Shape: rank ", rank, ", but tensors have rank 1 to 4: reshape to fewer axes"});
    }
    constexpr std::size_t limit = std::size_t{1} << 58;  // so that bytes and sums of a few shapes do not overflow
    size_ = 1;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      extents_[axis] = extents[axis];
      if (extents[axis] != 0 && size_ > limit / extents[axis]) {
        throw ShapeError(ErrorCode::overflow, "Shape: more than 2^58 elements: check the extents");
      }
      size_ *= extents[axis];
    }
  }

  /// [rows, columns] of a matrix already known to fit in memory: no checks, for hot paths.
  static constexpr Shape matrix(std::size_t rows, std::size_t columns) noexcept {
    Shape shape;
    shape.extents_[0] = rows;
    shape.extents_[1] = columns;
    shape.rank_ = 2;
    shape.size_ = rows * columns;
    return shape;
  }

  constexpr std::size_t rank() const noexcept { return rank_; }
  /// Number of elements: the product of the extents.
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr std::size_t operator[](std::size_t axis) const noexcept { return extents_[axis]; }

  /// First extent: the number of rows (samples).
  constexpr std::size_t rows() const noexcept { return extents_[0]; }
  /// Elements per row: the product of all extents but the first (1 for rank 1).
  constexpr std::size_t columns() const noexcept {
    std::size_t product = 1;
    for (std::size_t axis = 1; axis < rank_; ++axis) product *= extents_[axis];
    return product;
  }

  friend constexpr bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::size_t, max_rank> extents_{};
  std::size_t rank_ = 1;
  std::size_t size_ = 0;
};

/// "[32, 784]"
inline std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + "]";
}

}  // namespace minitrain::inline MINITRAIN_ABI
