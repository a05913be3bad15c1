// Gradients clipped and measured, once per instruction set; see cpu/for_each_isa.hpp and core/gradient_clip.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

template <class T>
MINITRAIN_TARGET void clip_values(T limit, std::size_t count, T* x) {
  using V = Vec<T>;
  const V high = V::set(limit), low = V::set(-limit);
  for (std::size_t i = 0; i < count; i += V::lanes) {
    const V v = load_left<V>(x + i, count - i);
    const V capped = select(greater(v, high), high, v), clipped = select(greater(low, capped), low, capped);
    // The sum makes denormal numbers zero where a run does; so does a GPU.
    store_left<V>(select(equal(v - v, V::zero()), clipped + V::zero(), v), x + i, count - i);
  }
}

/// terms[i] = |dy_i|²·(|x_i|² + bias)
template <class T>
MINITRAIN_TARGET void gradient_squares(std::size_t rows, const T* x, std::size_t in, const T* dy, std::size_t out,
                                       double bias, double* terms) {
  for (std::size_t i = 0; i < rows; ++i) {
    const double inputs = sum_in_lanes<true>(x + i * in, in);
    terms[i] = sum_in_lanes<true>(dy + i * out, out) * (inputs + bias);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
