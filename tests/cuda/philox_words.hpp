#pragma once
// Philox4x32-10 by a kernel, from either of two sources, for the test that they agree. Defined in philox_words.cu.

#include <minitrain/cuda/device.hpp>

#include <cstdint>

namespace test {

enum class PhiloxSource { kernels, curand };

/// Whether the toolkit's header was there to be compiled.
bool has_curand();

/// words[i] [n, 4] of counters[i] [n, 4] and keys[i] [n, 2].
void philox_words(const minitrain::Cuda& device, PhiloxSource source,
                  const minitrain::View<const std::uint32_t, minitrain::Cuda>& counters,
                  const minitrain::View<const std::uint32_t, minitrain::Cuda>& keys,
                  const minitrain::View<std::uint32_t, minitrain::Cuda>& words);

}  // namespace test
