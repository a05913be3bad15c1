// LAMB, LARS and Adafactor: against the papers' formulas in double, written tensor by tensor, and against PyTorch where
// it has them.

#include "optim/adaptive_checks.hpp"

#include <minitrain/core/real_power.hpp>

#include <functional>
#include <limits>

namespace mt = minitrain;
using test::OptimizerRun;

namespace {

/// A tensor as the oracles see it.
struct Oracle {
  std::size_t rows, columns;
  bool vector;
  std::vector<double> p, g, m, v;  // v: [elements], or of Adafactor's matrices [rows + columns]
};

double norm(const std::vector<double>& x) {
  double sum = 0;
  for (const double e : x) sum += e * e;
  return std::sqrt(sum);
}
double rms(const std::vector<double>& x) { return norm(x) / std::sqrt(static_cast<double>(x.size())); }

const std::vector<mt::Shape> shapes{{5, 7}, {7}, {7, 1}, {1}, {33, 257}, {257}};

/// Worst error of T's parameters after `steps` against `step(oracle, t)` for each tensor.
template <class T, class O>
double error_of(const O& optimizer, int steps, const std::function<void(Oracle&, int)>& step) {
  OptimizerRun<T, mt::Cpu, O> run(mt::Cpu{{.threads = 1}}, optimizer, shapes);
  const auto begin = run.parameters();
  std::vector<Oracle> oracles;
  std::size_t at = 0;
  for (const auto& t : run.tensors()) {
    Oracle o{t.rows, t.columns, t.is_vector(), {}, {}, {}, {}};
    for (std::size_t i = 0; i < t.size(); ++i) o.p.push_back(static_cast<double>(begin[at++]));
    o.m.resize(t.size());
    o.v.resize(t.size() + t.rows + t.columns);
    oracles.push_back(o);
  }
  run.fixture_steps(steps);
  for (int t = 1; t <= steps; ++t) {
    int n = 0;
    for (Oracle& o : oracles) {
      o.g.clear();
      for (std::size_t i = 0; i < o.p.size(); ++i, ++n) o.g.push_back(fixture::gradient(n % 33, t + n / 33));
      step(o, t);
    }
  }
  std::vector<double> wanted;
  for (const Oracle& o : oracles) wanted.insert(wanted.end(), o.p.begin(), o.p.end());
  return test::worst_error(run.parameters(), wanted);
}

void lamb_step(const mt::LAMB& o, Oracle& x, int t) {
  std::vector<double> u;
  for (std::size_t i = 0; i < x.p.size(); ++i) {
    x.m[i] = o.beta1 * x.m[i] + (1 - o.beta1) * x.g[i];
    x.v[i] = o.beta2 * x.v[i] + (1 - o.beta2) * x.g[i] * x.g[i];
    const double mean = x.m[i] / (1 - std::pow(o.beta1, t)), square = x.v[i] / (1 - std::pow(o.beta2, t));
    u.push_back(mean / (std::sqrt(square) + o.epsilon) + o.weight_decay * x.p[i]);
  }
  const bool adapts = (o.adapt_biases || !x.vector) && norm(x.p) > 0 && norm(u) > 0;
  const double ratio = adapts ? norm(x.p) / norm(u) : 1;
  for (std::size_t i = 0; i < x.p.size(); ++i) x.p[i] -= o.learning_rate * ratio * u[i];
}

void lars_step(const mt::LARS& o, Oracle& x, int) {
  const double p = norm(x.p), g = norm(x.g);
  const bool adapts = (o.adapt_biases || !x.vector) && p > 0 && g > 0;
  const double ratio = adapts ? o.trust_coefficient * p / (g + o.weight_decay * p + o.epsilon) : 1;
  for (std::size_t i = 0; i < x.p.size(); ++i) {
    const double step = o.learning_rate * ratio * (x.g[i] + o.weight_decay * x.p[i]);
    x.m[i] = o.momentum * x.m[i] + step;
    x.p[i] -= o.nesterov ? step + o.momentum * x.m[i] : x.m[i];
  }
}

/// Algorithms 4 and 5 of the paper (section 9), with the momentum of section 8.
void adafactor_step(const mt::Adafactor& o, Oracle& x, int t) {
  const double beta2 = 1 - std::pow(t, o.beta2_decay);
  double rho = o.relative_step ? std::min(o.learning_rate, 1 / std::sqrt(t)) : o.learning_rate;
  if (o.warmup_init) rho = std::min(rho, 1e-6 * t);
  const double alpha = (o.scale_parameter ? std::max(o.epsilon2, rms(x.p)) : 1) * rho;
  std::vector<double> u(x.p.size());
  if (x.vector) {
    for (std::size_t i = 0; i < u.size(); ++i) {
      x.v[i] = beta2 * x.v[i] + (1 - beta2) * (x.g[i] * x.g[i] + o.epsilon1);
      u[i] = x.g[i] / std::sqrt(x.v[i]);
    }
  } else {
    double *const R = x.v.data(), *const C = R + x.rows, sum = 0;
    for (std::size_t i = 0; i < x.rows; ++i) {
      double mean = 0;
      for (std::size_t j = 0; j < x.columns; ++j) mean += std::pow(x.g[i * x.columns + j], 2) + o.epsilon1;
      R[i] = beta2 * R[i] + (1 - beta2) * mean / static_cast<double>(x.columns);
      sum += R[i];
    }
    for (std::size_t j = 0; j < x.columns; ++j) {
      double mean = 0;
      for (std::size_t i = 0; i < x.rows; ++i) mean += std::pow(x.g[i * x.columns + j], 2) + o.epsilon1;
      C[j] = beta2 * C[j] + (1 - beta2) * mean / static_cast<double>(x.rows);
    }
    for (std::size_t i = 0; i < u.size(); ++i) {
      u[i] = x.g[i] / std::sqrt(R[i / x.columns] * C[i % x.columns] / (sum / static_cast<double>(x.rows)));
    }
  }
  const double shrink = std::max(1.0, rms(u) / o.clip_threshold);
  for (std::size_t i = 0; i < u.size(); ++i) {
    x.m[i] = o.beta1 * x.m[i] + (1 - o.beta1) * alpha * u[i] / shrink;
    x.p[i] = x.p[i] * (1 - o.learning_rate * o.weight_decay) - x.m[i];
  }
}

template <class O, class Step>
void check_formula(const O& optimizer, const Step& step, double float_tolerance = 5e-6) {
  const std::function<void(Oracle&, int)> f = [&](Oracle& x, int t) { step(optimizer, x, t); };
  CHECK(error_of<double>(optimizer, 100, f) < 1e-12);
  CHECK(error_of<float>(optimizer, 100, f) < float_tolerance);
}

}  // namespace

