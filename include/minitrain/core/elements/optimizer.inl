// Optimizer steps of one V; see core/elements/functions.inl, which comes first, and core/optimizer_factors.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// p, b after one step; b is not touched without momentum.
template <Momentum Kind, class V, class T>
MINITRAIN_INLINE void sgd_element(const SgdFactors<T>& f, V& p, V gradient_sum, V& b) {
  const V g = fma(V::set(f.weight_decay), p, V::set(f.scale) * gradient_sum);
  V direction = g;
  if constexpr (Kind != Momentum::none) {
    b = fma(V::set(f.momentum), b, g);
    direction = Kind == Momentum::nesterov ? fma(V::set(f.momentum), b, g) : b;
  }
  p = fnma(V::set(f.rate), direction, p);
}

/// sqrt(v) for v >= 0, exact at 0 and infinity, NaN for NaN. For float it is within 1 ulp of the root (1.4 ulp without
/// FMA) and leaves the division unit, which the instruction would share, to the division: the seed r = 1/sqrt(v) is
/// good to 3.5 %, a step of third order takes it to 1.1e-4, and a Newton step s = v·r·(1 + (1 - v·r²)/2) ends at 1.7e-8
/// before rounding.
template <class V>
MINITRAIN_INLINE V root(V v) {
  if constexpr (std::is_same_v<typename V::value_type, float>) {
    const V one = V::set(1.0f), half = V::set(0.5f);
    V r = rsqrt_seed(v);
    V e = fnma(v * r, r, one);
    r = fma(r, e * fma(V::set(0.375f), e, half), r);
    const V s = v * r;
    e = fnma(s, r, one);
    // Below infinity v·2^-70 is less than sqrt(v). At infinity the steps above give NaN, and max its second operand.
    return max(fma(half * s, e, s), v * V::set(0x1p-70f));
  } else {
    return sqrt(v);
  }
}

/// p, m, v after one step.
template <bool L2, class V, class T>
MINITRAIN_INLINE void adam_element(const AdamFactors<T>& f, V& p, V g, V& m, V& v) {
  if constexpr (L2) g = fma(V::set(f.weight_decay), p, V::set(f.scale) * g);
  m = fma(V::set(f.gradient_weight), g, fnma(V::set(f.forget), m, m));
  const V root_weighted = V::set(f.root_square_weight) * g;
  v = fma(root_weighted, root_weighted, V::set(f.beta2) * v);
  const V denominator = fma(root(v), V::set(f.root_correction), V::set(f.epsilon));
  p = fnma(V::set(f.rate), m / denominator, V::set(f.keep) * p);
}

// Steps in one signature, for kernels that are written once for all of them: p and the moments s after a step of a
// Form, of which core/optimizer_factors.hpp says what it needs.

template <bool Moves, bool Centered, class V, class T>
MINITRAIN_INLINE void form_element(RmspropForm<Moves, Centered>, const RmspropFactors<T>& f, V& p, V gradient_sum,
                                   V* s) {
  const V g = fma(V::set(f.weight_decay), p, V::set(f.scale) * gradient_sum);
  s[0] = fma(V::set(f.forget) * g, g, V::set(f.alpha) * s[0]);
  V square = s[0];
  if constexpr (Centered) {
    V& m = s[Moves ? 2 : 1];
    m = fma(V::set(f.forget), g - m, m);
    square = max(V::zero(), fnma(m, m, square));  // rounding may take it below zero
  }
  V direction = g / (root(square) + V::set(f.epsilon));
  if constexpr (Moves) {
    s[1] = fma(V::set(f.momentum), s[1], direction);
    direction = s[1];
  }
  p = fnma(V::set(f.rate), direction, p);
}

template <class V, class T>
MINITRAIN_INLINE void form_element(AdagradForm, const AdagradFactors<T>& f, V& p, V gradient_sum, V* s) {
  const V g = fma(V::set(f.weight_decay), p, V::set(f.scale) * gradient_sum);
  s[0] = fma(g, g, s[0] + V::set(f.initial));
  p = fnma(V::set(f.rate), g / (root(s[0]) + V::set(f.epsilon)), p);
}

template <bool CopiesBack, class V, class T>
MINITRAIN_INLINE void form_element(AverageForm<CopiesBack>, const AverageFactors<T>& f, V& p, V, V* s) {
  s[0] = fma(V::set(f.weight), p, fnma(V::set(f.weight), s[0], s[0]));
  if constexpr (CopiesBack) p = s[0];
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
