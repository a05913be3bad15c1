// The trainer: what it learns, what it refuses, and that a refusal changes nothing.

#include <minitrain/trainer.hpp>

#include <cmath>
#include <cstdio>
#include <limits>

#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/errors.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::code_of, test::ContainsSubstring, test::labelled;

namespace {

const mt::Sequential model{mt::Dense{6, 16}, mt::ReLU{}, mt::Dense{16, 3}};

}  // namespace

TEST_CASE("fit learns, evaluates and tells its history", "[train]") {
  const auto data = labelled(600);
  mt::Trainer trainer{test::device(),
                      model,
                      mt::SoftmaxCrossEntropy{},
                      mt::Adam{.learning_rate = 0.01},
                      {.epochs = 8, .batch_size = 64, .seed = 3}};
  const auto before = trainer.evaluate(data);
  const mt::History history = trainer.fit(data, data);
  const auto after = trainer.evaluate(data);
  CHECK(after.loss < 0.7 * before.loss);
  CHECK(after.accuracy > before.accuracy);
  REQUIRE(history.epochs.size() == 8);
  CHECK(history.steps() == 8 * 10);
  CHECK(trainer.steps() == 80);
  CHECK(trainer.epochs() == 8);
  for (std::size_t e = 0; e < 8; ++e) {
    CHECK(history.epochs[e].epoch == e);
    CHECK(history.epochs[e].training.samples == 600);
    CHECK(history.epochs[e].samples_per_second > 0);
  }
  CHECK(history.epochs.back().validation.loss == after.loss);
  CHECK(history.epochs.back().training.loss < history.epochs.front().training.loss);
  CHECK(trainer.fit(data).epochs.front().epoch == 8);
}

TEST_CASE("the mean loss and accuracy are those of the formula", "[train]") {
  const auto data = labelled(37);
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.batch_size = 5}};
  const mt::Tensor<float> logits = trainer.predict(data);
  double loss = 0, right = 0;
  for (std::size_t i = 0; i < 37; ++i) {
    double sum = 0;
    std::size_t best = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      sum += std::exp(static_cast<double>(logits(i, k)));
      if (logits(i, k) > logits(i, best)) best = k;
    }
    const auto label = static_cast<std::size_t>(data.label(i));
    loss += std::log(sum) - static_cast<double>(logits(i, label));
    right += best == label;
  }
  const auto evaluation = trainer.evaluate(data);
  CHECK(evaluation.samples == 37);
  CHECK(std::abs(evaluation.loss - loss / 37) < 1e-6);
  CHECK(evaluation.accuracy == right / 37);
}

TEST_CASE("a regression has no accuracy", "[train]") {
  const auto data = mt::synthetic_regression({.samples = 50, .features = 6, .seed = 1});
  mt::Trainer trainer{test::device(), mt::Sequential{mt::Dense{6, 1}}, mt::MeanSquaredError{}, mt::SGD{}};
  CHECK(std::isnan(trainer.evaluate(data).accuracy));
  CHECK(std::isfinite(trainer.evaluate(data).loss));
}

TEST_CASE("update without samples does nothing", "[train]") {
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::Adam{}};
  const auto before = trainer.parameters();
  CHECK(trainer.update().samples == 0);
  CHECK(trainer.steps() == 0);
  CHECK(trainer.parameters() == before);
}

TEST_CASE("options outside their range are refused when the trainer is built", "[train][bad input]") {
  const auto build = [](const mt::TrainerOptions& options) {
    mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, options};
  };
  CHECK_THROWS_WITH(build({.batch_size = 0}), ContainsSubstring("batch_size is 0"));
  CHECK_THROWS_AS(build({.epochs = 0}), mt::OptionError);
  CHECK_THROWS_WITH(build({.clip_norm = -1}), ContainsSubstring("clip_norm is -1"));
  CHECK_THROWS_AS(build({.clip_norm = std::numeric_limits<double>::quiet_NaN()}), mt::OptionError);
  CHECK_THROWS_AS(build({.clip_norm = std::numeric_limits<double>::infinity()}), mt::OptionError);
  CHECK_THROWS_AS(build({.batch_size = static_cast<std::size_t>(-4)}), mt::OptionError);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto with = [](const auto& optimizer) {
    mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, optimizer};
  };
  CHECK_THROWS_AS(with(mt::SGD{.learning_rate = nan}), mt::OptionError);
  CHECK_THROWS_AS(with(mt::Adam{.beta1 = 1.0}), mt::OptionError);
  CHECK_THROWS_AS(with(mt::AdamW{.weight_decay = -1}), mt::OptionError);
}

