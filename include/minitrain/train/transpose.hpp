#pragma once
// transpose(): Dense weights are stored [in, out] and written [out, in].

#include <minitrain/config.hpp>

#include <algorithm>
#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// to[j, i] = from[i, j].
template <class T>
void transpose(const T* from, std::size_t rows, std::size_t columns, T* to) {
  constexpr std::size_t block = 32;  // both sides in the cache
  for (std::size_t i0 = 0; i0 < rows; i0 += block) {
    for (std::size_t j0 = 0; j0 < columns; j0 += block) {
      for (std::size_t i = i0; i < std::min(rows, i0 + block); ++i) {
        for (std::size_t j = j0; j < std::min(columns, j0 + block); ++j) to[j * rows + i] = from[i * columns + j];
      }
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail
