// Activation functions and their derivatives, once per instruction set; see cpu/for_each_isa.hpp.

#include <minitrain/core/elements/activation.inl>

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

template <ActivationKind Kind, class T>
MINITRAIN_TARGET void activate_all(T slope, const T* x, T* y, std::size_t count) {
  using V = Vec<T>;
  const V factor = V::set(slope);
  for (std::size_t i = 0; i < count; i += V::lanes) {
    const V z = load_left<V>(x + i, count - i);
    store_left<V>(activation<Kind, V>(z, factor), y + i, count - i);
  }
}

template <ActivationKind Kind, class T>
MINITRAIN_TARGET void differentiate_all(T slope, const T* z, const T* dy, T* dx, std::size_t count) {
  using V = Vec<T>;
  const V factor = V::set(slope);
  for (std::size_t i = 0; i < count; i += V::lanes) {
    const V a = load_left<V>(z + i, count - i), b = load_left<V>(dy + i, count - i);
    store_left<V>(activation_gradient<Kind, V>(a, b, factor), dx + i, count - i);
  }
}

/// y = f(x) for `count` elements.
template <class T>
MINITRAIN_TARGET void activate(const Activation& f, const T* x, T* y, std::size_t count) {
  using Kind = ActivationKind;
  const T slope = T(f.slope);
  switch (f.kind) {
    case Kind::identity:
      return activate_all<Kind::identity>(slope, x, y, count);
    case Kind::relu:
      return activate_all<Kind::relu>(slope, x, y, count);
    case Kind::leaky_relu:
      return activate_all<Kind::leaky_relu>(slope, x, y, count);
    case Kind::tanh:
      return activate_all<Kind::tanh>(slope, x, y, count);
    case Kind::sigmoid:
      return activate_all<Kind::sigmoid>(slope, x, y, count);
    case Kind::gelu:
      return activate_all<Kind::gelu>(slope, x, y, count);
    case Kind::silu:
      return activate_all<Kind::silu>(slope, x, y, count);
  }
}

/// dx = dy·f' for `count` elements.
template <class T>
MINITRAIN_TARGET void differentiate(const Activation& f, const T* z, const T* dy, T* dx, std::size_t count) {
  using Kind = ActivationKind;
  const T slope = T(f.slope);
  switch (f.kind) {
    case Kind::identity:
      return differentiate_all<Kind::identity>(slope, z, dy, dx, count);
    case Kind::relu:
      return differentiate_all<Kind::relu>(slope, z, dy, dx, count);
    case Kind::leaky_relu:
      return differentiate_all<Kind::leaky_relu>(slope, z, dy, dx, count);
    case Kind::tanh:
      return differentiate_all<Kind::tanh>(slope, z, dy, dx, count);
    case Kind::sigmoid:
      return differentiate_all<Kind::sigmoid>(slope, z, dy, dx, count);
    case Kind::gelu:
      return differentiate_all<Kind::gelu>(slope, z, dy, dx, count);
    case Kind::silu:
      return differentiate_all<Kind::silu>(slope, z, dy, dx, count);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
