#pragma once
// What the tests of the CUDA operations share: one operation run on the CPU and on the GPU with the same inputs, and
// the results compared to the bit.

#include <minitrain/core/random.hpp>
#include <minitrain/cpu/memory.hpp>
#include <minitrain/cuda/ops.hpp>

#include "support/catch.hpp"

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace test {

using namespace minitrain;

/// Numbers of rows and columns around what vectors, half-warps and warps take at a time.
constexpr std::size_t extents[] = {0, 1, 2, 15, 16, 17, 31, 33, 64, 257};

/// Past what a grid takes in one go on a GPU of four multiprocessors (the emulator's): 32 blocks for each.
constexpr std::size_t many_blocks = 32 * 4;

// --- tensors on either device --------------------------------------------------------------------------------------

template <class T, class Device>
Tensor<T, Device> on(const Device& device, const Tensor<T>& host) {
  Tensor<T, Device> t(device, host.shape());
  copy_from_host(device, host.data(), t.view());
  return t;
}

/// As a kernel's input: what is there, read only.
template <class T, class Device>
View<const T, Device> in(const Tensor<T, Device>& t) {
  return t.view();
}

// --- inputs --------------------------------------------------------------------------------------------------------

inline constexpr float infinity = std::numeric_limits<float>::infinity();
inline constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Numbers that arithmetic treats in its own way and leaves finite, denormal numbers among them.
inline constexpr float odd_numbers[] = {0.0f,   -0.0f,   1e-40f, -1e-40f, 0x1p-126f, -0x1p-126f, 1e-30f, -1e-30f,
                                        100.0f, -100.0f, 1e30f,  -1e30f,  1.0f,      -1.0f,      0.5f,   -0.5f};
inline constexpr float bad_numbers[] = {not_a_number, infinity, -infinity};

/// Uniform on [low, high), the same for the same seed.
inline Tensor<float> uniform(const Shape& shape, std::uint64_t seed, double low = -3, double high = 3) {
  Tensor<float> t(shape);
  const Random random(seed, RandomPurpose::test);
  for (std::size_t i = 0; i < t.size(); ++i) t[i] = static_cast<float>(low + (high - low) * random.uniform(i));
  return t;
}

/// Rows of six kinds in turn: uniform; uniform with odd numbers; small whole numbers, of which many are equal; one bad
/// number; nothing but odd numbers; one number again and again.
inline Tensor<float> mixed(const Shape& shape, std::uint64_t seed, double low = -3, double high = 3) {
  Tensor<float> t = uniform(shape, seed, low, high);
  const Random random(seed + 1000, RandomPurpose::test);
  const std::size_t columns = t.columns();
  for (std::size_t i = 0; i < t.size(); ++i) {
    const std::size_t row = i / columns, kind = row % 6;
    const std::uint32_t word = random.word(2 * i), other = random.word(2 * i + 1);
    if (kind == 4 || (kind == 1 && word % 3 == 0)) t[i] = odd_numbers[other % std::size(odd_numbers)];
    if (kind == 2) t[i] = static_cast<float>(static_cast<int>(other % 5)) - 2.0f;
    if (kind == 5) t[i] = t[row * columns];
  }
  for (std::size_t row = 3; row < t.rows() && columns > 0; row += 6) {
    t(row, random.word(row) % columns) = bad_numbers[row / 6 % std::size(bad_numbers)];
  }
  return t;
}

// --- results -------------------------------------------------------------------------------------------------------

/// Tensors brought back from a device, as bits; all NaN are one.
class Results {
 public:
  template <class Device, class T>
  void add(std::string name, const Device& device, const View<T, Device>& view) {
    using U = std::remove_const_t<T>;
    std::vector<U> host(view.size());
    copy_to_host(device, View<const U, Device>(view), host.data());
    Entry entry{std::move(name), {}};
    for (const U value : host) {
      if constexpr (sizeof(U) == 8) {
        entry.bits.push_back(value != value ? ~std::uint64_t{0} : std::bit_cast<std::uint64_t>(value));
      } else {
        entry.bits.push_back(value != value ? ~std::uint32_t{0} : std::bit_cast<std::uint32_t>(value));
      }
    }
    entries_.push_back(std::move(entry));
  }

  /// Checks that `other` has the same bits, and names the first that differ.
  void check_equal(const Results& other) const {
    REQUIRE(entries_.size() == other.entries_.size());
    for (std::size_t e = 0; e < entries_.size(); ++e) {
      const auto &a = entries_[e].bits, &b = other.entries_[e].bits;
      INFO("result: " << entries_[e].name);
      REQUIRE(a.size() == b.size());
      std::size_t i = 0;
      while (i < a.size() && a[i] == b[i]) ++i;
      if (i == a.size()) continue;
      CAPTURE(i, a.size());
      CHECK(hex(a[i]) == hex(b[i]));
    }
  }

 private:
  struct Entry {
    std::string name;
    std::vector<std::uint64_t> bits;
  };
  static std::string hex(std::uint64_t bits) {
    std::string text;
    for (int shift = bits >> 32 != 0 ? 60 : 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[bits >> shift & 15];
    return text;
  }

  std::vector<Entry> entries_;
};

/// Calls run(device, results) on the CPU, under the arithmetic of a run, and on the GPU: the same bits must come out.
/// Not on a processor without FMA, which rounds twice where others round once.
template <class Run>
void check_same_bits(const Cuda& gpu, Run run) {
  if (cpu::best_isa() == Isa::baseline) return;
  Results expected, got;
  {
    const Cpu device({.threads = 1});
    const auto scope = device.arithmetic_scope();
    run(device, expected);
  }
  const auto scope = gpu.arithmetic_scope();
  run(gpu, got);
  expected.check_equal(got);
}

}  // namespace test
