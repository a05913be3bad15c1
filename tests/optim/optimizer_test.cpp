#include "optim/pytorch_fixture.hpp"
#include "support/catch.hpp"

#include <minitrain/cpu/norm.hpp>
#include <minitrain/cpu/optimizer.hpp>
#include <minitrain/optim/adamw.hpp>
#include <minitrain/optim/sgd.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace mt = minitrain;

namespace {

/// Largest error against `wanted` after the fixture's steps, relative to max(1, |wanted|). Gradients are handed over as
/// sums of 8.
template <class T, class O>
double error_after_fixture(const O& optimizer, const T* wanted, double clip_norm) {
  optimizer.check();
  const mt::Cpu device{{.threads = 1}};
  const mt::Shape shape{fixture::count};
  mt::Tensor<T> p(shape), g(shape);
  mt::Tensor<double> squares({1});
  std::vector<mt::Tensor<T>> state;
  std::vector<mt::View<T>> moments;
  for (std::size_t k = 0; k < optimizer.moments(); ++k) state.emplace_back(shape);
  for (auto& tensor : state) moments.push_back(tensor);
  for (int i = 0; i < fixture::count; ++i) p[static_cast<std::size_t>(i)] = T(fixture::start(i));
  for (int t = 1; t <= fixture::steps; ++t) {
    for (int i = 0; i < fixture::count; ++i) g[static_cast<std::size_t>(i)] = T(8 * fixture::gradient(i, t));
    sum_of_squares(device, mt::View<const T>(g.view()), squares.view());
    optimizer.update(device, mt::UpdateStep<T>{.parameters = p,
                                               .gradient_sums = g,
                                               .moments = moments,
                                               .gradient_scale = mt::clipped_gradient_scale(8, squares[0], clip_norm),
                                               .learning_rate = optimizer.learning_rate,
                                               .step = static_cast<std::size_t>(t)});
  }
  double worst = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double error =
        std::abs(static_cast<double>(p[i] - wanted[i])) / std::max(1.0, std::abs(static_cast<double>(wanted[i])));
    worst = error <= worst ? worst : error;  // NaN counts
  }
  return worst;
}

template <class O>
void check_against_pytorch(const O& optimizer, const fixture::Parameters& wanted, double clip_norm = 0) {
  CHECK(error_after_fixture(optimizer, wanted.in_double, clip_norm) < 1e-14 * fixture::steps);
  CHECK(error_after_fixture(optimizer, wanted.in_float, clip_norm) < 1e-6);
}

template <class O>
void check_refused(const O& optimizer, const std::string& part) {
  CAPTURE(part);
  try {
    optimizer.check();
    FAIL_CHECK("not refused");
  } catch (const mt::OptionError& error) {
    CHECK(error.code() == mt::ErrorCode::invalid_argument);
    CHECK_THAT(error.what(), test::ContainsSubstring(part));
    CHECK_THAT(error.what(), test::ContainsSubstring(O::name()));
  }
}

struct SignDescent {
  double learning_rate = 1e-4;
  void check() const {}
  static const char* name() { return "SignDescent"; }
  static std::size_t moments() { return 0; }
  static const char* moment_name(std::size_t) { return ""; }
  template <class T, class Device>
  void update(const Device&, const mt::UpdateStep<T, Device>& step) const {
    for (std::size_t i = 0; i < step.parameters.size(); ++i) {
      const T g = step.gradient_sums[i];
      step.parameters[i] -= T(step.learning_rate) * T((g > 0) - (g < 0));
    }
  }
};

static_assert(mt::OptimizerSpec<SignDescent>);
static_assert(!mt::OptimizerSpec<int>);
static_assert(!mt::OptimizerSpec<mt::SgdRule>);

}  // namespace

TEST_CASE("SGD takes PyTorch's steps") {
  check_against_pytorch(mt::SGD{.learning_rate = 0.05}, fixture::sgd);
  check_against_pytorch(mt::SGD{.learning_rate = 0.05, .weight_decay = 0.1}, fixture::sgd_decay);
  check_against_pytorch(mt::SGD{.learning_rate = 0.05, .momentum = 0.9}, fixture::sgd_momentum);
  check_against_pytorch(mt::SGD{.learning_rate = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01},
                        fixture::sgd_nesterov);
}

TEST_CASE("Adam and AdamW take PyTorch's steps") {
  check_against_pytorch(mt::Adam{}, fixture::adam);
  check_against_pytorch(
      mt::Adam{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.1},
      fixture::adam_decay);
  check_against_pytorch(mt::AdamW{}, fixture::adamw);
  check_against_pytorch(
      mt::AdamW{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.5},
      fixture::adamw_decay);
}

TEST_CASE("Clipped gradients take PyTorch's steps") {
  check_against_pytorch(mt::SGD{.learning_rate = 0.05, .momentum = 0.9}, fixture::sgd_momentum_clipped,
                        fixture::clip_norm);
  check_against_pytorch(
      mt::AdamW{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.5},
      fixture::adamw_clipped, fixture::clip_norm);
}

TEST_CASE("Optimizers name the slabs they need") {
  CHECK(mt::SGD{}.moments() == 0);
  CHECK(mt::SGD{.momentum = 0.5}.moments() == 1);
  CHECK(mt::SGD::moment_name(0) == std::string("momentum_buffer"));
  CHECK(mt::Adam::moments() == 2);
  CHECK(mt::AdamW::moments() == 2);
  CHECK(mt::Adam::moment_name(0) == std::string("exp_avg"));
  CHECK(mt::AdamW::moment_name(1) == std::string("exp_avg_sq"));
}

TEST_CASE("Options outside their range are refused, each by name") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, infinity, -1.0}) {
    check_refused(mt::SGD{.learning_rate = bad}, "learning_rate is");
    check_refused(mt::SGD{.momentum = bad}, "momentum is");
    check_refused(mt::SGD{.weight_decay = bad}, "weight_decay is");
    check_refused(mt::Adam{.learning_rate = bad}, "learning_rate is");
    check_refused(mt::Adam{.beta1 = bad}, "beta1 is");
    check_refused(mt::Adam{.beta2 = bad}, "beta2 is");
    check_refused(mt::Adam{.epsilon = bad}, "epsilon is");
    check_refused(mt::Adam{.weight_decay = bad}, "weight_decay is");
    check_refused(mt::AdamW{.learning_rate = bad}, "learning_rate is");
    check_refused(mt::AdamW{.weight_decay = bad}, "weight_decay is");
  }
  check_refused(mt::SGD{.nesterov = true}, "positive for nesterov");
  check_refused(mt::Adam{.beta1 = 1}, "beta1 is 1, but it must be in [0, 1)");
  check_refused(mt::AdamW{.beta2 = 1}, "beta2 is 1, but it must be in [0, 1)");
  check_refused(mt::AdamW{.epsilon = 0}, "epsilon is 0, but it must be finite and positive");
  CHECK_NOTHROW(mt::SGD{.learning_rate = 0}.check());
  CHECK_NOTHROW(mt::Adam{.beta1 = 0, .beta2 = 0}.check());
  CHECK_NOTHROW(mt::AdamW{.weight_decay = 0}.check());
}
