#pragma once
// write_npy(): arrays for NumPy.

#include <minitrain/core/view.hpp>
#include <minitrain/io/file.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <span>

namespace minitrain::inline MINITRAIN_ABI {

/// float, double, bool and integers of 1 to 8 bytes.
template <class T>
concept NpyNumber = std::same_as<T, float> || std::same_as<T, double> ||
    (std::integral<T> && !std::same_as<T, char> && !std::same_as<T, wchar_t> && sizeof(T) <= 8);

namespace detail::io {

/// "<f4"
template <NpyNumber T>
std::string npy_type() {
  static_assert(std::endian::native == std::endian::little);
  const char kind = std::same_as<T, bool> ? 'b' : std::floating_point<T> ? 'f' : std::signed_integral<T> ? 'i' : 'u';
  return {sizeof(T) == 1 ? '|' : '<', kind, static_cast<char>('0' + sizeof(T))};
}

/// Magic, version, length and dictionary, padded so that the elements begin at a multiple of 64.
inline std::string npy_header(const std::string& type, std::span<const std::size_t> extents) {
  std::string shape;
  for (const std::size_t extent : extents) shape += std::to_string(extent) + ", ";
  if (!extents.empty()) shape.resize(shape.size() - (extents.size() > 1 ? 2 : 1));  // (), (3,) and (3, 4)
  const std::string dictionary = joined({"{'descr': '", type, "', 'fortran_order': False, 'shape': (", shape, "), }"});
  const std::size_t size = dictionary.size() + 64 - (10 + dictionary.size()) % 64;  // with spaces and a newline
  std::string header{'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<char>(size), static_cast<char>(size >> 8)};
  header += dictionary;
  header.append(size - dictionary.size() - 1, ' ') += '\n';
  return header;
}

template <NpyNumber T>
void write_npy(const std::string& path, std::span<const std::size_t> extents, std::span<const T> numbers) {
  const std::string header = npy_header(npy_type<T>(), extents);
  const std::array pieces{std::as_bytes(std::span(header)), std::as_bytes(numbers)};
  write_file(path, pieces);
}

}  // namespace detail::io

/// Replaces the file by the array, for numpy.load: version 1, C order, little-endian, elements at a multiple of 64
/// bytes; whole or not at all, as write_file() does it. Throws DataError (io_error).
/// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
template <class T>
requires NpyNumber<std::remove_const_t<T>>
void write_npy(const std::string& path, const View<T>& array) {
  std::array<std::size_t, Shape::max_rank> extents{};
  for (std::size_t axis = 0; axis < array.shape().rank(); ++axis) extents[axis] = array.shape()[axis];
  detail::io::write_npy<std::remove_const_t<T>>(path, std::span(extents).first(array.shape().rank()),
                                                {array.data(), array.size()});
}
/// The same for one number, an array without axes.
template <NpyNumber T>
void write_npy(const std::string& path, T number) {
  detail::io::write_npy<T>(path, {}, {&number, 1});
}

}  // namespace minitrain::inline MINITRAIN_ABI
