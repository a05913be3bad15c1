// What tests/cpu/math_test.cpp runs on arrays, once per instruction set.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// y[i] = f(x[i]) for `count` elements, a multiple of 16.
template <class T>
MINITRAIN_TARGET inline void apply(test::Function f, const T* x, T* y, std::size_t count) {
  using V = Vec<T>;
  for (std::size_t i = 0; i < count; i += V::lanes) {
    const V a = V::load(x + i);
    V b = a, c = a;
    switch (f) {
      case test::Function::exp:
        b = exp(a);
        break;
      case test::Function::log:
        b = log(a);
        break;
      case test::Function::log1p:
        b = log1p(a);
        break;
      case test::Function::tanh:
        b = tanh(a);
        break;
      case test::Function::sigmoid:
        b = sigmoid(a);
        break;
      case test::Function::normal_cdf:
        b = normal_cdf(a);
        break;
      case test::Function::normal_density:
        normal(a, c, b);
        break;
    }
    b.store(y + i);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA
