// Models: shapes followed through the layers, what a wrong one is told, and what a description says.

#include <minitrain/trainer.hpp>

#include "support/catch.hpp"

namespace mt = minitrain;
using test::ContainsSubstring;

TEST_CASE("a wrong width is reported when the model is put together", "[nn]") {
  const mt::Sequential model{mt::Dense{784, 32}, mt::ReLU{}, mt::Dense{33, 2}};
  CHECK_THROWS_AS(mt::describe(model), mt::ShapeError);
  CHECK_THROWS_WITH(mt::describe(model), ContainsSubstring("Dense{33, 2}: input has 32 columns, wanted 33"));
  CHECK_THROWS_WITH(mt::describe(mt::Sequential{mt::Dense{4, 8}, mt::LayerNorm{7}}),
                    ContainsSubstring("LayerNorm{7}: input has 8 columns"));
}

TEST_CASE("a model must fix its input width and have layers of at least one column", "[nn]") {
  CHECK_THROWS_WITH(mt::describe(mt::Sequential{mt::ReLU{}}), ContainsSubstring("begin with a Dense layer"));
  CHECK_THROWS_WITH(mt::describe(mt::Mlp{}), ContainsSubstring("give at least two"));
  CHECK_THROWS_AS(mt::describe(mt::Sequential{mt::Dense{3, 0}}), mt::ShapeError);
  CHECK_THROWS_AS(mt::describe(mt::Sequential{mt::Dense{0, 3}, mt::Dense{3, 1}}), mt::ShapeError);
}

TEST_CASE("hyper-parameters of layers outside their range are refused", "[nn]") {
  CHECK_THROWS_AS(mt::LeakyReLU{-0.1}, mt::OptionError);
  CHECK_THROWS_AS(mt::LeakyReLU{std::numeric_limits<double>::quiet_NaN()}, mt::OptionError);
  for (const double p : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(mt::describe(mt::Sequential{mt::Dense{3, 3}, mt::Dropout{p}}), mt::OptionError);
  }
  CHECK_THROWS_AS(mt::describe(mt::Sequential{mt::LayerNorm{3, 0.0}}), mt::OptionError);
}

TEST_CASE("a description counts parameters, FLOPs and activations", "[nn]") {
  const auto d = mt::describe(
      mt::Sequential{mt::Dropout{0.1}, mt::Dense{784, 128}, mt::ReLU{}, mt::LayerNorm{128}, mt::Dense{128, 10, false}});
  CHECK(d.input_columns() == 784);
  CHECK(d.output_columns() == 10);
  CHECK(d.parameter_count() == 784 * 128 + 128 + 2 * 128 + 128 * 10);
  CHECK(d.layers[1].forward_flops == 2.0 * 784 * 128);
  CHECK(d.activations() == 784 + 128 + 128 + (128 + 2) + 10);
  const std::string text = mt::summary(mt::Sequential{mt::Dense{784, 128}, mt::ReLU{}, mt::Dense{128, 10}});
  CHECK_THAT(text, ContainsSubstring("Dense{784, 128}"));
  CHECK_THAT(text, ContainsSubstring("101770"));
  CHECK_THAT(text, ContainsSubstring("ReLU"));
}

TEST_CASE("an Mlp is the Sequential it stands for, bit for bit", "[nn]") {
  const mt::Cpu device{{.threads = 1}};
  const mt::Network<float, mt::Cpu> a(device, mt::Mlp{.widths = {5, 17, 3}, .activation = {mt::ActivationKind::tanh}},
                                      9);
  const mt::Network<float, mt::Cpu> b(device, mt::Sequential{mt::Dense{5, 17}, mt::Tanh{}, mt::Dense{17, 3}}, 9);
  REQUIRE(a.list().size() == b.list().size());
  for (std::size_t i = 0; i < a.list().size(); ++i) CHECK(a.list()[i].name == b.list()[i].name);
  CHECK(a.list()[2].name == "2.weight");
  CHECK(a.parameters() == b.parameters());
}

TEST_CASE("an activation after Dense is fused, and only then", "[nn]") {
  const mt::Cpu device{{.threads = 1}};
  const auto stages = [&](const auto& model) { return mt::Network<float, mt::Cpu>(device, model, 1).stages(); };
  const mt::Dense d{4, 4};
  CHECK(stages(mt::Sequential{d, mt::ReLU{}, d}) == 2);
  CHECK(stages(mt::Sequential{d, mt::Tanh{}, d, mt::Sigmoid{}}) == 2);
  CHECK(stages(mt::Sequential{d, mt::GELU{}, d}) == 3);
  CHECK(stages(mt::Sequential{d, mt::ReLU{}, mt::ReLU{}, d}) == 3);
  CHECK(stages(mt::Sequential{d, mt::Dropout{0.1}, mt::ReLU{}, d}) == 4);
}
