#include <minitrain/testing/dual.hpp>

#include "support/catch.hpp"

#include <limits>

using minitrain::testing::Dual;
using D = Dual<double>;

namespace {

/// Value and derivative of f at x against (f(x + h) - f(x - h)) / 2h in long double.
template <class F>
void check_derivative(double x, F f) {
  const D y = f(D(x, 1.0));
  using L = Dual<long double>;
  const long double h = 1e-6L;
  const long double slope = (f(L(x + h)).value - f(L(x - h)).value) / (2 * h);
  CAPTURE(x);
  CHECK(y.value == test::Approx(static_cast<double>(f(L(x)).value)).epsilon(1e-14));
  CHECK(y.derivative == test::Approx(static_cast<double>(slope)).epsilon(1e-9).margin(1e-11));
}

}  // namespace

TEST_CASE("Arithmetic on dual numbers follows the rules of differentiation") {
  const D a(3, 2), b(5, 7);
  CHECK((a + b).value == 8);
  CHECK((a + b).derivative == 9);
  CHECK((a - b).value == -2);
  CHECK((a - b).derivative == -5);
  CHECK((a * b).value == 15);
  CHECK((a * b).derivative == 2 * 5 + 3 * 7);
  CHECK((a / b).value == 0.6);
  CHECK((a / b).derivative == test::Approx((2 * 5 - 3 * 7) / 25.0));
  CHECK((-a).value == -3);
  CHECK((-a).derivative == -2);
  CHECK((+a).derivative == 2);
}

TEST_CASE("Numbers mix with dual numbers as constants") {
  const D a(3, 2);
  CHECK((1.0 - a).derivative == -2);
  CHECK((a * 4.0).derivative == 8);
  CHECK((6.0 / a).derivative == test::Approx(-6.0 * 2 / 9));
  CHECK(D(4).derivative == 0);
  CHECK(D().value == 0);
}

TEST_CASE("Compound assignment changes value and derivative") {
  D a(3, 2);
  a += D(1, 1);
  CHECK(a.derivative == 3);
  a -= D(2, 5);
  CHECK(a.derivative == -2);
  CHECK(a.value == 2);
  a *= D(3, 1);
  CHECK(a.value == 6);
  CHECK(a.derivative == -2 * 3 + 2);
  a /= D(2);
  CHECK(a.value == 3);
  CHECK(a.derivative == -2);
}

TEST_CASE("Comparisons look at the value alone") {
  const D a(1, 9), b(1, -9), c(2, 0);
  CHECK(a == b);
  CHECK_FALSE(a != b);
  CHECK(a != c);
  CHECK(a < c);
  CHECK_FALSE(c < a);
  CHECK(c > a);
  CHECK_FALSE(a > b);
  CHECK(a <= b);
  CHECK(a >= b);
  CHECK_FALSE(a >= c);
  CHECK_FALSE(c <= a);
  const D nan(std::numeric_limits<double>::quiet_NaN());
  CHECK_FALSE(nan == nan);
  CHECK_FALSE(nan < a);
}

TEST_CASE("Functions of dual numbers have the derivatives of calculus") {
  for (const double x : {-2.5, -0.7, -0.01, 0.02, 0.6, 1.0, 3.25}) {
    check_derivative(x, [](auto a) { return exp(a); });
    check_derivative(x, [](auto a) { return expm1(a); });
    check_derivative(x, [](auto a) { return tanh(a); });
    check_derivative(x, [](auto a) { return erf(a); });
    check_derivative(x, [](auto a) { return erfc(a); });
    check_derivative(x, [](auto a) { return abs(a); });
    check_derivative(x * x + 0.5, [](auto a) { return log(a); });
    check_derivative(x * x + 0.5, [](auto a) { return log1p(a); });
    check_derivative(x * x + 0.5, [](auto a) { return sqrt(a); });
    check_derivative(x, [](auto a) { return a * exp(-a * a) / (a * a + 1); });
  }
  CHECK(abs(D(0, 5)).derivative == 0);
}
