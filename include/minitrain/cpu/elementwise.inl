// Activation functions and their derivatives, once per instruction set; see cpu/for_each_isa.hpp.

namespace minitrain::inline MINITRAIN_ABI::cpu::MINITRAIN_ISA {

/// x, with the largest finite number in place of infinity, on one side or both: where the other factor tends to zero
/// faster, inf·0 would be NaN.
template <class V>
MINITRAIN_INLINE V finite_below(V x) {
  if constexpr (V::lanes == 1) {
    return x;
  } else {
    return max(V::set(-MathConstants<typename V::value_type>::largest), x);
  }
}
template <class V>
MINITRAIN_INLINE V finite(V x) {
  if constexpr (V::lanes == 1) {
    return x;
  } else {
    return min(V::set(MathConstants<typename V::value_type>::largest), finite_below(x));
  }
}

/// f(z)
template <ActivationKind Kind, class V>
MINITRAIN_INLINE V activation(V z, V slope) {
  if constexpr (Kind == ActivationKind::relu) return max(V::zero(), z);
  if constexpr (Kind == ActivationKind::leaky_relu) return select(greater(z, V::zero()), z, slope * z);
  if constexpr (Kind == ActivationKind::tanh) return tanh(z);
  if constexpr (Kind == ActivationKind::sigmoid) return sigmoid(z);
  if constexpr (Kind == ActivationKind::gelu) return finite_below(z) * normal_cdf(z);
  if constexpr (Kind == ActivationKind::silu) return finite_below(z) * sigmoid(z);
  return z;
}

/// dy·f', of y = f(z), or of z for gelu and silu. The comparisons of relu and leaky_relu are false for NaN, hence the
/// last select.
template <ActivationKind Kind, class V>
MINITRAIN_INLINE V activation_gradient(V z, V dy, V slope) {
  const V one = V::set(typename V::value_type(1));
  if constexpr (Kind == ActivationKind::relu) {
    return select(equal(z, z), select(greater(z, V::zero()), dy, V::zero()), z);
  }
  if constexpr (Kind == ActivationKind::leaky_relu) {
    return select(equal(z, z), select(greater(z, V::zero()), dy, slope * dy), z);
  }
  if constexpr (Kind == ActivationKind::tanh) return dy * fnma(z, z, one);
  if constexpr (Kind == ActivationKind::sigmoid) return dy * fnma(z, z, z);
  if constexpr (Kind == ActivationKind::gelu) {  // Phi(z) + z·phi(z)
    V distribution, density;
    normal(z, distribution, density);
    return dy * fma(finite(z), density, distribution);
  }
  if constexpr (Kind == ActivationKind::silu) {  // s·(1 + z·(1 - s))
    const V s = sigmoid(z);
    return dy * (s * fma(finite(z), one - s, one));
  }
  return dy;
}

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

}  // namespace minitrain::inline MINITRAIN_ABI::cpu::MINITRAIN_ISA
