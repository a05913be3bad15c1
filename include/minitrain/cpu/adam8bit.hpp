#pragma once
// adam8bit_update on the CPU: Adam with moments of one byte, block by block.

#include <minitrain/core/dynamic_code.hpp>
#include <minitrain/core/tensor_rules.hpp>
#include <minitrain/cpu/optimizer.hpp>

#define MINITRAIN_KERNELS <minitrain/cpu/adam8bit.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <class T>
void decode(const Cpu& device, const DynamicCode& c, const std::uint8_t* codes, T largest, std::size_t count, T* x) {
  MINITRAIN_DISPATCH(device.isa(), T, decode<T>(c, codes, largest, count, x));
}
template <class T>
T encode(const Cpu& device, const DynamicCode& c, const T* x, std::size_t count, std::uint8_t* codes) {
  MINITRAIN_DISPATCH(device.isa(), T, encode<T>(c, x, count, codes));
}
template <bool L2, class T>
void adam_block(const Cpu& device, const AdamFactors<T>& f, std::size_t count, T* p, const T* g, T* m, T* v) {
  MINITRAIN_DISPATCH(device.isa(), T, adam<T, L2>(f, 0, count, p, g, m, v));
}

}  // namespace cpu

/// The step of adam_update on moments that are decoded before it and encoded after it: m and v of an element are the
/// numbers of its codes times the largest magnitudes of its block, DynamicCode::block elements of a tensor. The step is
/// taken before m and v are encoded.
///   moments: codes of m, codes of v (a byte each, at the parameter's place), and for each block largest |m|, largest v
template <class T>
void adam8bit_update(const Cpu& device, const AdamRule& rule, const UpdateStep<T, Cpu>& step) {
  auto* const m_codes = reinterpret_cast<std::uint8_t*>(step.moments[0].data());
  auto* const v_codes = reinterpret_cast<std::uint8_t*>(step.moments[1].data());
  T* largest = step.moments[2].data();
  for_each_tensor(step, [&](const ParameterTensor& t) {
    AdamRule own = rule;
    own.weight_decay = t.decay_of(rule.weight_decay);
    const auto f = adam_factors<T>(own, step.learning_rate * t.learning_rate_factor, step.gradient_scale, step.step);
    constexpr std::size_t block = DynamicCode::block;
    const std::size_t blocks = code_blocks(t.size());
    device.parallel(blocks, 4, 64.0 * static_cast<double>(t.size()), [&](std::size_t begin, std::size_t end) {
      alignas(64) T m[block], v[block];
      for (std::size_t b = begin; b < end; ++b) {
        const std::size_t first = b * block, count = std::min(block, t.size() - first), at = t.offset + first;
        cpu::decode(device, signed_code, m_codes + at, largest[2 * b], count, m);
        cpu::decode(device, unsigned_code, v_codes + at, largest[2 * b + 1], count, v);
        T* const p = step.parameters.data() + at;
        const T* const g = step.gradient_sums.data() + at;
        if (own.has_l2()) {
          cpu::adam_block<true>(device, f, count, p, g, m, v);
        } else {
          cpu::adam_block<false>(device, f, count, p, g, m, v);
        }
        largest[2 * b] = cpu::encode<T>(device, signed_code, m, count, m_codes + at);
        largest[2 * b + 1] = cpu::encode<T>(device, unsigned_code, v, count, v_codes + at);
      }
    });
    largest += 2 * blocks;
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI
