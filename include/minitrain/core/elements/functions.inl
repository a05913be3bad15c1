// Functions of a V, which is what a device computes with: a vector of the CPU's, or one element on a GPU. The text is
// one for all devices, so the bits are.
//
// The library has its own functions so that no result depends on the C library. Accuracy is in docs/numerics.md. NaN
// gives NaN; infinities and zeros give what mathematics says; a denormal argument may count as zero, and a result below
// the normal numbers may be zero (on the baseline, one below twice the smallest normal number may be that number). No
// function returns a bare product, so that no compiler can fuse one with a caller's addition. Scalars that are not
// machine numbers (V::is_generic: dual numbers) use the functions that go with the scalar.
//
// Include core/elements/constants.hpp first, and define MINITRAIN_ISA, the namespace of V, and MINITRAIN_INLINE, which
// goes before each function; cpu/for_each_isa.hpp and kernels/lane.cuh do. A V offers set, zero, + - * /, fma(a, b, c)
// = a·b + c and fnma(a, b, c) = c - a·b with one rounding, min and max (the second operand where either is NaN), abs,
// sqrt, round, greater, equal, select, power_of_two, split_exponent and rsqrt_seed, as cpu/simd_baseline.hpp says.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// A number of its own, which device code may use; the array it is from belongs to the host.
template <const auto& c, std::size_t I>
inline constexpr auto coefficient = c[I];

/// c[0]·x^n + ... + c[n], by Horner's rule. The coefficients are a template argument, so that they become immediate
/// operands: a GPU cannot reach a constant array of the host.
template <const auto& c, class V, std::size_t... I>
MINITRAIN_INLINE V polynomial(V x, std::index_sequence<I...>) {
  V p = V::set(coefficient<c, 0>);
  ((p = fma(p, x, V::set(coefficient<c, I + 1>))), ...);
  return p;
}
template <const auto& c, class V>
MINITRAIN_INLINE V polynomial(V x) {
  return polynomial<c>(x, std::make_index_sequence<sizeof(c) / sizeof(c[0]) - 1>());
}

/// The integer n for which exp(x) = 2^n·exp(r) has the smallest |r|.
template <class V>
MINITRAIN_INLINE V nearest_exponent(V x) {
  return round(x * V::set(MathConstants<typename V::value_type>::log2_e));
}
/// r = x - n·ln 2
template <class V>
MINITRAIN_INLINE V without_exponent(V x, V n) {
  using C = MathConstants<typename V::value_type>;
  return fnma(n, V::set(C::ln2_low), fnma(n, V::set(C::ln2_high), x));
}
/// exp(r) - 1 for r in [-0.347, 0.694]; infinity for r = infinity.
template <class V>
MINITRAIN_INLINE V small_expm1(V r) {
  return fma(r * r, polynomial<MathConstants<typename V::value_type>::exponential>(r), r);
}

/// exp(x)
template <class V>
MINITRAIN_INLINE V exp(V x) {
  if constexpr (V::is_generic) {
    using std::exp;
    return {exp(x.v)};
  } else {
    using C = MathConstants<typename V::value_type>;
    const V bounded = max(V::set(C::exp_lowest), x);
    const V n = min(V::set(C::exponent_max), nearest_exponent(bounded));
    const V scale = power_of_two(n);
    return fma(scale, small_expm1(without_exponent(bounded, n)), scale);
  }
}

/// log(1 + f) + e·ln 2 for 1 + f in [sqrt(1/2), sqrt(2)): with s = f / (2 + f), log(1 + f) = log((1 + s) / (1 - s)).
template <class V>
MINITRAIN_INLINE V log_from_parts(V f, V e) {
  using C = MathConstants<typename V::value_type>;
  const V s = f / (V::set(2) + f);
  const V z = s * s;
  const V h = V::set(0.5f) * f;
  const V tail = fma(s, fma(h, f, z * polynomial<C::logarithm>(z)), e * V::set(C::ln2_low));
  return fma(e, V::set(C::ln2_high), fnma(h, f, tail) + f);
}
/// `y` where x is a positive normal number, and the logarithm of x where it is anything else.
template <class V>
MINITRAIN_INLINE V log_or_limit(V x, V y) {
  using C = MathConstants<typename V::value_type>;
  const V low = select(greater(x, V::set(-C::smallest_normal)), V::set(-C::infinity), V::set(C::nan));
  return select(greater(V::set(C::infinity), x), select(greater(V::set(C::smallest_normal), x), low, y), x);
}

