// RMSprop, Adagrad and groups against PyTorch; what their options may be; sizes, threads and instruction sets.

#include "optim/adaptive_checks.hpp"

#include <minitrain/trainer.hpp>

#include <limits>

namespace mt = minitrain;

TEST_CASE("RMSprop takes PyTorch's steps") {
  test::check_fixture(mt::RMSprop{}, fixture::rmsprop);
  test::check_fixture(mt::RMSprop{.learning_rate = 0.02, .alpha = 0.9, .epsilon = 1e-3, .weight_decay = 0.1},
                      fixture::rmsprop_decay);
  test::check_fixture(mt::RMSprop{.momentum = 0.9, .weight_decay = 0.1}, fixture::rmsprop_momentum);
  test::check_fixture(mt::RMSprop{.alpha = 0.9, .epsilon = 1e-3, .centered = true}, fixture::rmsprop_centered);
  test::check_fixture(
      mt::RMSprop{.alpha = 0.95, .epsilon = 1e-2, .momentum = 0.5, .centered = true, .weight_decay = 0.01},
      fixture::rmsprop_all);
}

TEST_CASE("Adagrad takes PyTorch's steps") {
  test::check_fixture(mt::Adagrad{}, fixture::adagrad);
  test::check_fixture(mt::Adagrad{.learning_rate = 0.1,
                                  .lr_decay = 0.05,
                                  .initial_accumulator_value = 0.5,
                                  .epsilon = 1e-3,
                                  .weight_decay = 0.1},
                      fixture::adagrad_all);
}

TEST_CASE("Groups are PyTorch's parameter groups") {
  test::check_fixture(mt::groups(mt::AdamW{.learning_rate = 0.02, .weight_decay = 0.5},
                                 {{.vectors_only = true, .learning_rate_factor = 3, .weight_decay = 0.0}}),
                      fixture::groups);
}

TEST_CASE("RMSprop and Adagrad keep every size, thread and instruction set to the same bits", "[exactness][threads]") {
  test::check_sizes(mt::RMSprop{.momentum = 0.5, .centered = true, .weight_decay = 0.01});
  test::check_sizes(mt::RMSprop{});
  test::check_sizes(mt::Adagrad{.lr_decay = 0.1, .initial_accumulator_value = 0.1, .weight_decay = 0.1});
  test::check_sizes(mt::groups(mt::RMSprop{}, {{.vectors_only = true, .learning_rate_factor = 0.5}}));
}

TEST_CASE("Options of RMSprop and Adagrad outside their range are refused, each by name") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, infinity, -1.0}) {
    test::check_refused(mt::RMSprop{.learning_rate = bad}, "RMSprop: learning_rate is");
    test::check_refused(mt::RMSprop{.alpha = bad}, "alpha is");
    test::check_refused(mt::RMSprop{.epsilon = bad}, "epsilon is");
    test::check_refused(mt::RMSprop{.momentum = bad}, "momentum is");
    test::check_refused(mt::RMSprop{.weight_decay = bad}, "weight_decay is");
    test::check_refused(mt::Adagrad{.learning_rate = bad}, "Adagrad: learning_rate is");
    test::check_refused(mt::Adagrad{.lr_decay = bad}, "lr_decay is");
    test::check_refused(mt::Adagrad{.initial_accumulator_value = bad}, "initial_accumulator_value is");
    test::check_refused(mt::Adagrad{.epsilon = bad}, "epsilon is");
    test::check_refused(mt::Adagrad{.weight_decay = bad}, "weight_decay is");
  }
  test::check_refused(mt::RMSprop{.alpha = 1}, "alpha is 1, but it must be in [0, 1)");
  test::check_refused(mt::RMSprop{.epsilon = 0}, "epsilon is 0");
  test::check_refused(mt::Adagrad{.epsilon = 0}, "epsilon is 0");
}

TEST_CASE("RMSprop and Adagrad stay defined where gradients vanish or overflow") {
  const auto after = [](const auto& optimizer, float gradient, int steps) {
    test::OptimizerRun<float, mt::Cpu, std::decay_t<decltype(optimizer)>> run(mt::Cpu{{.threads = 1}}, optimizer,
                                                                              {{3}});
    for (int t = 0; t < steps; ++t) run.step([&](std::size_t) { return gradient; });
    return run.parameters()[0];
  };
  CHECK(after(mt::RMSprop{}, 0, 3) == -2);                   // 0 / (0 + epsilon)
  CHECK(after(mt::RMSprop{.epsilon = 1e-300}, 0, 3) == -2);  // even for an epsilon that float cannot hold
  CHECK(after(mt::Adagrad{.epsilon = 1e-300}, 0, 3) == -2);
  CHECK(after(mt::RMSprop{}, 1e30f, 1) == -2);               // v is infinite
  CHECK(after(mt::RMSprop{.centered = true}, 1, 400) < -2);  // v - m² is 0 but for rounding
  CHECK(std::isfinite(after(mt::RMSprop{.centered = true}, 0.3f, 3000)));
  CHECK(std::isnan(after(mt::RMSprop{.centered = true}, std::numeric_limits<float>::quiet_NaN(), 1)));
  CHECK(std::isnan(after(mt::Adagrad{}, std::numeric_limits<float>::quiet_NaN(), 1)));
}

TEST_CASE("RMSprop and Adagrad keep the state that their options need") {
  CHECK(mt::RMSprop{}.moments() == 1);
  CHECK(mt::RMSprop{.centered = true}.moments() == 2);
  CHECK(mt::RMSprop{.centered = true}.moment_name(1) == std::string("grad_avg"));
  CHECK(mt::RMSprop{.momentum = 0.5}.moment_name(1) == std::string("momentum_buffer"));
  CHECK(mt::RMSprop{.momentum = 0.5, .centered = true}.moment_name(2) == std::string("grad_avg"));
  test::check_state_file(mt::RMSprop{.momentum = 0.5, .centered = true});
  test::check_state_file(mt::Adagrad{.initial_accumulator_value = 0.1});
  test::check_state_file(mt::without_decay_on_biases(mt::AdamW{}));
  CHECK(test::state_bytes_of(mt::RMSprop{.momentum = 0.5}) == 2 * test::slab_bytes());
  CHECK(test::state_bytes_of(mt::Adagrad{}) == test::slab_bytes());
}
