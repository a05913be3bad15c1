#include <minitrain/cpu/gemm.hpp>

#include "cpu/support.hpp"

#include <cmath>
#include <limits>
#include <type_traits>

using namespace test;

namespace {

enum class Form { nn, nt, tn };
enum class After { nothing, relu, gate };

constexpr GemmStart starts[] = {GemmStart::zero, GemmStart::bias, GemmStart::add};
constexpr Form forms[] = {Form::nn, Form::nt, Form::tn};

/// A problem with matrices of its own. The rows of C are `margin` elements apart; between them stands 77.
template <class T>
struct Matrices {
  static constexpr std::size_t margin = 3;
  std::size_t M, N, K;
  Form form;
  Tensor<T> a, b, c, before, bias, gate;

  Matrices(Form f, std::size_t m, std::size_t n, std::size_t k)
      : M(m),
        N(n),
        K(k),
        form(f),
        a(uniform<T>({m * k}, 1)),
        b(uniform<T>({k * n}, 2)),
        c(uniform<T>({m * (n + margin)}, 3)),
        bias(uniform<T>({n}, 4)),
        gate(uniform<T>({m * (n + margin)}, 5)) {
    for (std::size_t i = 0; i < M; ++i) {
      for (std::size_t j = N; j < N + margin; ++j) c[i * (N + margin) + j] = T(77);
    }
    before = c.clone();
  }

  GemmProblem<T> problem(GemmStart start, After after) {
    GemmProblem<T> p;
    p.M = M, p.N = N, p.K = K;
    p.a = a.data(), p.b = b.data(), p.c = c.data();
    p.a_row = form == Form::tn ? 1 : K, p.a_column = form == Form::tn ? M : 1;
    p.b_row = form == Form::nt ? 1 : N, p.b_column = form == Form::nt ? K : 1;
    p.c_row = N + margin;
    p.start = start;
    p.bias = start == GemmStart::bias ? bias.data() : nullptr;
    p.relu = after == After::relu;
    p.gate = after == After::gate ? gate.data() : nullptr;
    return p;
  }

