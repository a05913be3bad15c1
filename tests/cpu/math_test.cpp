#include <minitrain/cpu/dispatch.hpp>
#include <minitrain/cpu/math.hpp>

#include "cpu/support.hpp"

#include <limits>
#include <string>

namespace test {
enum class Function { exp, log, log1p, tanh, sigmoid, normal_cdf, normal_density };
}

#define MINITRAIN_KERNELS "cpu/math_kernels.inl"
#include <minitrain/cpu/for_each_isa.hpp>

using namespace test;

namespace {

template <class T>
void apply_on(Isa isa, Function f, const T* x, T* y, std::size_t count) {
  MINITRAIN_DISPATCH(isa, T, apply<T>(f, x, y, count));
}

template <class T>
std::vector<T> apply(Isa isa, Function f, std::vector<T> x) {
  const std::size_t count = x.size();
  x.resize((count + 15) / 16 * 16, T(1));
  std::vector<T> y(x.size());
  apply_on(isa, f, x.data(), y.data(), x.size());
  y.resize(count);
  return y;
}

/// With more precision than T has: double for float, long double for double.
template <class R>
R reference(Function f, R x) {
  switch (f) {
    case Function::exp:
      return std::exp(x);
    case Function::log:
      return std::log(x);
    case Function::log1p:
      return std::log1p(x);
    case Function::tanh:
      return std::tanh(x);
    case Function::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Function::normal_cdf:
      return R(0.5) * std::erfc(-x * R(0.70710678118654752440L));
    case Function::normal_density:
      return std::exp(R(-0.5) * x * x) * R(0.39894228040143267794L);
  }
  return x;
}

/// |y - f(x)| in units of the last place of f(x), for normal f(x). Elsewhere 0 if y is what it has to be: infinity
/// beyond the largest number, no more than the smallest normal number below it, NaN for NaN; otherwise infinity.
template <class R, class T>
double error_in_ulp(T y, R exact) {
  using Limits = std::numeric_limits<T>;
  if (std::isnan(exact)) return std::isnan(y) ? 0 : HUGE_VAL;
  const R size = std::abs(exact);
  if (size < Limits::min()) return std::abs(y) <= Limits::min() * T(1.00001) ? 0 : HUGE_VAL;
  if (size > Limits::max()) {
    const bool at_the_edge = y == std::copysign(Limits::max(), T(exact)) && size < Limits::max() * R(1 + 1e-6);
    return y == T(exact) || at_the_edge ? 0 : HUGE_VAL;
  }
  const double ulps =
      static_cast<double>(std::abs((R(y) - exact) / std::ldexp(R(1), std::ilogb(size) + 1 - Limits::digits)));
  return std::isnan(ulps) ? HUGE_VAL : ulps;
}

/// Every 1009th float there is, denormal ones but for zero left out, and the ranges where functions do most.
std::vector<float> float_arguments() {
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 1009) {
    const auto low = static_cast<std::uint32_t>(bits);
    float value;
    std::memcpy(&value, &low, sizeof value);
    if (value == 0 || !(std::abs(value) < std::numeric_limits<float>::min())) x.push_back(value);
  }
  for (int i = -300000; i < 300000; ++i) {
    const float t = static_cast<float>(i) / 300000;
    x.insert(x.end(), {14 * t, 90 * t, 1 + 0.5f * t});
  }
  return x;
}

std::vector<double> double_arguments() {
  std::vector<double> x;
  for (std::uint64_t i = 0; i < 400000; ++i) {
    const std::uint64_t bits = i * 46116860184273;  // up to 2^64
    double value;
    std::memcpy(&value, &bits, sizeof value);
    if (!(std::abs(value) < std::numeric_limits<double>::min())) x.push_back(value);
  }
  for (int i = -100000; i < 100000; ++i) {
    const double t = i / 100000.0;
    x.insert(x.end(), {4 * t, 40 * t, 750 * t, 1 + 0.5 * t});
  }
  return x;
}

