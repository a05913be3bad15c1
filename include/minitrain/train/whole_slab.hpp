#pragma once
// A slab of an optimizer's state in a file, where it is not one scalar for each parameter: one tensor, as it lies.

#include <minitrain/core/parameter_tensor.hpp>
#include <minitrain/io/safetensors.hpp>

#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI::detail {

template <class T>
constexpr const char* dtype_of() noexcept {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "weights files hold float or double");
  return std::is_same_v<T, float> ? "F32" : "F64";
}

/// The tensor of a slab that is in `values`.
template <class T>
NamedTensor whole_slab(std::string name, const MomentLayout& layout, const std::vector<T>& values) {
  const bool bytes = layout.kind == MomentLayout::Kind::bytes;
  return {std::move(name),
          bytes ? "U8" : dtype_of<T>(),
          {layout.count},
          std::as_bytes(std::span(values)).first(layout.count * (bytes ? 1 : sizeof(T)))};
}

/// The slab, in host memory. Throws DataError for a tensor that is missing, of another shape or type, or not finite. A
/// file of F32 widens to double; nothing narrows.
template <class T>
std::vector<T> read_whole_slab(const SafetensorsFile& file, const std::string& path, const MomentLayout& layout,
                               const std::string& name) {
  const std::vector<std::size_t> shape{layout.count};
  const NamedTensor* tensor = file.find(name);
  if (tensor == nullptr) {
    throw DataError(ErrorCode::missing_tensor,
                    {io::shown(path), ": no tensor \"", name, "\", wanted one of shape ", io::shape_text(shape),
                     ": load a file saved from the same model and optimizer"});
  }
  if (tensor->shape != shape) {
    throw DataError(ErrorCode::shape_mismatch,
                    {io::shown(path), ": tensor \"", name, "\" has shape ", io::shape_text(tensor->shape), ", wanted ",
                     io::shape_text(shape), ": load a file saved from the same model and optimizer"});
  }
  const bool bytes = layout.kind == MomentLayout::Kind::bytes;
  const char* const wanted = bytes ? "U8" : dtype_of<T>();
  const bool widens = !bytes && std::is_same_v<T, double> && tensor->dtype == "F32";
  if (tensor->dtype != wanted && !widens) {
    throw DataError(ErrorCode::unsupported, {io::shown(path), ": tensor \"", name, "\" is of type ", tensor->dtype,
                                             ", wanted ", wanted, ": convert the file"});
  }
  std::vector<T> values(layout.scalars_in(0, sizeof(T)));
  if (layout.count == 0) return values;
  if (widens) {
    std::vector<float> narrow(layout.count);
    std::memcpy(narrow.data(), tensor->bytes.data(), narrow.size() * sizeof(float));
    std::copy(narrow.begin(), narrow.end(), values.begin());
  } else {
    std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  }
  for (std::size_t i = 0; i < values.size() && !bytes; ++i) {
    if (std::isfinite(values[i])) continue;
    throw DataError(ErrorCode::non_finite, {io::shown(path), ": tensor \"", name,
                                            "\" holds values that are not finite: load an earlier file"});
  }
  return values;
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail
