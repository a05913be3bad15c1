#pragma once
// fill_order on the CPU: a stretch of a permutation.

#include <minitrain/core/permutation.hpp>
#include <minitrain/cpu/device.hpp>

namespace minitrain::inline MINITRAIN_ABI::cpu {

inline constexpr std::size_t permute_block = 128;

}  // namespace minitrain::inline MINITRAIN_ABI::cpu

#define MINITRAIN_KERNELS <minitrain/cpu/permute.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <class Word>
void permute_on(Isa isa, const Permutation& permutation, std::uint64_t first, std::uint64_t* out, std::size_t count) {
  if (isa == Isa::baseline) return baseline::permute<Word>(permutation, first, out, count);
  const LeaveVectors at_the_end;
  if (isa == Isa::avx2) return avx2::permute<Word>(permutation, first, out, count);
  avx512::permute<Word>(permutation, first, out, count);
}

}  // namespace cpu

/// out[j] = permutation(first + j), all of these positions below permutation.size(). About 2 ns each.
inline void fill_order(const Cpu& device, const Permutation& permutation, std::uint64_t first,
                       std::span<std::uint64_t> out) {
  for (std::size_t begin = 0; begin < out.size(); begin += cpu::permute_block) {
    const std::size_t count = std::min(cpu::permute_block, out.size() - begin);
    if (permutation.is_small()) {
      cpu::permute_on<std::uint32_t>(device.isa(), permutation, first + begin, out.data() + begin, count);
    } else {
      cpu::permute_on<std::uint64_t>(device.isa(), permutation, first + begin, out.data() + begin, count);
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI
