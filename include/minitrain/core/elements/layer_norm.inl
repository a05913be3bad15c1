// Layer normalisation of one V; see core/elements/functions.inl, which comes first.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// mean and 1/sqrt(variance + epsilon) of a row.
template <class V>
struct LayerNormRow {
  V mean, rstd;

  /// x̂
  MINITRAIN_INLINE V normal(V x) const { return (x - mean) * rstd; }
  /// y = x̂·gain + shift
  MINITRAIN_INLINE V output(V x, V gain, V shift) const { return fma(normal(x), gain, shift); }
  /// dx = rstd·(g - mean(g) - x̂·mean(g·x̂)) with g = dy·gain, minus_mean = -mean(g) and slope = mean(g·x̂).
  MINITRAIN_INLINE V gradient(V x, V dy, V gain, V minus_mean, V slope) const {
    return rstd * fnma(normal(x), slope, fma(dy, gain, minus_mean));
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
