// Steps of optimizers that look at norms of whole tensors; see core/elements/functions.inl and optimizer.inl, which
// come first, and core/tensor_rules.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

template <class V, class T>
MINITRAIN_INLINE void form_element(LambMomentsForm, const LambFactors<T>& f, V&, V gradient_sum, V* s) {
  const V g = V::set(f.scale) * gradient_sum;
  s[0] = fma(V::set(f.forget), g - s[0], s[0]);
  s[1] = fma(V::set(f.remember) * g, g, V::set(f.beta2) * s[1]);
}

template <Momentum Kind, class V, class T>
MINITRAIN_INLINE void form_element(LarsForm<Kind>, const LarsFactors<T>& f, V& p, V gradient_sum,
                                   [[maybe_unused]] V* s) {
  const V g = fma(V::set(f.weight_decay), p, V::set(f.scale) * gradient_sum);
  if constexpr (Kind == Momentum::none) {
    p = fnma(V::set(f.rate), g, p);
  } else {
    s[0] = fma(V::set(f.rate), g, V::set(f.momentum) * s[0]);
    if constexpr (Kind == Momentum::nesterov) {
      p = fnma(V::set(f.momentum), s[0], fnma(V::set(f.rate), g, p));
    } else {
      p = p - s[0];
    }
  }
}

template <class V, class T>
MINITRAIN_INLINE void form_element(AdafactorVectorForm, const AdafactorVectorFactors<T>& f, V&, V gradient_sum, V* s) {
  const V g = V::set(f.scale) * gradient_sum;
  s[0] = fma(V::set(f.blend), fma(g, g, V::set(f.epsilon)) - s[0], s[0]);
}

template <class V, class T>
MINITRAIN_INLINE V lamb_direction(const LambDirection<T>& d, V p, V m, V v) {
  const V denominator = fma(root(v), V::set(d.root_correction), V::set(d.epsilon));
  return fma(V::set(d.weight_decay), p, V::set(d.mean_correction) * m / denominator);
}
template <class V, class T>
MINITRAIN_INLINE V factored_direction(T scale, V g, V row_factor, V column_factor) {
  return V::set(scale) * g * row_factor * column_factor;
}
template <class V, class T>
MINITRAIN_INLINE V vector_direction(T scale, V g, V v) {
  return V::set(scale) * g / root(v);
}

template <bool Moves, class V, class T>
MINITRAIN_INLINE void along_element(const AlongFactors<T>& f, V& p, V u, [[maybe_unused]] V& m) {
  if constexpr (Moves) {
    m = fma(V::set(f.rate) * u, V::set(f.forget), V::set(f.beta1) * m);
    p = fma(V::set(f.keep), p, V::zero() - m);
  } else {
    p = fnma(V::set(f.rate), u, V::set(f.keep) * p);
  }
}

// Once per tensor, row or column, in double. Every product that meets a sum is an fma, so that no compiler can choose.

MINITRAIN_INLINE double rate_of(const LambRate& r, double pp, double uu, double) {
  return pp > 0 && uu > 0 ? r.learning_rate * (::sqrt(pp) / ::sqrt(uu)) : r.learning_rate;
}
MINITRAIN_INLINE double rate_of(const LarsRate& r, double pp, double gg, double scale) {
  if (!(pp > 0 && gg > 0)) return r.learning_rate;
  const double p = ::sqrt(pp), g = ::sqrt(gg) * scale;
  return r.learning_rate * (r.trust * p / (::fma(r.weight_decay, p, g) + r.epsilon));
}
MINITRAIN_INLINE double rate_of(const AdafactorRate& r, double pp, double uu, double) {
  const double size = ::sqrt(pp / r.count), step = ::sqrt(uu / r.count) / r.clip_threshold;
  const double scale = !r.scales_with_parameters ? 1.0 : size < r.epsilon2 ? r.epsilon2 : size;
  return r.rate * scale / (step > 1.0 ? step : 1.0);
}

/// old + blend·(mean of squares + epsilon - old), where `squares` are those of `count` gradient sums.
MINITRAIN_INLINE double blended_square(double old, double blend, double squares, double scale, double count,
                                       double epsilon) {
  return ::fma(blend, squares * (scale * scale) / count + epsilon - old, old);
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
