#pragma once
// DLPack: tensors change hands with other libraries in one process, without a copy and without including them.
//
// The structures below are those of dlpack.h, version 1.0, in memory; where a program includes <dlpack/dlpack.h>, the
// functions take and give its own types by name: to_dlpack<DLManagedTensor>(...). https://dmlc.github.io/dlpack

#include <minitrain/core/tensor.hpp>

#include <memory>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

namespace dlpack {

enum DeviceType : std::int32_t { cpu = 1, cuda = 2, cuda_host = 3, cuda_managed = 13 };
struct Device {
  DeviceType device_type = cpu;
  std::int32_t device_id = 0;
};
/// `code`: 0 signed, 1 unsigned, 2 floating, 4 bfloat16, 5 complex, 6 bool.
struct DataType {
  std::uint8_t code = 0, bits = 0;
  std::uint16_t lanes = 1;
};
struct Tensor {
  void* data = nullptr;
  Device device;
  std::int32_t ndim = 0;
  DataType dtype;
  std::int64_t* shape = nullptr;
  std::int64_t* strides = nullptr;  // in elements; null: row-major
  std::uint64_t byte_offset = 0;
};
/// What every version of DLPack knows, called "dltensor" where Python wraps it.
struct ManagedTensor {
  Tensor dl_tensor;
  void* manager_ctx = nullptr;
  void (*deleter)(ManagedTensor* self) = nullptr;
};
struct Version {
  std::uint32_t major = 1, minor = 0;
};
/// Of version 1 on, called "dltensor_versioned" where Python wraps it.
struct ManagedTensorVersioned {
  Version version;
  void* manager_ctx = nullptr;
  void (*deleter)(ManagedTensorVersioned* self) = nullptr;
  std::uint64_t flags = 0;  // 1: read-only
  Tensor dl_tensor;
};
inline constexpr std::uint64_t read_only = 1;

/// What a program may name: one of the two above, or of dlpack.h.
template <class M>
concept Managed = requires(M m) {
  m.dl_tensor.byte_offset;
  m.manager_ctx;
  m.deleter(&m);
};
template <class M>
inline constexpr bool is_versioned = requires(M m) {
  m.version.major;
};

/// Of real numbers, integers and bool; std::byte counts as an unsigned number of 8 bits.
template <class T>
constexpr DataType data_type() noexcept {
  static_assert(std::is_arithmetic_v<T> || std::is_same_v<T, std::byte>, "DLPack has no such type");
  const std::uint8_t code = std::is_same_v<T, bool> ? 6 : std::is_floating_point_v<T> ? 2 : std::is_signed_v<T> ? 0 : 1;
  return {code, static_cast<std::uint8_t>(8 * sizeof(T)), 1};
}

}  // namespace dlpack

namespace detail {

/// What an exported tensor keeps until its new owner is done with it.
template <class M, class Owner>
struct DlpackHolder {
  M managed{};
  std::vector<std::int64_t> shape, strides;
  Owner owner;

  explicit DlpackHolder(Owner&& keep) : owner(std::move(keep)) {}
};

template <class M, class T, class Device, class Owner>
M* make_managed(const View<T, Device>& view, Owner owner, dlpack::Device device, bool read_only) {
  using Holder = DlpackHolder<M, Owner>;
  using Number = std::remove_const_t<T>;
  auto holder = std::make_unique<Holder>(std::move(owner));
  const std::size_t rank = view.shape().rank();
  holder->shape.resize(rank);
  holder->strides.resize(rank);
  std::int64_t stride = 1;
  for (std::size_t axis = rank; axis-- > 0;) {
    holder->shape[axis] = static_cast<std::int64_t>(view.shape()[axis]);
    holder->strides[axis] = stride;
    stride *= std::max<std::int64_t>(holder->shape[axis], 1);
  }
  M& managed = holder->managed;
  auto& tensor = managed.dl_tensor;
  constexpr dlpack::DataType type = dlpack::data_type<Number>();
  tensor.data = const_cast<Number*>(view.data());
  tensor.device.device_type = static_cast<decltype(tensor.device.device_type)>(device.device_type);
  tensor.device.device_id = device.device_id;
  tensor.ndim = static_cast<std::int32_t>(rank);
  tensor.dtype.code = type.code;
  tensor.dtype.bits = type.bits;
  tensor.dtype.lanes = type.lanes;
  tensor.shape = holder->shape.data();
  tensor.strides = holder->strides.data();
  tensor.byte_offset = 0;
  managed.manager_ctx = holder.get();
  managed.deleter = [](M* self) { delete static_cast<Holder*>(self->manager_ctx); };
  if constexpr (dlpack::is_versioned<M>) {
    managed.version.major = 1;
    managed.version.minor = 0;
    managed.flags = read_only ? dlpack::read_only : 0;
  }
  return &holder.release()->managed;
}

}  // namespace detail

/// Gives a tensor away: whoever takes the structure calls its deleter, once, on any thread, when he is done. Of a
/// tensor on a GPU, name the device, and finish what writes it before the other side reads.
///
///   dlpack::ManagedTensor* managed = to_dlpack(std::move(tensor));
template <dlpack::Managed M = dlpack::ManagedTensor, class T, class Device>
[[nodiscard]] M* to_dlpack(Tensor<T, Device>&& tensor, dlpack::Device device = {}) {
  const View<T, Device> view = tensor.view();
  return detail::make_managed<M>(view, std::move(tensor), device, false);
}

/// Shares what somebody holds: `owner` (a std::shared_ptr, or anything that keeps the memory of `view` while it lives)
/// is held until the deleter is called. A view of const is marked read-only, which the older structure cannot say: it
/// is not offered for it.
template <dlpack::Managed M = dlpack::ManagedTensorVersioned, class T, class Device, class Owner>
requires(!std::is_const_v<T> || dlpack::is_versioned<M>)  //
    [[nodiscard]] M* share_dlpack(const View<T, Device>& view, Owner owner, dlpack::Device device = {}) {
  return detail::make_managed<M>(view, std::move(owner), device, std::is_const_v<T>);
}

}  // namespace minitrain::inline MINITRAIN_ABI
