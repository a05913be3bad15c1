#pragma once
// What the tests of the CPU operations share: devices, random tensors, and comparisons to the bit.

#include <minitrain/core/random.hpp>
#include <minitrain/cpu/device.hpp>
#include <minitrain/testing/dual.hpp>

#include "support/catch.hpp"

#include <cmath>
#include <cstring>
#include <vector>

namespace test {

using namespace minitrain;
using minitrain::testing::Dual;

/// The instruction sets of this processor.
inline std::vector<Isa> instruction_sets() {
  std::vector<Isa> all{Isa::baseline};
  if (cpu::best_isa() >= Isa::avx2) all.push_back(Isa::avx2);
  if (cpu::best_isa() >= Isa::avx512) all.push_back(Isa::avx512);
  return all;
}

/// Uniform on [low, high), the same for the same seed.
template <class T>
Tensor<T> uniform(const Shape& shape, std::uint64_t seed, double low = -2, double high = 2) {
  Tensor<T> t(shape);
  const Random random(seed, RandomPurpose::test);
  for (std::size_t i = 0; i < t.size(); ++i) t[i] = T(low + (high - low) * random.uniform(i));
  return t;
}

template <class T>
bool same_bits(const Tensor<T>& a, const Tensor<T>& b) {
  return a.shape() == b.shape() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// Calls run(device), which returns a tensor, on AVX2 and AVX-512 with 1, 2 and 3 threads: all bits must be the same.
/// On the baseline they must be the same for all threads.
template <class Run>
void check_devices_agree(Run run) {
  for (const bool vectors : {false, true}) {
    bool have = false;
    decltype(run(Cpu{})) expected;
    for (const Isa isa : instruction_sets()) {
      if ((isa != Isa::baseline) != vectors) continue;
      for (const std::size_t threads : {1, 2, 3}) {
        const cpu::FlushDenormals flush;  // as the trainer and the worker threads do
        auto result = run(Cpu({.threads = threads, .isa = isa}));
        if (!have)
          expected = std::move(result);
        else {
          CAPTURE(static_cast<int>(isa), threads);
          CHECK(same_bits(result, expected));
        }
        have = true;
      }
    }
  }
}

/// Σ_j dy_j·∂y_j/∂x_i for every i, by running `forward(x, y)` on dual numbers once for each element of x.
template <class Forward>
Tensor<double> dual_gradient(const Tensor<double>& x, const Tensor<double>& dy, Forward forward) {
  using D = Dual<double>;
  Tensor<D> duals(x.shape()), y(dy.shape());
  std::copy(x.begin(), x.end(), duals.begin());
  Tensor<double> dx(x.shape());
  for (std::size_t i = 0; i < x.size(); ++i) {
    duals[i].derivative = 1;
    forward(duals, y);
    duals[i].derivative = 0;
    for (std::size_t j = 0; j < y.size(); ++j) dx[i] += dy[j] * y[j].derivative;
  }
  return dx;
}

/// The same by central differences: Σ_j dy_j·(y_j(x + h) - y_j(x - h)) / 2h.
template <class Forward>
Tensor<double> difference_gradient(const Tensor<double>& x, const Tensor<double>& dy, Forward forward) {
  constexpr double h = 1e-5;
  Tensor<double> moved = x.clone(), up(dy.shape()), down(dy.shape()), dx(x.shape());
  for (std::size_t i = 0; i < x.size(); ++i) {
    moved[i] = x[i] + h;
    forward(moved, up);
    moved[i] = x[i] - h;
    forward(moved, down);
    moved[i] = x[i];
    for (std::size_t j = 0; j < up.size(); ++j) dx[i] += dy[j] * (up[j] - down[j]) / (2 * h);
  }
  return dx;
}

/// max |a - b|, NaN when any difference is.
inline double largest_difference(const Tensor<double>& a, const Tensor<double>& b) {
  REQUIRE(a.shape() == b.shape());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - b[i]);
    if (!(d <= largest)) largest = d;
  }
  return largest;
}

}  // namespace test
