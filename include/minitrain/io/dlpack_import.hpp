#pragma once
// DlpackTensor: another library's tensor, seen as a View.

#include <minitrain/io/dlpack.hpp>

#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Throws DataError "DLPack: WHAT: wanted ..." unless the tensor is a row-major array of T on this kind of device.
template <class T, class DLTensor>
Shape dlpack_shape(const DLTensor& tensor, dlpack::DeviceType device) {
  constexpr dlpack::DataType wanted = dlpack::data_type<T>();
  const auto fail = [](ErrorCode code, std::initializer_list<TextPiece> what) {
    throw DataError(code, joined({"DLPack: ", joined(what)}));
  };
  if (const auto found = static_cast<std::int32_t>(tensor.device.device_type); found != device) {
    fail(ErrorCode::device_unavailable, {"a tensor on a device of type ", found, ", wanted type ",
                                         static_cast<std::int32_t>(device), ": copy it there first"});
  }
  if (tensor.dtype.code != wanted.code || tensor.dtype.bits != wanted.bits || tensor.dtype.lanes != 1) {
    fail(ErrorCode::unknown_dtype,
         {"elements of code ", static_cast<unsigned>(tensor.dtype.code), " with ",
          static_cast<unsigned>(tensor.dtype.bits), " bits and ", static_cast<unsigned>(tensor.dtype.lanes),
          " lanes, wanted code ", static_cast<unsigned>(wanted.code), " with ", static_cast<unsigned>(wanted.bits),
          " bits and one: convert it first"});
  }
  if (tensor.ndim < 0 || tensor.ndim > static_cast<std::int32_t>(Shape::max_rank)) {
    fail(ErrorCode::bad_shape, {tensor.ndim, " axes, wanted 0 to 4: reshape it first"});
  }
  std::size_t extents[Shape::max_rank] = {1};  // one number is an array of one
  std::int64_t stride = 1;
  bool row_major = true;
  for (std::int32_t axis = tensor.ndim; axis-- > 0;) {
    const std::int64_t extent = tensor.shape[axis];
    if (extent < 0) fail(ErrorCode::bad_shape, {"axis ", axis, " has ", extent, " elements"});
    extents[axis] = static_cast<std::size_t>(extent);
    if (tensor.strides != nullptr && extent > 1 && tensor.strides[axis] != stride) row_major = false;
    if (extent > 0 && stride > (std::int64_t{1} << 58) / extent) {
      fail(ErrorCode::overflow, {"more than 2^58 elements"});
    }
    stride *= std::max<std::int64_t>(extent, 1);
  }
  const Shape shape(extents, tensor.ndim == 0 ? 1 : static_cast<std::size_t>(tensor.ndim));
  if (!row_major && !shape.empty()) {
    fail(ErrorCode::unsupported,
         {"a tensor ", to_string(shape), " whose rows do not lie one behind another: make it ", "contiguous first"});
  }
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.data) + tensor.byte_offset;
  if (!shape.empty() && (tensor.data == nullptr || address % alignof(T) != 0)) {
    fail(ErrorCode::bad_offsets, {"its first element is at no address for its type: copy it first"});
  }
  return shape;
}

}  // namespace detail

/// Owns what another library exported, and calls its deleter at the end. T const reads only; T not const refuses what
/// is marked read-only.
///
///   DlpackTensor<const float> features(managed);
///   trainer.predict(features.view());
template <class T, class Device = Cpu>
class DlpackTensor {
 public:
  /// Takes either structure, or those of dlpack.h. `device`: what the memory must be, for a Device that is not Cpu. The
  /// other side must be done with writing. Throws DataError, and then `managed` stays the caller's: unsupported
  /// (another major version, rows that are not contiguous, read-only), device_unavailable, unknown_dtype, bad_shape
  /// (more than 4 axes), overflow, bad_offsets (alignment). Of no axes it is one number.
  template <dlpack::Managed M>
  explicit DlpackTensor(M* managed, dlpack::DeviceType device = dlpack::cpu) {
    if constexpr (dlpack::is_versioned<M>) {
      if (managed->version.major != 1) {
        throw DataError(ErrorCode::unsupported, {"DLPack: version ", managed->version.major, ".",
                                                 managed->version.minor, ", wanted 1: ask for max_version (1, 0)"});
      }
      if (!std::is_const_v<T> && (managed->flags & dlpack::read_only) != 0) {
        throw DataError(ErrorCode::unsupported, "DLPack: a tensor that is read-only: take it as const, or copy it");
      }
    }
    const auto& tensor = managed->dl_tensor;
    const Shape shape = detail::dlpack_shape<std::remove_const_t<T>>(tensor, device);
    if (!shape.empty())
      view_ = {reinterpret_cast<T*>(static_cast<std::byte*>(tensor.data) + tensor.byte_offset), shape};
    if (shape.empty()) view_ = {nullptr, shape};
    managed_ = managed;
    release_ = [](void* p) {
      auto* const owned = static_cast<M*>(p);
      if (owned->deleter != nullptr) owned->deleter(owned);  // null: nothing to give back
    };
  }
  DlpackTensor(DlpackTensor&& other) noexcept
      : view_(std::exchange(other.view_, {})),
        managed_(std::exchange(other.managed_, nullptr)),
        release_(other.release_) {}
  DlpackTensor& operator=(DlpackTensor&& other) noexcept {
    std::swap(view_, other.view_);
    std::swap(managed_, other.managed_);
    std::swap(release_, other.release_);
    return *this;
  }
  ~DlpackTensor() {
    if (managed_ != nullptr) release_(managed_);
  }

  const View<T, Device>& view() const noexcept { return view_; }

 private:
  View<T, Device> view_;
  void* managed_ = nullptr;
  void (*release_)(void*) = nullptr;
};

}  // namespace minitrain::inline MINITRAIN_ABI
