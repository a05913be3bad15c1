// Activation functions and their derivatives of one V; see core/elements/functions.inl, which comes first.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// x, with the largest finite number in place of infinity, on one side or both: where the other factor tends to zero
/// faster, inf·0 would be NaN.
template <class V>
MINITRAIN_INLINE V finite_below(V x) {
  if constexpr (V::is_generic) {
    return x;
  } else {
    return max(V::set(-MathConstants<typename V::value_type>::largest), x);
  }
}
template <class V>
MINITRAIN_INLINE V finite(V x) {
  if constexpr (V::is_generic) {
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

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
