// Optimizer steps, once per instruction set; see cpu/for_each_isa.hpp.

#include <minitrain/core/elements/optimizer.inl>

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

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
    sgd_element<Kind, V>(f, p, load_left<V>(gradients + i, left), b);
    store_left<V>(p, parameters + i, left);
    if constexpr (Kind != Momentum::none) store_left<V>(b, momentum + i, left);
  }
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
    adam_element<L2, V>(f, p, load_left<V>(gradients + i, left), m, v);
    store_left<V>(p, parameters + i, left);
    store_left<V>(m, means + i, left);
    store_left<V>(v, squares + i, left);
  }
}

/// Elements [begin, end) of the slabs, by a Form.
template <class T, class Form, class Factors>
MINITRAIN_TARGET void update_elements(Form form, const Factors& factors, std::size_t begin, std::size_t end,
                                      T* parameters, const T* gradients, const MomentPointers<T>& moments) {
  using V = Vec<T>;
  const Factors f = factors;
  for (std::size_t i = begin; i < end; i += V::lanes) {
    const std::size_t left = end - i;
    V p = load_left<V>(parameters + i, left);
    V s[Form::moments > 0 ? Form::moments : 1];
    for (int k = 0; k < Form::moments; ++k) s[k] = load_left<V>(moments.slab[k] + i, left);
    form_element(form, f, p, load_left<V>(gradients + i, left), s);
    store_left<V>(p, parameters + i, left);
    for (int k = 0; k < Form::moments; ++k) store_left<V>(s[k], moments.slab[k] + i, left);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