TEST_CASE("LAMB steps as the paper says") {
  check_formula(mt::LAMB{}, lamb_step);
  check_formula(mt::LAMB{.learning_rate = 0.01, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.1},
                lamb_step);
  check_formula(mt::LAMB{.weight_decay = 0, .adapt_biases = false}, lamb_step);
}

TEST_CASE("LARS steps as the paper says") {
  check_formula(mt::LARS{}, lars_step);
  check_formula(mt::LARS{.learning_rate = 1, .momentum = 0, .trust_coefficient = 0.01, .weight_decay = 0.1}, lars_step);
  check_formula(mt::LARS{.epsilon = 0.1, .weight_decay = 1e-3, .nesterov = true}, lars_step);
  check_formula(mt::LARS{.learning_rate = 0.01, .adapt_biases = false}, lars_step);
}

TEST_CASE("Adafactor steps as the paper says") {
  check_formula(mt::Adafactor{}, adafactor_step);
  check_formula(mt::Adafactor{.clip_threshold = 0.5, .beta1 = 0.9}, adafactor_step);
  check_formula(mt::Adafactor{.learning_rate = 0.01, .relative_step = false, .scale_parameter = false}, adafactor_step);
  check_formula(
      mt::Adafactor{.learning_rate = 0.1, .beta2_decay = -0.5, .epsilon1 = 1e-3, .epsilon2 = 1, .weight_decay = 0.1},
      adafactor_step);
  check_formula(mt::Adafactor{.learning_rate = 1, .warmup_init = true}, adafactor_step);
}

TEST_CASE("Adafactor takes PyTorch's steps") {
  test::check_fixture(mt::Adafactor{}, fixture::adafactor);
  test::check_fixture(
      mt::Adafactor{
          .learning_rate = 0.5, .beta2_decay = -0.6, .epsilon2 = 0.5, .clip_threshold = 1.25, .weight_decay = 0.1},
      fixture::adafactor_all);
}

