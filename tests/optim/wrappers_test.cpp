// EMA and Lookahead against their formulas in double; the optimizer inside takes the steps that it takes alone.

#include "optim/adaptive_checks.hpp"

#include <limits>

namespace mt = minitrain;
using test::OptimizerRun;

namespace {

const std::vector<mt::Shape> shapes{{5, 6}, {3}};

template <class T, class O>
using Run = OptimizerRun<T, mt::Cpu, O>;

const mt::Cpu cpu{{.threads = 1}};

/// Largest error of the average against Σ weight·p over the parameters of all steps, `weight(i, t)` being that of step
/// i among t.
template <class T, class O, class Weight>
double average_error(const mt::EMA<O>& ema, int steps, const Weight& weight) {
  Run<T, mt::EMA<O>> run(cpu, ema, shapes);
  Run<T, O> alone(cpu, ema.optimizer, shapes);
  std::vector<std::vector<T>> history;
  for (int t = 0; t < steps; ++t) {
    run.fixture_steps(1);
    alone.fixture_steps(1);
    history.push_back(alone.parameters());
    CHECK(test::same_bits(run.parameters(), alone.parameters()));
  }
  std::vector<double> wanted(history[0].size());
  for (int i = 1; i <= steps; ++i) {
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      wanted[k] += weight(i, steps) * static_cast<double>(history[static_cast<std::size_t>(i - 1)][k]);
    }
  }
  const std::vector<T> slab = run.moment(ema.averaged_moment());
  std::vector<T> got;
  for (const auto& t : run.tensors()) {
    for (std::size_t k = 0; k < t.size(); ++k) got.push_back(slab[t.offset + k]);
  }
  return test::worst_error(got, wanted);
}

}  // namespace

TEST_CASE("EMA is the weighted mean of the parameters after each step") {
  for (const int steps : {1, 2, 7, 100}) {
    CAPTURE(steps);
    const double d = 0.9;
    const auto plain = [&](int i, int t) { return i == 1 ? std::pow(d, t - 1) : (1 - d) * std::pow(d, t - i); };
    const auto corrected = [&](int i, int t) { return (1 - d) * std::pow(d, t - i) / (1 - std::pow(d, t)); };
    const mt::EMA<mt::SGD> sgd{.optimizer = {.learning_rate = 0.05, .momentum = 0.9}, .decay = d};
    const mt::EMA<mt::AdamW> adamw{.optimizer = {.learning_rate = 0.1}, .decay = d, .bias_correction = true};
    CHECK(average_error<double>(sgd, steps, plain) < 1e-12);
    CHECK(average_error<float>(sgd, steps, plain) < 2e-6);
    CHECK(average_error<double>(adamw, steps, corrected) < 1e-12);
    CHECK(average_error<float>(adamw, steps, corrected) < 2e-6);
  }
}

TEST_CASE("EMA of parameters that stay is those parameters, to the bit") {
  for (const double decay : {0.0, 0.5, 0.9, 0.9999}) {
    const mt::EMA<mt::SGD> ema{.optimizer = {.learning_rate = 0}, .decay = decay};
    Run<float, mt::EMA<mt::SGD>> run(cpu, ema, shapes);
    run.fixture_steps(1);
    const auto first = run.everything();
    run.fixture_steps(50);
    CAPTURE(decay);
    CHECK(test::same_bits(run.everything(), first));
  }
}

TEST_CASE("Lookahead steps k times forward and once back") {
  // By hand: SGD with momentum in double, whose buffer stays as it is.
  const mt::Lookahead<mt::SGD> optimizer{.optimizer = {.learning_rate = 0.05, .momentum = 0.9}, .k = 3, .alpha = 0.25};
  Run<double, mt::Lookahead<mt::SGD>> run(cpu, optimizer, shapes);
  std::vector<double> p = run.parameters(), b(p.size()), slow = p;
  for (int t = 1; t <= 20; ++t) {
    run.fixture_steps(1);
    for (std::size_t i = 0; i < p.size(); ++i) {
      b[i] = 0.9 * b[i] + fixture::gradient(static_cast<int>(i), t);
      p[i] -= 0.05 * b[i];
      if (t % 3 == 0) p[i] = slow[i] += 0.25 * (p[i] - slow[i]);
    }
    CAPTURE(t);
    CHECK(test::worst_error(run.parameters(), p) < 1e-13);
  }
  // Slow weights that follow at once, at every step, change nothing.
  Run<float, mt::Lookahead<mt::AdamW>> follows(cpu, {.optimizer = {}, .k = 1, .alpha = 1}, shapes);
  Run<float, mt::AdamW> alone(cpu, {}, shapes);
  follows.fixture_steps(10);
  alone.fixture_steps(10);
  CHECK(test::same_bits(follows.parameters(), alone.parameters()));
}

TEST_CASE("EMA and Lookahead keep every size, thread and instruction set to the same bits", "[exactness][threads]") {
  test::check_sizes(mt::EMA<mt::AdamW>{.bias_correction = true});
  test::check_sizes(mt::Lookahead<mt::RMSprop>{.k = 2});
}

TEST_CASE("Options of EMA and Lookahead outside their range are refused, each by name") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double bad : {nan, -0.1, 1.0, 2.0}) {
    test::check_refused(mt::EMA<mt::SGD>{.decay = bad}, "EMA: decay is");
  }
  for (const double bad : {nan, -0.1, 0.0, 1.1}) {
    test::check_refused(mt::Lookahead<mt::SGD>{.alpha = bad}, "Lookahead: alpha is");
  }
  test::check_refused(mt::Lookahead<mt::SGD>{.k = 0}, "Lookahead: k is 0");
  test::check_refused(mt::EMA<mt::SGD>{.optimizer = {.learning_rate = -1}}, "SGD: learning_rate is -1");
  test::check_refused(mt::Lookahead<mt::SGD>{.optimizer = {.momentum = -1}}, "SGD: momentum is -1");
}

TEST_CASE("EMA and Lookahead name, count and save their slab") {
  const mt::EMA<mt::AdamW> ema{};
  CHECK(ema.moments() == 3);
  CHECK(ema.averaged_moment() == 2);
  CHECK(ema.moment_name(1) == "exp_avg_sq");
  CHECK(ema.moment_name(2) == "ema");
  CHECK(ema.name() == "EMA of AdamW");
  const mt::EMA<mt::Lookahead<mt::SGD>> both{.optimizer = {.optimizer = {.momentum = 0.9}}};
  CHECK(both.moments() == 3);
  CHECK(both.moment_name(1) == "slow");
  CHECK(test::state_bytes_of(ema) == 3 * test::slab_bytes());
  CHECK(test::state_bytes_of(mt::Lookahead<mt::SGD>{}) == test::slab_bytes());
  test::check_state_file(ema);
  test::check_state_file(mt::Lookahead<mt::SGD>{.optimizer = {.learning_rate = 0.05, .momentum = 0.9}, .k = 4});
  test::check_state_file(both);
  test::check_state_file(mt::without_decay_on_biases(ema));
  const mt::UpdateRuleOf<mt::EMA<mt::AdamW>, float, mt::Cpu> rule(ema);
  CHECK(rule.averaged_moment() == 2);
  CHECK(rule.replayable());
  CHECK_FALSE(mt::UpdateRuleOf<mt::SGD, float, mt::Cpu>(mt::SGD{}).averaged_moment().has_value());
}
