// Softmax cross-entropy of samples whose sums over the classes are known, of one V; see core/elements/functions.inl,
// which comes first, and core/softmax_factors.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// loss = Q·log s - spread·Σ_c w_c·z'_c - kept·w·z'_label and scale = Q/s, with Q = kept·w + spread·Σ_c w_c, from the
/// label's class weight w, s = Σ_c exp(z'_c), z'_label and, with label smoothing, spread_logit = Σ_c w_c·z'_c.
template <class V, class T>
MINITRAIN_INLINE void softmax_loss(const SoftmaxFactors<T>& f, V weight, V sum, V label_logit, V spread_logit, V& loss,
                                   V& scale) {
  const V total = fma(V::set(f.kept), weight, V::set(f.spread_weight));
  loss = total * log(sum);
  if (f.spread != T(0)) loss = fnma(V::set(f.spread), spread_logit, loss);
  loss = fnma(V::set(f.kept) * weight, label_logit, loss);
  scale = total / sum;
}

/// dy_c = exp(z'_c)·scale - spread·w_c of a class that is not the label.
template <class V, class T>
MINITRAIN_INLINE V softmax_gradient(const SoftmaxFactors<T>& f, V exponential, V scale, V class_weight) {
  return fma(exponential, scale, (V::zero() - V::set(f.spread)) * class_weight);
}
/// dy_c of the label, from what softmax_gradient() says and its class weight.
template <class V, class T>
MINITRAIN_INLINE V softmax_label_gradient(const SoftmaxFactors<T>& f, V gradient, V weight) {
  return fnma(V::set(f.kept), weight, gradient);
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