template <class T>
std::vector<T> arguments() {
  if constexpr (std::is_same_v<T, float>) {
    return float_arguments();
  } else {
    return double_arguments();
  }
}

struct Promise {
  Function f;
  double vectors, baseline;  // largest error in ulp: AVX2 and AVX-512, baseline (docs/numerics.md)
};
constexpr Promise promises[] = {{Function::exp, 1.1, 1.1},           {Function::log, 0.8, 0.9},
                                {Function::log1p, 1.5, 1.5},         {Function::tanh, 2.8, 2.8},
                                {Function::sigmoid, 2.5, 2.5},       {Function::normal_cdf, 4.0, 6.0},
                                {Function::normal_density, 2.5, 2.5}};

}  // namespace

TEMPLATE_TEST_CASE("Functions are as accurate as promised over all numbers, with the same bits on AVX2 and AVX-512",
                   "[exactness]", float, double) {
  using Wide = std::conditional_t<std::is_same_v<TestType, float>, double, long double>;
  const std::vector<TestType> x = arguments<TestType>();
  for (const Promise& promise : promises) {
    std::vector<Wide> exact(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) exact[i] = reference<Wide>(promise.f, x[i]);
    std::vector<TestType> avx2;
    for (const Isa isa : instruction_sets()) {
      const std::vector<TestType> y = apply(isa, promise.f, x);
      double largest = 0;
      TestType worst = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double error = error_in_ulp(y[i], exact[i]);
        if (error > largest) largest = error, worst = x[i];
      }
      CAPTURE(static_cast<int>(promise.f), static_cast<int>(isa), worst);
      CHECK(largest <= (isa == Isa::baseline ? promise.baseline : promise.vectors));
      if (isa == Isa::avx2) avx2 = y;
      if (isa == Isa::avx512) CHECK(std::memcmp(y.data(), avx2.data(), y.size() * sizeof(TestType)) == 0);
    }
  }
}

TEMPLATE_TEST_CASE("Functions have their limits", "", float, double) {
  using T = TestType;
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  constexpr T most = std::numeric_limits<T>::max(), least = std::numeric_limits<T>::min();
  const T over = std::is_same_v<T, float> ? T(88.73) : T(709.79), under = std::is_same_v<T, float> ? T(-88) : T(-709);
  struct Value {
    Function f;
    T x, y;
  };
  const std::vector<Value> values{{Function::exp, 0, 1},
                                  {Function::exp, -T(0), 1},
                                  {Function::exp, inf, inf},
                                  {Function::exp, -inf, 0},
                                  {Function::exp, most, inf},
                                  {Function::exp, -most, 0},
                                  {Function::exp, over, inf},
                                  {Function::exp, under, 0},
                                  {Function::exp, least, 1},
                                  {Function::log, 1, 0},
                                  {Function::log, 0, -inf},
                                  {Function::log, -T(0), -inf},
                                  {Function::log, inf, inf},
                                  {Function::log, -1, nan},
                                  {Function::log, -inf, nan},
                                  {Function::log, -least, nan},
                                  {Function::log1p, 0, 0},
                                  {Function::log1p, -1, -inf},
                                  {Function::log1p, -2, nan},
                                  {Function::log1p, inf, inf},
                                  {Function::log1p, least, least},
                                  {Function::tanh, 0, 0},
                                  {Function::tanh, inf, 1},
                                  {Function::tanh, -inf, -1},
                                  {Function::tanh, least, least},
                                  {Function::tanh, most, 1},
                                  {Function::sigmoid, 0, 0.5},
                                  {Function::sigmoid, inf, 1},
                                  {Function::sigmoid, -inf, 0},
                                  {Function::sigmoid, -most, 0},
                                  {Function::normal_cdf, inf, 1},
                                  {Function::normal_cdf, -inf, 0},
                                  {Function::normal_cdf, -most, 0},
                                  {Function::normal_cdf, most, 1},
                                  {Function::normal_density, inf, 0},
                                  {Function::normal_density, -inf, 0}};
  for (const Isa isa : instruction_sets()) {
    for (const Value& v : values) {
      const T y = apply<T>(isa, v.f, {v.x})[0];
      CAPTURE(static_cast<int>(isa), static_cast<int>(v.f), v.x, y, v.y);
      CHECK((std::isnan(v.y) ? std::isnan(y) : y == v.y));
    }
    for (const Promise& promise : promises) CHECK(std::isnan(apply<T>(isa, promise.f, {nan})[0]));
  }
}

