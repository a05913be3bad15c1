// Optimizer steps, once per instruction set; see cpu/for_each_isa.hpp.

namespace minitrain::inline MINITRAIN_ABI::cpu::MINITRAIN_ISA {

/// p, b after one step; b is not touched without momentum.
template <Momentum Kind, class T>
MINITRAIN_INLINE void sgd_element(const SgdFactors<T>& f, Vec<T>& p, Vec<T> gradient_sum, Vec<T>& b) {
  using V = Vec<T>;
  const V g = fma(V::set(f.weight_decay), p, V::set(f.scale) * gradient_sum);
  V direction = g;
  if constexpr (Kind != Momentum::none) {
    b = fma(V::set(f.momentum), b, g);
    direction = Kind == Momentum::nesterov ? fma(V::set(f.momentum), b, g) : b;
  }
  p = fnma(V::set(f.rate), direction, p);
}

/// Elements [begin, end) of the slabs.
template <class T, Momentum Kind>
MINITRAIN_TARGET void sgd(const SgdFactors<T>& factors, std::size_t begin, std::size_t end, T* parameters,
                          const T* gradients, T* momentum) {
  using V = Vec<T>;
  const SgdFactors<T> f = factors;
  V b = V::zero();
  for (std::size_t i = begin; i < end; i += V::lanes) {
    const std::size_t left = end - i;
    V p = load_left<V>(parameters + i, left);
    if constexpr (Kind != Momentum::none) b = load_left<V>(momentum + i, left);
    sgd_element<Kind, T>(f, p, load_left<V>(gradients + i, left), b);
    store_left<V>(p, parameters + i, left);
    if constexpr (Kind != Momentum::none) store_left<V>(b, momentum + i, left);
  }
}

/// sqrt(v) for v >= 0, exact at 0 and infinity, NaN for NaN. For float it is within 1 ulp of the root (1.4 ulp without
/// FMA) and leaves the division unit, which the instruction would share, to the division: the seed r = 1/sqrt(v) is
/// good to 3.5 %, a step of third order takes it to 1.1e-4, and a Newton step s = v·r·(1 + (1 - v·r²)/2) ends at 1.7e-8
/// before rounding.
template <class T>
MINITRAIN_INLINE Vec<T> root(Vec<T> v) {
  using V = Vec<T>;
  if constexpr (std::is_same_v<T, float>) {
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
template <bool L2, class T>
MINITRAIN_INLINE void adam_element(const AdamFactors<T>& f, Vec<T>& p, Vec<T> g, Vec<T>& m, Vec<T>& v) {
  using V = Vec<T>;
  if constexpr (L2) g = fma(V::set(f.weight_decay), p, V::set(f.scale) * g);
  m = fma(V::set(f.gradient_weight), g, fnma(V::set(f.forget), m, m));
  const V root_weighted = V::set(f.root_square_weight) * g;
  v = fma(root_weighted, root_weighted, V::set(f.beta2) * v);
  const V denominator = fma(root<T>(v), V::set(f.root_correction), V::set(f.epsilon));
  p = fnma(V::set(f.rate), m / denominator, V::set(f.keep) * p);
}

/// Elements [begin, end) of the slabs.
template <class T, bool L2>
MINITRAIN_TARGET void adam(const AdamFactors<T>& factors, std::size_t begin, std::size_t end, T* parameters,
                           const T* gradients, T* means, T* squares) {
  using V = Vec<T>;
  const AdamFactors<T> f = factors;
  for (std::size_t i = begin; i < end; i += V::lanes) {
    const std::size_t left = end - i;
    V p = load_left<V>(parameters + i, left), m = load_left<V>(means + i, left), v = load_left<V>(squares + i, left);
    adam_element<L2, T>(f, p, load_left<V>(gradients + i, left), m, v);
    store_left<V>(p, parameters + i, left);
    store_left<V>(m, means + i, left);
    store_left<V>(v, squares + i, left);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::cpu::MINITRAIN_ISA