  T start_of(GemmStart start, std::size_t i, std::size_t j) const {
    return start == GemmStart::zero ? T(0) : start == GemmStart::bias ? bias[j] : before[i * (N + margin) + j];
  }
};

template <class T>
T finish(const GemmProblem<T>& p, std::size_t i, std::size_t j, T z) {
  if (p.relu) return z > T(0) ? z : T(0);
  if (p.gate != nullptr) return p.gate[i * p.c_row + j] > T(0) ? z : T(0);
  return z;
}

/// Every element against the chain of fused multiply-adds it promises to be, and nothing written beside C.
template <class T>
void check_chain(Isa isa, std::size_t threads, Matrices<T>& m, GemmStart start, After after) {
  const auto p = m.problem(start, after);
  std::copy(m.before.begin(), m.before.end(), m.c.begin());
  gemm(Cpu({.threads = threads, .isa = isa}), p);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < m.M; ++i) {
    for (std::size_t j = 0; j < p.c_row; ++j) {
      T expected = T(77);
      if (j < m.N) {
        expected = m.start_of(start, i, j);
        for (std::size_t k = 0; k < m.K; ++k) {
          expected = std::fma(p.a[i * p.a_row + k * p.a_column], p.b[k * p.b_row + j * p.b_column], expected);
        }
        expected = finish(p, i, j, expected);
      }
      if (!(p.c[i * p.c_row + j] == expected)) ++wrong;
    }
  }
  CAPTURE(static_cast<int>(isa), threads, m.M, m.N, m.K, static_cast<int>(m.form), static_cast<int>(start),
          static_cast<int>(after));
  CHECK(wrong == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("gemm: every element is the chain over k, to the bit", "", float, double) {
  for (const Isa isa : instruction_sets()) {
    if (isa == Isa::baseline) continue;  // rounds products
    for (const Form form : forms) {
      for (const std::size_t M : {0, 1, 2, 5, 13, 33}) {
        for (const std::size_t N : {0, 1, 2, 15, 16, 17, 33, 67}) {
          for (const std::size_t K : {0, 1, 2, 17, 31}) {
            Matrices<TestType> m(form, M, N, K);
            for (const GemmStart start : starts) check_chain(isa, 1, m, start, After::nothing);
            check_chain(isa, 1, m, GemmStart::bias, After::relu);
            check_chain(isa, 1, m, GemmStart::zero, After::gate);
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("gemm: the chain goes on through blocks of k, packed rows and threads", "", float, double) {
  struct {
    std::size_t M, N, K;
  } const sizes[] = {{257, 64, 257}, {64, 257, 257}, {400, 300, 30}, {60, 300, 600},
                     {1, 300, 300},  {49, 17, 1100}, {7, 1030, 40},  {540, 270, 20}};
  for (const Isa isa : instruction_sets()) {
    if (isa == Isa::baseline) continue;
    for (const Form form : forms) {
      for (const auto& size : sizes) {
        Matrices<TestType> m(form, size.M, size.N, size.K);
        check_chain(isa, 1, m, GemmStart::add, After::gate);
        check_chain(isa, 3, m, GemmStart::bias, After::relu);
      }
    }
  }
}

TEMPLATE_TEST_CASE("gemm: within K rounding errors of the exact product, on every instruction set", "", float, double) {
  constexpr long double epsilon = std::numeric_limits<TestType>::epsilon();
  for (const Isa isa : instruction_sets()) {
    for (const Form form : forms) {
      for (const std::size_t N : {1, 10, 33, 257}) {
        for (const std::size_t K : {0, 1, 31, 300}) {
          Matrices<TestType> m(form, 61, N, K);
          for (const GemmStart start : starts) {
            const auto p = m.problem(start, After::nothing);
            std::copy(m.before.begin(), m.before.end(), m.c.begin());
            gemm(Cpu({.threads = 1, .isa = isa}), p);
            std::size_t wrong = 0;
            for (std::size_t i = 0; i < m.M; ++i) {
              for (std::size_t j = 0; j < N; ++j) {
                long double sum = m.start_of(start, i, j), size = std::abs(sum);
                for (std::size_t k = 0; k < K; ++k) {
                  const long double product = static_cast<long double>(p.a[i * p.a_row + k * p.a_column]) *
                                              static_cast<long double>(p.b[k * p.b_row + j * p.b_column]);
                  sum += product;
                  size += std::abs(product);
                }
                const long double bound = epsilon * static_cast<long double>(K + 1) * size;
                if (!(std::abs(static_cast<long double>(p.c[i * p.c_row + j]) - sum) <= bound)) ++wrong;
              }
            }
            CAPTURE(static_cast<int>(isa), static_cast<int>(form), N, K, static_cast<int>(start));
            CHECK(wrong == 0);
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("gemm: NaN reaches C through relu, and -infinity becomes 0", "", float, double) {
  const TestType nan = std::numeric_limits<TestType>::quiet_NaN();
  const TestType infinity = std::numeric_limits<TestType>::infinity();
  for (const Isa isa : instruction_sets()) {
    Matrices<TestType> m(Form::nn, 9, 35, 4);
    m.bias[0] = nan;
    m.bias[34] = nan;
    m.bias[1] = -infinity;
    m.bias[2] = infinity;
    gemm(Cpu({.threads = 1, .isa = isa}), m.problem(GemmStart::bias, After::relu));
    for (std::size_t i = 0; i < m.M; ++i) {
      const TestType* const row = m.c.data() + i * (m.N + m.margin);
      CAPTURE(static_cast<int>(isa), i);
      CHECK(std::isnan(row[0]));
      CHECK(std::isnan(row[34]));
      CHECK(row[1] == TestType(0));
      CHECK(row[2] == infinity);
    }
  }
}

TEMPLATE_TEST_CASE("gemm: a gate of zero, -0 or NaN lets nothing through, not even NaN", "", float, double) {
  const TestType nan = std::numeric_limits<TestType>::quiet_NaN();
  for (const Isa isa : instruction_sets()) {
    Matrices<TestType> m(Form::nt, 7, 20, 3);
    std::fill(m.a.begin(), m.a.end(), nan);
    std::fill(m.gate.begin(), m.gate.end(), TestType(1));
    m.gate[0] = TestType(0);
    m.gate[1] = -TestType(0);
    m.gate[2] = nan;
    gemm(Cpu({.threads = 1, .isa = isa}), m.problem(GemmStart::zero, After::gate));
    for (std::size_t j = 0; j < m.N; ++j) {
      CAPTURE(static_cast<int>(isa), j);
      CHECK(std::isnan(m.c[j]) == (j > 2));
      if (j <= 2) CHECK(m.c[j] == TestType(0));
    }
  }
}