TEST_CASE("a loss that does not fit the model is refused when the trainer is built", "[train][bad input]") {
  const auto build = [](const auto& m, const auto& loss) { mt::Trainer trainer{test::device(), m, loss, mt::SGD{}}; };
  CHECK_THROWS_AS(build(mt::Sequential{mt::Dense{3, 1}}, mt::SoftmaxCrossEntropy{}), mt::ShapeError);
  CHECK_THROWS_AS(build(model, mt::SoftmaxCrossEntropy{.class_weights = {1, 2}}), mt::Error);
  CHECK_THROWS_AS(build(model, mt::SoftmaxCrossEntropy{.label_smoothing = 1.5}), mt::OptionError);
  CHECK_THROWS_AS(build(model, mt::Huber{.delta = 0}), mt::OptionError);
}

TEST_CASE("data that does not fit the model is refused before anything changes", "[train][bad input]") {
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{}};
  const auto before = trainer.parameters();
  const auto narrow = mt::synthetic_classification({.samples = 10, .features = 5, .classes = 3, .seed = 1});
  CHECK(code_of([&] { trainer.fit(narrow); }) == mt::ErrorCode::shape_mismatch);
  CHECK_THROWS_WITH(trainer.fit(narrow), ContainsSubstring("takes 6 columns, the data has 5"));
  CHECK_THROWS_WITH(trainer.fit(labelled(50, 4)), ContainsSubstring("3 outputs") && ContainsSubstring("4 classes"));
  CHECK_THROWS_WITH(trainer.evaluate(mt::synthetic_regression({.samples = 10, .features = 6, .seed = 1})),
                    ContainsSubstring("wants class labels"));
  CHECK_THROWS_AS(trainer.predict(narrow), mt::ShapeError);
  CHECK_THROWS_AS(trainer.fit(labelled(), narrow), mt::ShapeError);
  CHECK(trainer.parameters() == before);
  CHECK(trainer.steps() == 0);
}

TEST_CASE("a loss that is not finite stops the run before the update", "[train][bad input]") {
  mt::Tensor<float> features(mt::Shape{40, 6}), targets(mt::Shape{40, 1});
  for (float& v : features) v = 1e30f;
  for (float& v : targets) v = 1;
  const auto data = mt::Dataset::regression(std::move(features), std::move(targets));
  mt::Trainer trainer{
      test::device(), mt::Sequential{mt::Dense{6, 1}}, mt::MeanSquaredError{}, mt::SGD{}, {.batch_size = 8}};
  const auto before = trainer.parameters();
  CHECK_THROWS_AS(trainer.fit(data), mt::NumericError);
  CHECK(trainer.parameters() == before);
  CHECK(trainer.accumulated() == 0);
  CHECK_THROWS_WITH(trainer.fit(data), ContainsSubstring("at step 1"));

  mt::Trainer explodes{test::device(),
                       mt::Sequential{mt::Dense{6, 8}, mt::ReLU{}, mt::Dense{8, 1}},
                       mt::MeanSquaredError{},
                       mt::SGD{.learning_rate = 1e6},
                       {.epochs = 50, .batch_size = 8}};
  const auto ordinary = mt::synthetic_regression({.samples = 100, .features = 6, .seed = 1});
  mt::Tensor<float> last = explodes.parameters();
  CHECK_THROWS_AS(explodes.fit(ordinary, {.on_step = [&](const mt::StepEvent&) { last = explodes.parameters(); }}),
                  mt::NumericError);
  const auto after = explodes.parameters();
  CHECK(std::equal(after.begin(), after.end(), last.begin(),
                   [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }));
}

TEST_CASE("callbacks hear every step and epoch, and can stop the run", "[train]") {
  const auto data = labelled(100);
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.epochs = 3, .batch_size = 32}};
  std::vector<std::size_t> steps, samples, epochs;
  double sum = 0;
  const auto history = trainer.fit(data, {.on_step =
                                              [&](const mt::StepEvent& e) {
                                                steps.push_back(e.step);
                                                samples.push_back(e.samples);
                                                CHECK(e.of_samples == 100);
                                                sum += e.loss;
                                              },
                                          .on_epoch = [&](const mt::EpochRecord& e) { epochs.push_back(e.epoch); }});
  CHECK(steps == std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  CHECK(std::vector<std::size_t>(samples.begin(), samples.begin() + 4) == std::vector<std::size_t>{32, 64, 96, 100});
  CHECK(epochs == std::vector<std::size_t>{0, 1, 2});
  CHECK(std::isfinite(sum));

  const auto stopped = trainer.fit(data, {.on_step = [&](const mt::StepEvent& e) {
                                     if (e.step == 14) trainer.request_stop();
                                   }});
  CHECK(stopped.epochs.size() == 1);
  CHECK(stopped.steps() == 2);
  CHECK(trainer.steps() == 14);
}

