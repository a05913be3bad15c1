// Parameter groups: each tensor steps as if it had an optimizer of its own with the options of its group.

#include "optim/optimizer_run.hpp"
#include "support/catch.hpp"

#include <minitrain/trainer.hpp>

#include <limits>

namespace mt = minitrain;
using test::OptimizerRun;

namespace {

const std::vector<mt::Shape> shapes{{4, 5}, {5}, {5, 3}, {3}};

/// The parameters of tensor `which` after the fixture's steps of an optimizer with no groups.
template <class T, class O>
std::vector<T> alone(const O& optimizer, std::size_t which) {
  OptimizerRun<T, mt::Cpu, O> run(mt::Cpu{{.threads = 1}}, optimizer, shapes);
  run.fixture_steps();
  const auto all = run.parameters();
  std::size_t begin = 0;
  for (std::size_t i = 0; i < which; ++i) begin += shapes[i].size();
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
  return {first, first + static_cast<std::ptrdiff_t>(shapes[which].size())};
}

/// Checks that groups(optimizer, list) steps tensor i as of[i] does alone.
template <class T, class O>
void check_groups(const O& optimizer, const std::vector<mt::ParameterGroup>& list, const std::vector<O>& of) {
  const auto grouped = mt::groups(optimizer, list);
  OptimizerRun<T, mt::Cpu, mt::Groups<O>> run(mt::Cpu{{.threads = 1}}, grouped, shapes);
  run.fixture_steps();
  std::vector<T> wanted;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const auto part = alone<T>(of[i], i);
    wanted.insert(wanted.end(), part.begin(), part.end());
  }
  CHECK(test::same_bits(run.parameters(), wanted));
}

}  // namespace

TEMPLATE_TEST_CASE("Groups step each tensor as an optimizer of its own would", "[exactness]", float, double) {
  using T = TestType;
  const mt::AdamW adamw{.learning_rate = 0.5, .weight_decay = 0.25}, no_decay{.learning_rate = 0.5, .weight_decay = 0};
  const mt::AdamW slow{.learning_rate = 0.125, .weight_decay = 0.25}, both{.learning_rate = 0.25, .weight_decay = 0.5};
  check_groups<T, mt::AdamW>(adamw, {}, {adamw, adamw, adamw, adamw});
  check_groups<T, mt::AdamW>(adamw, {{.match = ".bias", .weight_decay = 0.0}}, {adamw, no_decay, adamw, no_decay});
  check_groups<T, mt::AdamW>(adamw, {{.vectors_only = true, .weight_decay = 0.0}}, {adamw, no_decay, adamw, no_decay});
  // The first group that matches is the one.
  check_groups<T, mt::AdamW>(adamw,
                             {{.match = "1.weight", .learning_rate_factor = 0.5, .weight_decay = 0.5},
                              {.match = "1.", .weight_decay = 0.0},
                              {.learning_rate_factor = 0.25}},
                             {slow, slow, both, no_decay});
  const mt::SGD sgd{.learning_rate = 0.05, .momentum = 0.5, .weight_decay = 0.1};
  const mt::SGD fast{.learning_rate = 0.1, .momentum = 0.5, .weight_decay = 0.1};
  check_groups<T, mt::SGD>(sgd, {{.match = "0.", .learning_rate_factor = 2}}, {fast, fast, sgd, sgd});
  check_groups<T, mt::SGD>(sgd, {{.learning_rate_factor = 2}}, {fast, fast, fast, fast});
  const mt::Adam adam{.weight_decay = 0.1}, bare{};
  check_groups<T, mt::Adam>(adam, {{.match = "0.weight", .weight_decay = 0.0}}, {bare, adam, adam, adam});
}

TEST_CASE("A trainer leaves biases without decay when asked") {
  const mt::Sequential model{mt::Dense{5, 4}, mt::LayerNorm{4}, mt::Dense{4, 3}};
  const auto data = mt::synthetic_classification({.samples = 40, .features = 5, .classes = 3, .seed = 2});
  const auto train = [&](const auto& optimizer) {
    mt::Trainer trainer{mt::Cpu{{.threads = 1}},
                        model,
                        mt::SoftmaxCrossEntropy{},
                        optimizer,
                        {.epochs = 1, .batch_size = 40, .seed = 3}};
    trainer.fit(data);
    return trainer.parameters();
  };
  const mt::AdamW decaying{.learning_rate = 0.1, .weight_decay = 0.5}, plain{.learning_rate = 0.1, .weight_decay = 0};
  const auto all = train(decaying), none = train(plain), some = train(mt::without_decay_on_biases(decaying));
  for (std::size_t i = 0; i < some.size(); ++i) {
    const bool weight = i < 20 || (i >= 32 && i < 44);  // after them 4 biases, 8 of layer norm, and 3 biases
    CAPTURE(i);
    CHECK(some[i] == (weight ? all[i] : none[i]));
  }
}

TEST_CASE("Groups that cannot be meant are refused") {
  const auto refused = [](const mt::ParameterGroup& group, const char* part) {
    const mt::Sequential model{mt::Dense{2, 1}};
    try {
      mt::Trainer{mt::Cpu{{.threads = 1}}, model, mt::MeanSquaredError{}, mt::groups(mt::AdamW{}, {group})};
      FAIL_CHECK("not refused");
    } catch (const mt::OptionError& error) {
      CHECK_THAT(error.what(), test::ContainsSubstring(part));
    }
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  refused({.match = "weights"}, "no tensor's name has \"weights\" in it");
  refused({.match = ".weight", .vectors_only = true}, "is a vector's");
  refused({.learning_rate_factor = nan}, "learning_rate_factor is");
  refused({.learning_rate_factor = -1}, "learning_rate_factor is -1");
  refused({.weight_decay = nan}, "weight_decay is");
  refused({.weight_decay = -1}, "weight_decay is -1");
}