TEST_CASE("LAMB, LARS and Adafactor give every size, thread and instruction set the same bits",
          "[exactness][threads]") {
  test::check_sizes(mt::LAMB{.weight_decay = 0.1});
  test::check_sizes(mt::LAMB{.adapt_biases = false});
  test::check_sizes(mt::LARS{.weight_decay = 0.1, .nesterov = true});
  test::check_sizes(mt::LARS{.momentum = 0, .adapt_biases = false});
  test::check_sizes(mt::Adafactor{.beta1 = 0.5, .weight_decay = 0.1});
  test::check_sizes(mt::groups(mt::Adafactor{}, {{.vectors_only = true, .learning_rate_factor = 0.5}}));
}

TEST_CASE("Groups reach optimizers that look at tensors") {
  // The rate of a step is proportional to the factor, and the decay is that of the group.
  const auto moved = [](const auto& optimizer) {
    OptimizerRun<double, mt::Cpu, std::decay_t<decltype(optimizer)>> run(mt::Cpu{{.threads = 1}}, optimizer,
                                                                         {{4, 5}, {5}});
    const auto before = run.parameters();
    run.fixture_steps(1);
    auto after = run.parameters();
    for (std::size_t i = 0; i < after.size(); ++i) after[i] -= before[i];
    return after;
  };
  const auto check = [&](const auto& decaying, const auto& plain) {
    const auto wanted_weight = moved(decaying), wanted_bias = moved(plain);
    const auto got = moved(mt::groups(decaying, {{.match = "bias", .learning_rate_factor = 0.5, .weight_decay = 0.0}}));
    for (std::size_t i = 0; i < got.size(); ++i) {
      CAPTURE(i, decaying.name());
      CHECK(got[i] == test::Approx(i < 20 ? wanted_weight[i] : 0.5 * wanted_bias[i]).epsilon(1e-9));
    }
  };
  check(mt::LAMB{.weight_decay = 0.5}, mt::LAMB{.weight_decay = 0});
  check(mt::LARS{.weight_decay = 0.5}, mt::LARS{.weight_decay = 0});
  check(mt::Adafactor{.weight_decay = 0.5}, mt::Adafactor{.weight_decay = 0});
}