TEST_CASE("an exception of a callback leaves a trainer that goes on behind the last step", "[train]") {
  const auto data = labelled(100);
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.batch_size = 32}};
  mt::Trainer whole{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.batch_size = 32}};
  CHECK_THROWS_AS(trainer.fit(data, {.on_step =
                                         [](const mt::StepEvent& e) {
                                           if (e.step == 2) throw std::runtime_error("mine");
                                         }}),
                  std::runtime_error);
  CHECK(trainer.steps() == 2);
  CHECK(trainer.accumulated() == 0);
  CHECK(trainer.epochs() == 0);
  CHECK(trainer.position() == 64);
  const mt::EpochRecord rest = trainer.fit(data).epochs.front();
  CHECK(rest.finished);
  CHECK(rest.steps == 4);
  CHECK(rest.training.samples == 100);
  CHECK(trainer.position() == 0);
  CHECK(trainer.epochs() == 1);
  const mt::EpochRecord all = whole.fit(data).epochs.front();
  CHECK(rest.training.loss == all.training.loss);
  CHECK(rest.training.accuracy == all.training.accuracy);
  CHECK(trainer.parameters() == whole.parameters());
}

TEST_CASE("an unfinished epoch wants the data it began with, or to be ended", "[train][bad input]") {
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.batch_size = 32}};
  std::size_t heard = 0;
  const auto stopped = trainer.fit(labelled(100), {.on_step = [&](const mt::StepEvent&) { trainer.request_stop(); },
                                                   .on_epoch = [&](const mt::EpochRecord&) { ++heard; }});
  CHECK(heard == 0);
  CHECK_FALSE(stopped.epochs.front().finished);
  CHECK(std::isnan(stopped.epochs.front().validation.loss));
  test::check_error<mt::DataError>(
      mt::ErrorCode::count_mismatch, [&] { trainer.fit(labelled(99)); }, "at sample 32 of 100", "has 99",
      "end_epoch()");
  CHECK(trainer.position() == 32);
  trainer.end_epoch();
  CHECK(trainer.epochs() == 1);
  CHECK(trainer.fit(labelled(99)).epochs.front().epoch == 1);
  trainer.end_epoch();  // nothing to end
  CHECK(trainer.epochs() == 2);
}

TEST_CASE("explain says what will run", "[train]") {
  mt::Trainer trainer{
      test::device(), model, mt::SoftmaxCrossEntropy{}, mt::AdamW{}, {.batch_size = 64, .micro_batch_size = 16}};
  const std::string text = trainer.explain();
  const std::string device = mt::describe_device(test::device());
  CHECK(text.find("clipped") == std::string::npos);
  mt::Trainer clips{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::AdamW{}, {.clip_norm = 0.5}};
  CHECK_THAT(clips.explain(), ContainsSubstring("clipped to a norm of 0.5"));
  for (const std::string& word : {std::string("Dense{6, 16}"), std::string("AdamW"), device,
                                  std::string("micro-batches of 16"), std::string("batch of 64")}) {
    CHECK_THAT(text, ContainsSubstring(word));
  }
}

TEST_CASE("clip_norm bounds the norm of the mean gradient", "[train]") {
  // One step of SGD with a rate of 1 moves the parameters by the mean gradient. Its norm, in double:
  const auto data = labelled(40);
  const auto step = [&](double clip_norm, std::size_t micro_batch_size, bool by_hand) {
    mt::Trainer trainer{test::device(),
                        mt::Sequential{mt::Dense{6, 17}, mt::Tanh{}, mt::Dense{17, 3}},
                        mt::SoftmaxCrossEntropy{},
                        mt::SGD{.learning_rate = 1},
                        {.batch_size = 40, .micro_batch_size = micro_batch_size, .clip_norm = clip_norm}};
    mt::Tensor<float> moved = trainer.parameters();
    const mt::Callbacks none, waits{.on_step = [](const mt::StepEvent&) {}};
    trainer.fit(data, by_hand ? waits : none);
    const mt::Tensor<float> after = trainer.parameters();
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] -= after[i];
    return moved;
  };
  const auto norm_of = [](const mt::Tensor<float>& x) {
    double sum = 0;
    for (const float v : x) sum += static_cast<double>(v) * static_cast<double>(v);
    return std::sqrt(sum);
  };
  const auto whole = step(0, 40, false);
  const double norm = norm_of(whole);
  REQUIRE(norm > 0.1);
  for (const bool by_hand : {false, true}) {
    CAPTURE(by_hand);
    CHECK(std::abs(norm_of(step(0.01, 40, by_hand)) / 0.01 - 1) < 1e-3);
    CHECK(step(norm * 1.01, 40, by_hand) == whole);  // nothing to clip: the bits of a run without
    const auto clipped = step(0.5 * norm, 40, false);
    for (std::size_t i = 0; i < whole.size(); ++i) CHECK(std::abs(clipped[i] - 0.5f * whole[i]) < 1e-5f);
    for (const std::size_t rows : {1, 7, 39}) CHECK(step(0.5 * norm, rows, by_hand) == clipped);
  }
}

