// Schedules: the rates of PyTorch's, the ends exact, options outside their range refused.

#include <minitrain/optim/schedules.hpp>

#include <cmath>
#include <limits>
#include <span>

#include "optim/pytorch_schedules.hpp"
#include "support/catch.hpp"

namespace mt = minitrain;
using test::ContainsSubstring;

namespace {

void check_rates(const mt::Schedule& schedule, std::span<const double> rates) {
  INFO(schedule.name());
  for (std::size_t step = 0; step < rates.size(); ++step) {
    INFO("step " << step);
    CHECK(std::abs(schedule.factor(step) - rates[step]) <= 1e-13 * rates[step]);
  }
}

}  // namespace

TEST_CASE("schedules have the rates of PyTorch", "[optim]") {
  check_rates(mt::StepDecay{.every = 7, .factor_of_step = 0.3}, fixture::step_decay);
  check_rates(mt::StepDecay{.at = {3, 10, 10, 25}, .factor_of_step = 0.5}, fixture::multi_step);
  check_rates(mt::ExponentialDecay{.half_life = 6.5}, fixture::exponential);
  check_rates(mt::LinearDecay{.steps = 16, .last = 0.125}, fixture::linear);
  check_rates(mt::CosineDecay{.steps = 40, .last = 0.05}, fixture::cosine);
  check_rates(mt::CosineDecay{.steps = 9, .last = 0.05, .restarts = true}, fixture::restarts);
  check_rates(mt::CosineDecay{.steps = 5, .restarts = true, .growth = 2}, fixture::growing);
  check_rates(mt::OneCycle{.steps = 40}, fixture::one_cycle);
  check_rates(mt::Warmup{.steps = 6, .from = 0.25, .then = mt::CosineDecay{.steps = 100}}, fixture::warm_up);
}

TEST_CASE("the curves of schedules are those of the mathematics library", "[optim]") {
  constexpr double pi = 3.14159265358979323846;
  for (int i = 0; i <= 1000; ++i) {
    const double x = i / 1000.0;
    CHECK(std::abs(mt::detail::half_cosine(x) - (1 + std::cos(pi * x)) / 2) < 3e-16);
    CHECK(std::abs(mt::detail::half_to_the(10 * x) * std::exp2(10 * x) - 1) < 4e-16);
  }
  CHECK(mt::detail::half_cosine(0) == 1);
  CHECK(mt::detail::half_cosine(1) == 0);
  CHECK(std::abs(mt::detail::half_cosine(0.5) - 0.5) < 2e-16);
  CHECK(mt::detail::half_to_the(0) == 1);
  CHECK(mt::detail::half_to_the(3) == 0.125);
  CHECK(mt::detail::half_to_the(1e300) == 0);
}

TEST_CASE("schedules end exactly where they say, and stay there", "[optim]") {
  const std::size_t late = std::numeric_limits<std::size_t>::max();
  for (const mt::Schedule& schedule :
       {mt::Schedule(mt::LinearDecay{.steps = 10, .last = 0.1}),
        mt::Schedule(mt::CosineDecay{.steps = 10, .last = 0.1}),
        mt::Schedule(mt::Warmup{.steps = 3, .then = mt::LinearDecay{.steps = 7, .last = 0.1}})}) {
    INFO(schedule.name());
    CHECK(schedule.factor(10) == 0.1);
    CHECK(schedule.factor(11) == 0.1);
    CHECK(schedule.factor(late) == 0.1);
    CHECK_FALSE(schedule.is_constant());
  }
  CHECK(mt::Schedule().factor(late) == 1);
  CHECK(mt::Schedule().is_constant());
  CHECK(mt::Schedule(mt::OneCycle{.steps = 10}).factor(late) == mt::Schedule(mt::OneCycle{.steps = 10}).factor(9));
  CHECK(mt::Schedule(mt::StepDecay{.every = 2}).factor(late) == 0);
  CHECK(mt::Schedule(mt::StepDecay{.every = 1, .factor_of_step = 1}).factor(late) == 1);
  CHECK(mt::Schedule(mt::CosineDecay{.steps = 3, .restarts = true, .growth = 7}).factor(late) >= 0);
  CHECK(mt::Schedule(mt::Warmup{.steps = 4}).factor(0) == 0);
  CHECK(mt::Schedule(mt::Warmup{.steps = 4}).factor(4) == 1);
}

TEST_CASE("a schedule of one's own is a struct", "[optim]") {
  struct Halving {
    void check() const {}
    std::string name() const { return "halved"; }
    double factor(std::size_t step) const { return step < 2 ? 1.0 : 0.5; }
  };
  const mt::Schedule schedule = Halving{};
  CHECK(schedule.factor(1) == 1.0);
  CHECK(schedule.factor(2) == 0.5);
  CHECK(schedule.name() == "halved");
}

TEST_CASE("options of schedules outside their range are refused", "[optim][bad input]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [](const auto& spec) { CHECK_THROWS_AS(mt::Schedule(spec), mt::OptionError); };
  refused(mt::StepDecay{});
  refused(mt::StepDecay{.every = 3, .at = {1}});
  refused(mt::StepDecay{.at = {3, 1}});
  refused(mt::StepDecay{.every = 3, .factor_of_step = 1.5});
  refused(mt::StepDecay{.every = 3, .factor_of_step = nan});
  refused(mt::ExponentialDecay{});
  refused(mt::ExponentialDecay{.half_life = nan});
  refused(mt::ExponentialDecay{.half_life = -1});
  refused(mt::LinearDecay{});
  refused(mt::LinearDecay{.steps = 3, .last = -0.1});
  refused(mt::CosineDecay{});
  refused(mt::CosineDecay{.steps = 3, .last = nan});
  refused(mt::CosineDecay{.steps = 3, .growth = 0});
  refused(mt::OneCycle{.steps = 1});
  refused(mt::OneCycle{.steps = 10, .rise = 1});
  refused(mt::OneCycle{.steps = 10, .first_divisor = 0.5});
  refused(mt::OneCycle{.steps = 10, .last_divisor = nan});
  refused(mt::Warmup{});
  refused(mt::Warmup{.steps = 3, .from = 2});
  CHECK_THROWS_WITH(mt::Schedule(mt::OneCycle{.steps = 10, .rise = 2}), ContainsSubstring("OneCycle: rise is 2"));
}