TEST_CASE("Tensors and gradients of zeros keep rates and directions finite") {
  const auto run = [](const auto& optimizer, float start, float gradient) {
    const mt::Cpu device{{.threads = 1}};
    const std::size_t count = 16;
    mt::Tensor<float> p({count}), g({count}), m({count}), v({count}), w({count});
    std::fill(p.begin(), p.end(), start);
    std::fill(g.begin(), g.end(), gradient);
    const std::vector<mt::ParameterTensor> tensors{{.name = "w", .rows = 4, .columns = 4, .rank = 2}};
    const mt::View<float> moments[] = {m, v, w};
    optimizer.update(device, mt::UpdateStep<float>{.parameters = p,
                                                   .gradient_sums = g,
                                                   .moments = std::span(moments).first(optimizer.moments()),
                                                   .learning_rate = optimizer.learning_rate,
                                                   .tensors = tensors});
    return p[5];
  };
  for (const float start : {0.0f, 1.0f}) {
    CAPTURE(start);
    CHECK(run(mt::LAMB{.weight_decay = 0}, start, 0) == start);
    CHECK(run(mt::LARS{}, start, 0) == start);
    CHECK(run(mt::Adafactor{}, start, 0) == start);
  }
  CHECK(run(mt::LAMB{}, 0, 1) == test::Approx(-1e-3));       // the ratio is 1
  CHECK(run(mt::LARS{}, 0, 1) == test::Approx(-0.1));        // the ratio is 1
  CHECK(run(mt::Adafactor{}, 0, 1) == test::Approx(-1e-5));  // epsilon2 times the rate
  CHECK(std::isnan(run(mt::LAMB{}, 1, std::numeric_limits<float>::quiet_NaN())));
  CHECK(std::isnan(run(mt::LARS{}, 1, std::numeric_limits<float>::quiet_NaN())));
  CHECK(std::isnan(run(mt::Adafactor{}, 1, std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("LAMB, LARS and Adafactor take the memory of their formulas") {
  CHECK(test::state_bytes_of(mt::LAMB{}) == 2 * test::slab_bytes());
  CHECK(test::state_bytes_of(mt::LARS{}) == test::slab_bytes());
  CHECK(test::state_bytes_of(mt::LARS{.momentum = 0}) == 0);
  // rows + columns of [5, 7] and [7, 3], and the vectors of 7.
  CHECK(test::state_bytes_of(mt::Adafactor{}) == (5 + 7 + 7 + 3 + 3 * 7) * sizeof(float));
  CHECK(test::state_bytes_of(mt::Adafactor{.beta1 = 0.5}) == 43 * sizeof(float) + test::slab_bytes());
  // 4(n + m)/(nm) bytes for each parameter of a matrix.
  const mt::Sequential wide{mt::Dense{784, 512, false}};
  const auto plan = mt::plan(wide, mt::SoftmaxCrossEntropy{}, mt::Adafactor{}, {}, mt::Cpu{{.threads = 1}});
  CHECK(plan.moments == 4 * (784 + 512));
  CHECK(plan.parameters == 4 * 784 * 512);
}

TEST_CASE("LAMB, LARS and Adafactor go on from their files") {
  test::check_state_file(mt::LAMB{.learning_rate = 0.01});
  test::check_state_file(mt::LARS{.learning_rate = 1});
  test::check_state_file(mt::Adafactor{.learning_rate = 0.1});
  test::check_state_file(mt::EMA<mt::Adafactor>{.optimizer = {.learning_rate = 0.1, .beta1 = 0.9}});
  test::check_state_file(mt::without_decay_on_biases(mt::Adafactor{.weight_decay = 0.1}));
}

TEST_CASE("Options of LAMB, LARS and Adafactor outside their range are refused, each by name") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, infinity, -1.0}) {
    test::check_refused(mt::LAMB{.learning_rate = bad}, "LAMB: learning_rate is");
    test::check_refused(mt::LAMB{.beta1 = bad}, "beta1 is");
    test::check_refused(mt::LAMB{.beta2 = bad}, "beta2 is");
    test::check_refused(mt::LAMB{.epsilon = bad}, "epsilon is");
    test::check_refused(mt::LAMB{.weight_decay = bad}, "weight_decay is");
    test::check_refused(mt::LARS{.learning_rate = bad}, "LARS: learning_rate is");
    test::check_refused(mt::LARS{.momentum = bad}, "momentum is");
    test::check_refused(mt::LARS{.trust_coefficient = bad}, "trust_coefficient is");
    test::check_refused(mt::LARS{.epsilon = bad}, "epsilon is");
    test::check_refused(mt::LARS{.weight_decay = bad}, "weight_decay is");
    test::check_refused(mt::Adafactor{.learning_rate = bad}, "Adafactor: learning_rate is");
    test::check_refused(mt::Adafactor{.epsilon1 = bad}, "epsilon1 is");
    test::check_refused(mt::Adafactor{.epsilon2 = bad}, "epsilon2 is");
    test::check_refused(mt::Adafactor{.clip_threshold = bad}, "clip_threshold is");
    test::check_refused(mt::Adafactor{.beta1 = bad}, "beta1 is");
    test::check_refused(mt::Adafactor{.weight_decay = bad}, "weight_decay is");
  }
  test::check_refused(mt::LAMB{.beta1 = 1}, "beta1 is 1");
  test::check_refused(mt::LAMB{.epsilon = 0}, "epsilon is 0");
  test::check_refused(mt::LARS{.momentum = 0, .nesterov = true}, "positive for nesterov");
  test::check_refused(mt::LARS{.trust_coefficient = 0}, "trust_coefficient is 0");
  test::check_refused(mt::Adafactor{.beta2_decay = 0}, "beta2_decay is 0");
  test::check_refused(mt::Adafactor{.beta2_decay = nan}, "beta2_decay is");
  test::check_refused(mt::Adafactor{.epsilon1 = 0}, "epsilon1 is 0");
  test::check_refused(mt::Adafactor{.beta1 = 1}, "beta1 is 1");
}

TEST_CASE("real_power is the power to the last digits") {
  double worst = 0;
  for (const double y : {-0.8, -0.5, -1.0, -2.5, 0.3, 1.0, 0.0}) {
    for (double x = 1; x < 1e12; x *= 1.37) {
      const double wanted = std::pow(x, y), size = 3 + std::abs(y * std::log(x));
      worst = std::max(worst, std::abs(mt::detail::real_power(x, y) - wanted) / wanted / size);
    }
  }
  CHECK(worst * 1e16 < 3);
  CHECK(mt::detail::real_power(1, -0.8) == 1);
  CHECK(mt::detail::real_power(7, 0) == 1);
  CHECK(mt::detail::real_power(1e300, -3) == 0);
}