TEMPLATE_TEST_CASE("tanh is odd to the bit", "", float, double) {
  const auto x = uniform<TestType>(Shape{4096}, 1, 0.001, 12);
  for (const Isa isa : instruction_sets()) {
    const auto y = apply(isa, Function::tanh, std::vector<TestType>(x.begin(), x.end()));
    std::vector<TestType> negative(x.begin(), x.end());
    for (TestType& value : negative) value = -value;
    const auto z = apply(isa, Function::tanh, negative);
    for (std::size_t i = 0; i < y.size(); ++i) REQUIRE(z[i] == -y[i]);
  }
}

TEMPLATE_TEST_CASE("AVX2 and AVX-512 give these bits, whatever the compiler and its flags", "[exactness]", float,
                   double) {
  std::vector<TestType> x;
  const Random random(1, RandomPurpose::test);
  for (std::uint64_t i = 0; i < 4096; ++i) {  // on [-16, 16)
    x.push_back(static_cast<TestType>(static_cast<std::int32_t>(random.word(i))) * TestType(0x1p-27));
  }
  for (const Isa isa : instruction_sets()) {
    if (isa == Isa::baseline) continue;
    std::uint64_t hash = 14695981039346656037u;  // FNV-1a
    for (const Promise& promise : promises) {
      for (const TestType y : apply(isa, promise.f, x)) {
        unsigned char bytes[sizeof y];
        std::memcpy(bytes, &y, sizeof y);
        for (const unsigned char byte : bytes) hash = (hash ^ byte) * 1099511628211u;
      }
    }
    CHECK(hash == (std::is_same_v<TestType, float> ? 0x40497daf60de9a4fu : 0x5e1ee587be24ac5fu));
  }
}

TEST_CASE("Results below the normal numbers are zero where denormals are flushed, with the same bits everywhere") {
  const cpu::FlushDenormals flush;
  std::vector<float> x;
  for (int i = 0; i < 4096; ++i) x.push_back(-80 - static_cast<float>(i) / 256);
  for (const Isa isa : instruction_sets()) {
    const auto y = apply(isa, Function::exp, x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      CAPTURE(static_cast<int>(isa), x[i]);
      if (x[i] > -87.336f) REQUIRE(y[i] > 0);
      if (isa == Isa::baseline && x[i] < -87.337f) REQUIRE(y[i] <= std::numeric_limits<float>::min());
      if (isa != Isa::baseline && x[i] < -87.337f) REQUIRE(y[i] == 0);
    }
    if (isa != Isa::baseline) CHECK(y == apply(Isa::avx2, Function::exp, x));
  }
}

TEST_CASE("Functions of other scalars are those that go with the scalar") {
  using D = Dual<double>;
  const D y = cpu::baseline::sigmoid(cpu::baseline::Vec<D>{D(0.5, 1)}).v;
  const double s = 1 / (1 + std::exp(-0.5));
  CHECK(y.value == test::Approx(s).epsilon(1e-15));
  CHECK(y.derivative == test::Approx(s * (1 - s)).epsilon(1e-14));
  const D p = cpu::baseline::normal_cdf(cpu::baseline::Vec<D>{D(0.5, 1)}).v;
  CHECK(p.value == test::Approx(0.69146246127401310364).epsilon(1e-15));
  CHECK(p.derivative == test::Approx(0.35206532676429947777).epsilon(1e-14));
  CHECK(cpu::baseline::log1p(cpu::baseline::Vec<D>{D(1, 1)}).v.derivative == 0.5);
}