TEST_CASE("a gradient that is not finite stops a clipped run before the update", "[train][bad input]") {
  // Each loss of the third batch is below 1e38 times the weight; the gradient by the weight is eight times 1e38.
  mt::Tensor<float> x(mt::Shape{24, 1}), y(mt::Shape{24, 1});
  for (std::size_t i = 0; i < 24; ++i) x[i] = i < 16 ? 1.0f : 1e30f;
  const auto data = mt::Dataset::regression(x, y);
  for (const bool waits : {false, true}) {
    CAPTURE(waits);
    mt::Trainer trainer{test::device(),
                        mt::Sequential{mt::Dense{1, 1}},
                        mt::Huber{.delta = 1e8},
                        mt::SGD{.learning_rate = 1e-30},
                        {.batch_size = 8, .shuffle = false, .clip_norm = 1}};
    mt::Callbacks callbacks;
    if (waits) callbacks.on_step = [](const mt::StepEvent&) {};
    const auto before = trainer.parameters();
    CHECK_THROWS_WITH(trainer.fit(data, callbacks), ContainsSubstring("its gradient is not finite, at step 3"));
    CHECK(trainer.steps() == 2);
    CHECK(trainer.parameters() == before);
    CHECK(trainer.accumulated() == 0);
  }
}

TEST_CASE("parameters that stop being finite are noticed", "[train][bad input]") {
  mt::Tensor<float> x(mt::Shape{4, 1}, {1, 2, 3, 4}), y(mt::Shape{4, 1}, {1e10f, 1e10f, 1e10f, 1e10f});
  mt::Trainer trainer{test::device(), mt::Sequential{mt::Dense{1, 1}}, mt::MeanSquaredError{},
                      mt::SGD{.learning_rate = 1e30}};
  const auto data = mt::Dataset::regression(x, y);
  CHECK_THROWS_WITH(trainer.fit(data), ContainsSubstring("not all parameters are finite"));
  trainer.end_epoch();
  CHECK_THROWS_WITH(trainer.fit(data), ContainsSubstring("not all of them are finite: begin again"));
  CHECK_THROWS_AS(trainer.save_weights("never.safetensors"), mt::NumericError);
}

TEST_CASE("samples that weigh nothing make no step", "[train]") {
  const auto data = labelled(30);
  std::vector<std::uint64_t> first;
  for (std::uint64_t i = 0; i < 30; ++i) {
    if (data.label(i) == 0) first.push_back(i);
  }
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{.class_weights = {0, 1, 1}}, mt::Adam{}};
  const auto before = trainer.parameters();
  std::size_t calls = 0;
  const auto history = trainer.fit(data.subset(first), {.on_step = [&](const mt::StepEvent&) { ++calls; }});
  CHECK(trainer.parameters() == before);
  CHECK(trainer.steps() == 0);
  CHECK(history.steps() == 0);
  CHECK(calls == 0);
}

TEST_CASE("an activation or an Mlp that cannot be is refused", "[train][bad input]") {
  const auto build = [](const mt::Mlp& mlp) {
    mt::Trainer trainer{test::device(), mlp, mt::MeanSquaredError{}, mt::SGD{}};
  };
  CHECK_THROWS_AS(build({.widths = {3, 8, 2}, .activation = {mt::ActivationKind::leaky_relu, -0.5}}), mt::OptionError);
  CHECK_THROWS_AS(build({.widths = {3, 8, 2}, .activation = {static_cast<mt::ActivationKind>(42)}}), mt::OptionError);
  CHECK_THROWS_WITH(build({.widths = {3}}), ContainsSubstring("at least two"));
}

TEST_CASE("a data set without answers can be predicted, and nothing else", "[train][bad input]") {
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{}};
  const auto answered = labelled(40);
  mt::Tensor<float> x(mt::Shape{40, 6});
  for (std::size_t i = 0; i < 40; ++i) {
    for (std::size_t j = 0; j < 6; ++j) x(i, j) = answered.feature(i, j);
  }
  const auto data = mt::Dataset::unlabelled(x.view());
  CHECK(trainer.predict(data) == trainer.predict(answered));
  CHECK_THROWS_WITH(trainer.fit(data), ContainsSubstring("neither targets nor labels"));
  CHECK_THROWS_WITH(trainer.evaluate(data), ContainsSubstring("only predict()"));
  CHECK_THROWS_WITH(trainer.fit(mt::Dataset()), ContainsSubstring("is empty"));
}
