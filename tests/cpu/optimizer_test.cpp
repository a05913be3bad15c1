#include "support/catch.hpp"

#include <minitrain/cpu/optimizer.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace mt = minitrain;

namespace {

std::vector<mt::Isa> instruction_sets() {
  std::vector<mt::Isa> sets;
  for (const mt::Isa isa : {mt::Isa::baseline, mt::Isa::avx2, mt::Isa::avx512}) {
    if (isa <= mt::cpu::best_isa()) sets.push_back(isa);
  }
  return sets;
}

/// Parameters, gradient sums and two moments.
template <class T>
struct Slabs {
  explicit Slabs(std::size_t count) : p({count}), g({count}), m({count}), v({count}) {
    for (std::size_t i = 0; i < count; ++i) {
      const double x = static_cast<double>(i);
      p[i] = T(std::sin(x));
      g[i] = T(std::cos(3 * x) * std::pow(10.0, static_cast<double>(i % 11) - 5));
      m[i] = T(std::sin(5 * x) * 0.1);
      v[i] = T(std::pow(10.0, static_cast<double>(i % 17) - 12));
    }
  }
  mt::UpdateStep<T> step(std::size_t number) {
    moments = {m.view(), v.view()};
    return {p, g, moments, 1.0 / 3, 0.01, number};
  }
  mt::Tensor<T> p, g, m, v;
  std::vector<mt::View<T>> moments;
};

template <class T>
bool same_bits(const Slabs<T>& a, const Slabs<T>& b) {
  const std::size_t bytes = a.p.size() * sizeof(T);
  return std::memcmp(a.p.data(), b.p.data(), bytes) == 0 && std::memcmp(a.m.data(), b.m.data(), bytes) == 0 &&
         std::memcmp(a.v.data(), b.v.data(), bytes) == 0;
}

const mt::SgdRule sgd_rules[] = {
    {}, {.weight_decay = 0.1}, {.momentum = 0.9}, {.momentum = 0.9, .nesterov = true, .weight_decay = 0.1}};
const mt::AdamRule adam_rules[] = {{}, {.weight_decay = 0.1}, {.weight_decay = 0.1, .decoupled = true}};

/// All rules, one after the other.
template <class T>
void run_all(const mt::Cpu& device, Slabs<T>& slabs) {
  std::size_t step = 0;
  for (const auto& rule : sgd_rules) sgd_update(device, rule, slabs.step(++step));
  for (const auto& rule : adam_rules) adam_update(device, rule, slabs.step(++step));
}

/// One step of each rule in long double against the formulas of core/update_step.hpp: the largest relative error.
template <class T>
double worst_error(const mt::Cpu& device, std::size_t count) {
  using Wide = long double;
  double worst = 0;
  const auto compare = [&](Wide wanted, T got, Wide size) {
    const double error = static_cast<double>(std::abs(wanted - Wide(got)) / size);
    worst = error <= worst ? worst : error;
  };
  for (const auto& rule : sgd_rules) {
    Slabs<T> before(count), after(count);
    sgd_update(device, rule, after.step(1));
    for (std::size_t i = 0; i < count; ++i) {
      const Wide p = before.p[i], gradient = Wide(before.g[i]) / 3, g = gradient + rule.weight_decay * p;
      Wide d = g;
      if (rule.momentum > 0) {
        const Wide b = rule.momentum * Wide(before.m[i]) + g;
        d = rule.nesterov ? g + rule.momentum * b : b;
        compare(b, after.m[i], std::abs(before.m[i]) + std::abs(gradient) + std::abs(p));
      }
      compare(p - 0.01L * d, after.p[i], std::abs(p) + std::abs(gradient) + std::abs(before.m[i]));
    }
  }
  for (const auto& rule : adam_rules) {
    const std::size_t t = 7;
    Slabs<T> before(count), after(count);
    adam_update(device, rule, after.step(t));
    for (std::size_t i = 0; i < count; ++i) {
      Wide p = before.p[i], g = Wide(before.g[i]) / 3;
      const Wide size = std::abs(p) + std::abs(g);
      (rule.decoupled ? p : g) += rule.decoupled ? -0.01L * rule.weight_decay * p : rule.weight_decay * p;
      const Wide m = before.m[i] + (1 - rule.beta1) * (g - Wide(before.m[i]));
      const Wide v = rule.beta2 * Wide(before.v[i]) + (1 - rule.beta2) * g * g;
      compare(m, after.m[i], size + std::abs(before.m[i]));
      compare(v, after.v[i], v);
      const Wide step = 0.01L / (1 - std::pow(Wide(rule.beta1), t)) * m /
                        (std::sqrt(v) / std::sqrt(1 - std::pow(Wide(rule.beta2), t)) + rule.epsilon);
      compare(p - step, after.p[i], std::abs(p) + std::abs(step) * (size + std::abs(before.m[i])) / std::abs(m));
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("optimizer steps follow their formulas at every size") {
  for (const mt::Isa isa : instruction_sets()) {
    const mt::Cpu device{{.threads = 1, .isa = isa}};
    for (const std::size_t count : {0u, 1u, 7u, 8u, 15u, 16u, 17u, 31u, 33u, 257u}) {
      CAPTURE(static_cast<int>(isa), count);
      CHECK(worst_error<double>(device, count) < 2e-15);
      CHECK(worst_error<float>(device, count) < 1e-6);
    }
  }
}

TEMPLATE_TEST_CASE("optimizer steps are the same bits for AVX2, AVX-512 and any number of threads", "", float, double) {
  if (mt::cpu::best_isa() < mt::Isa::avx2) return;
  for (const std::size_t count : {std::size_t{1}, std::size_t{33}, std::size_t{20'001}}) {
    Slabs<TestType> wanted(count);
    run_all(mt::Cpu{{.threads = 1, .isa = mt::Isa::avx2}}, wanted);
    for (const std::size_t threads : {1u, 2u, 3u}) {
      CAPTURE(count, threads);
      Slabs<TestType> got(count);
      run_all(mt::Cpu{{.threads = threads}}, got);
      CHECK(same_bits(wanted, got));
    }
  }
}

TEST_CASE("an element's step does not depend on where it stands") {
  const mt::Cpu device{{.threads = 1}};
  Slabs<float> all(257);
  for (const auto& rule : adam_rules) adam_update(device, rule, all.step(3));
  for (const std::size_t i : {0u, 15u, 16u, 100u, 255u, 256u}) {
    Slabs<float> from(257), one(1);
    one.p[0] = from.p[i], one.g[0] = from.g[i], one.m[0] = from.m[i], one.v[0] = from.v[i];
    for (const auto& rule : adam_rules) adam_update(device, rule, one.step(3));
    CAPTURE(i);
    CHECK(one.p[0] == all.p[i]);
    CHECK(one.v[0] == all.v[i]);
  }
}

TEST_CASE("optimizer steps touch nothing past the last element") {
  for (const mt::Isa isa : instruction_sets()) {
    const mt::Cpu device{{.threads = 1, .isa = isa}};
    for (const std::size_t count : {1u, 15u, 17u, 33u}) {
      Slabs<float> slabs(64), untouched(64);
      auto step = slabs.step(1);
      slabs.moments = {{slabs.m.data(), {count}}, {slabs.v.data(), {count}}};
      step.parameters = {slabs.p.data(), {count}};
      step.gradient_sums = {slabs.g.data(), {count}};
      adam_update(device, {}, step);
      sgd_update(device, {.momentum = 0.9}, step);
      for (std::size_t i = 0; i < 64; ++i) {
        CAPTURE(static_cast<int>(isa), count, i);
        CHECK((slabs.p[i] == untouched.p[i]) == (i >= count));
        CHECK((slabs.m[i] == untouched.m[i]) == (i >= count));
        CHECK((slabs.v[i] == untouched.v[i]) == (i >= count));
      }
    }
  }
}

namespace {

/// Runs one step of Adam with learning rate 1 on one element: p = 0, and what is given.
template <class T>
struct OneAdam {
  OneAdam(mt::Isa isa, T gradient, T mean, T square, double epsilon = 1e-8) {
    p[0] = 0, g[0] = gradient, m[0] = mean, v[0] = square;
    const mt::View<T> moments[] = {m, v};
    const mt::Cpu device{{.threads = 1, .isa = isa}};
    adam_update(device, {.beta1 = 0, .epsilon = epsilon}, mt::UpdateStep<T>{p, g, moments, 1.0, 1.0, 100'000});
  }
  mt::Tensor<T> p{{1}}, g{{1}}, m{{1}}, v{{1}};
};

}  // namespace

TEMPLATE_TEST_CASE("Adam at the edges of arithmetic", "", float, double) {
  using T = TestType;
  constexpr T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  constexpr T huge = std::numeric_limits<T>::max();
  for (const mt::Isa isa : instruction_sets()) {
    CAPTURE(static_cast<int>(isa));
    CHECK(OneAdam<T>(isa, 0, 0, 0).p[0] == 0);          // 0 / (0 + epsilon)
    CHECK(OneAdam<T>(isa, 0, 0, 0, 1e-300).p[0] == 0);  // even for an epsilon that T cannot hold
    CHECK(OneAdam<T>(isa, 1, 0, infinity).p[0] == 0);   // 1 / infinity
    CHECK(OneAdam<T>(isa, huge / 4, 0, 1).p[0] == 0);   // v overflows
    CHECK(std::isnan(OneAdam<T>(isa, nan, 0, 1).p[0]));
    CHECK(std::isnan(OneAdam<T>(isa, 1, nan, 1).p[0]));
    CHECK(std::isnan(OneAdam<T>(isa, 1, 0, nan).p[0]));
    CHECK(std::isnan(OneAdam<T>(isa, infinity, 0, 1).p[0]));  // infinity / infinity
    const T largest = -OneAdam<T>(isa, 1, 0, huge).p[0];
    CHECK(largest == test::Approx(1 / std::sqrt(static_cast<double>(huge) * 0.999)).epsilon(1e-6));
    const T smallest = std::numeric_limits<T>::min();
    const T tiny = std::is_same_v<T, float> ? T(0x1p-100) : T(0x1p-600);  // its square does not count
    const double wanted = static_cast<double>(tiny) / std::sqrt(static_cast<double>(smallest) * 4 * 0.999);
    CHECK(-OneAdam<T>(isa, tiny, 0, smallest * 4, 1e-300).p[0] == test::Approx(wanted).epsilon(1e-6));
  }
}

TEST_CASE("the float square root of Adam is within 1 ulp") {
  for (const mt::Isa isa : instruction_sets()) {
    // m = g, v stays, and p = -1 / (sqrt(v) + 2^-126), so an ulp of the root may be two of p, and the division rounds.
    constexpr std::size_t count = 400'000;
    mt::Tensor<float> p({count}), g({count}), m({count}), v({count});
    for (std::size_t i = 0; i < count; ++i) {
      g[i] = 0x1p-60f;
      v[i] = std::ldexp(1.0f + static_cast<float>(i) / count * 3.0f, i % 2 == 0 ? 0 : 40);
    }
    const mt::View<float> moments[] = {m, v};
    const mt::Cpu device{{.threads = 1, .isa = isa}};
    const mt::AdamRule rule{.beta1 = 0, .beta2 = 1 - 0x1p-53, .epsilon = 0x1p-126};
    adam_update(device, rule, mt::UpdateStep<float>{p, g, moments, 1.0, 0x1p60, std::size_t{1} << 62});
    double worst = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double exact = 1 / std::sqrt(static_cast<double>(v[i]));
      const double error = std::abs(-static_cast<double>(p[i]) - exact) / std::ldexp(1.0, std::ilogb(exact) - 23);
      worst = error <= worst ? worst : error;
    }
    CAPTURE(static_cast<int>(isa));
    CHECK(worst < 2.5);
  }
}
