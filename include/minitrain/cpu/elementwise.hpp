#pragma once
// activation_forward, activation_backward on the CPU.

#include <minitrain/core/activation.hpp>
#include <minitrain/cpu/dispatch.hpp>
#include <minitrain/cpu/math.hpp>

#define MINITRAIN_KERNELS <minitrain/cpu/elementwise.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <class T>
void activate_on(Isa isa, const Activation& f, const T* x, T* y, std::size_t count) {
  MINITRAIN_DISPATCH(isa, T, activate<T>(f, x, y, count));
}

template <class T>
void differentiate_on(Isa isa, const Activation& f, const T* z, const T* dy, T* dx, std::size_t count) {
  MINITRAIN_DISPATCH(isa, T, differentiate<T>(f, z, dy, dx, count));
}

constexpr std::size_t elementwise_grain = 256;  // elements: whole cache lines for each thread

/// What one element costs, in the unit of Cpu::parallel.
constexpr double activation_work(ActivationKind kind) noexcept {
  switch (kind) {
    case ActivationKind::identity:
    case ActivationKind::relu:
    case ActivationKind::leaky_relu:
      return 4;
    case ActivationKind::gelu:
      return 40;
    default:
      return 20;
  }
}

}  // namespace cpu

/// y = f(x), element by element. `y` may be `x`.
template <class T>
void activation_forward(const Cpu& device, const Activation& f, View<const T> x, View<T> y) {
  const double work = cpu::activation_work(f.kind) * static_cast<double>(y.size());
  device.parallel(y.size(), cpu::elementwise_grain, work, [&](std::size_t begin, std::size_t end) {
    cpu::activate_on(device.isa(), f, x.data() + begin, y.data() + begin, end - begin);
  });
}

/// dx = dy·f'(x), element by element, from y = f(x) alone where derivative_from_output(f.kind): `x` may be empty then.
/// Otherwise `y` may be empty. `dx` may be `dy`.
template <class T>
void activation_backward(const Cpu& device, const Activation& f, View<const T> x, View<const T> y, View<const T> dy,
                         View<T> dx) {
  const T* const z = derivative_from_output(f.kind) ? y.data() : x.data();
  const double work = cpu::activation_work(f.kind) * static_cast<double>(dx.size());
  device.parallel(dx.size(), cpu::elementwise_grain, work, [&](std::size_t begin, std::size_t end) {
    cpu::differentiate_on(device.isa(), f, z + begin, dy.data() + begin, dx.data() + begin, end - begin);
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI
