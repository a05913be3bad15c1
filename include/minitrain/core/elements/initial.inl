// Initial values of one V, which here is one double: its operations, -v, and frexp(v, m, e), v = m·2^e with m in
// [1/2, 1), for positive normal v. See core/elements/functions.inl, which comes first.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// A number uniform on [0, 1) of two random words, as Random::uniform makes it. Exact.
template <class V>
MINITRAIN_INLINE V uniform_number(std::uint32_t high, std::uint32_t low) {
  return V::set(static_cast<double>((std::uint64_t{high} << 21) ^ (low >> 11)) * 0x1p-53);
}

/// The x with Phi(x) = p, for 0 < p < 1/2, to about 1e-9 (relative): P. J. Acklam's rational approximation. The square
/// root is correctly rounded everywhere, the logarithm is a fixed series and every product that feeds a sum an explicit
/// fma, so neither the machine's library nor compiler flags show.
template <class V>
MINITRAIN_INLINE V normal_quantile_lower(V p) {
  using C = NormalQuantile;
  if (!greater(V::set(0.02425), p)) {
    const V q = p - V::set(0.5), q2 = q * q;
    return q * (polynomial<C::middle_above>(q2) / polynomial<C::middle_below>(q2));
  }
  // -2·log(p): p = m/sqrt(2)·2^e, log m = 2·atanh((m - 1)/(m + 1)) by its series.
  V m, e;
  frexp(p, m, e);
  m = fma(m, V::set(1.4142135623730951), V::zero());  // rounded before the sums, whatever the compiler may contract
  const V one = V::set(1), z = (m - one) / (m + one);
  const V series = polynomial<C::atanh>(z * z);
  const V log_p = fma(V::set(2) * z, series, (e - V::set(0.5)) * V::set(0.69314718055994531));
  const V x = sqrt(V::set(-2) * log_p);
  return polynomial<C::tail_above>(x) / polynomial<C::tail_below>(x);
}

/// A number of N(0, 1), of one that is uniform on [0, 1): the distribution function inverted.
template <class V>
MINITRAIN_INLINE V normal_number(V uniform) {
  const V u = uniform + V::set(0x1p-54);  // never 0
  return greater(V::set(0.5), u) ? normal_quantile_lower(u) : -normal_quantile_lower(V::set(1) - u);
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