/// log(x)
template <class V>
MINITRAIN_INLINE V log(V x) {
  if constexpr (V::is_generic) {
    using std::log;
    return {log(x.v)};
  } else {
    V m, e;
    split_exponent(x, m, e);
    return log_or_limit<V>(x, log_from_parts<V>(m - V::set(1), e));
  }
}

/// log(1 + x), with all its digits where x is small.
template <class V>
MINITRAIN_INLINE V log1p(V x) {
  if constexpr (V::is_generic) {
    using std::log1p;
    return {log1p(x.v)};
  } else {
    const V one = V::set(1);
    const V u = one + x;
    const V lost = x - (u - one);  // what rounding 1 + x dropped
    V m, e;
    split_exponent(u, m, e);
    const V unscale = power_of_two(V::zero() - min(V::set(MathConstants<typename V::value_type>::exponent_max), e));
    return log_or_limit<V>(u, log_from_parts<V>(fma(lost, unscale, m - one), e));
  }
}

/// tanh(x) = (exp(2x) - 1) / (exp(2x) - 1 + 2); an odd function to the bit.
template <class V>
MINITRAIN_INLINE V tanh(V x) {
  if constexpr (V::is_generic) {
    using std::tanh;
    return {tanh(x.v)};
  } else {
    using C = MathConstants<typename V::value_type>;
    const V one = V::set(1);
    const V t = min(V::set(C::tanh_one), abs(x));
    const V twice = t + t;
    const V n = nearest_exponent(twice);
    const V scale = power_of_two(n);
    const V e = fma(scale, small_expm1(without_exponent(twice, n)), scale - one);
    const V y = e / (e + V::set(2));
    return select(greater(V::zero(), x), V::zero() - y, y);
  }
}

/// 1 / (1 + exp(-x))
template <class V>
MINITRAIN_INLINE V sigmoid(V x) {
  const V one = V::set(typename V::value_type(1));
  return one / (one + exp(V::zero() - x));
}

/// Normal distribution function Phi(x) = (1 + erf(x / sqrt(2))) / 2 and density exp(-x²/2) / sqrt(2·pi).
///
/// With t = |x|, Phi(-t) = exp(-t²/2)·q / (t + 4), q a polynomial in (t - 4) / (t + 4) = 1 - 8 / (t + 4) (after
/// Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x)exp(x²)erfc x in 0 <= x < infinity", Math. Comp. 36,
/// 1981). So the lower tail has all its digits. In -t²/2 = -g²/2 - (t - g)·(t + g)/2 the first square is exact, g being
/// t rounded to a grid.
template <class V>
MINITRAIN_INLINE void normal(V x, V& distribution, V& density) {
  using T = typename V::value_type;
  if constexpr (V::is_generic) {
    using std::erfc;
    using std::exp;
    distribution = {T(0.5) * erfc(T(-0.70710678118654752440) * x.v)};
    density = {T(0.39894228040143267794) * exp(T(-0.5) * x.v * x.v)};
  } else {
    using C = MathConstants<T>;
    const V one = V::set(1), minus_half = V::set(-0.5f);
    const V t = min(V::set(C::normal_lowest), abs(x));
    const V cells = round(t * V::set(C::normal_grid));
    const V g = cells * V::set(1 / C::normal_grid);
    const V square = minus_half * g * g;
    const V n = nearest_exponent(square);
    const V scale = power_of_two(n);
    const V rest = fnma(cells, V::set(1 / C::normal_grid), t) * minus_half;
    const V e = small_expm1(fma(rest, t + g, without_exponent(square, n)));  // exp(-t²/2) = scale·(1 + e)
    // w = 1 / (t + 4), corrected for the rounding of the sum and of the quotient, to which the result is sensitive.
    const V sum = t + V::set(4);
    const V lost = t - (sum - V::set(4));
    const V quotient = one / sum;
    const V w = fma(quotient, fnma(quotient, lost, fnma(quotient, sum, one)), quotient);
    const V ratio = w * polynomial<C::normal_tail>(fnma(V::set(8), w, one));
    const V tail = fma(e, ratio, ratio);
    distribution = select(greater(x, V::zero()), fnma(scale, tail, one), scale * tail);
    density = fma(scale, e, scale) * V::set(C::inverse_sqrt_2pi);
  }
}

/// Phi(x), the normal distribution function.
template <class V>
MINITRAIN_INLINE V normal_cdf(V x) {
  V distribution, density;
  normal(x, distribution, density);
  return distribution;
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
