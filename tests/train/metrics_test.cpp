// Metrics: by hand, against the trainer's own, and the same for every size of the micro-batch.

#include <minitrain/trainer.hpp>

#include <cmath>

#include "support/catch.hpp"
#include "support/device.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::ContainsSubstring, test::labelled;

namespace {

mt::Predictions classes(const std::vector<double>& outputs, std::size_t columns,
                        const std::vector<std::int32_t>& labels) {
  return {.outputs = {outputs.data(), mt::Shape{labels.size(), columns}},
          .labels = {labels.data(), mt::Shape{labels.size()}}};
}
mt::Predictions reals(const std::vector<double>& outputs, const std::vector<double>& targets, std::size_t columns) {
  const mt::Shape shape{outputs.size() / columns, columns};
  return {.outputs = {outputs.data(), shape}, .targets = {targets.data(), shape}};
}

}  // namespace

TEST_CASE("classification metrics are those of the definitions", "[train]") {
  const std::vector<double> outputs{3, 1, 2, 0, 0, 5, 1, 1, 1, 9, 2, 8, -1, -2, -3};
  const std::vector<std::int32_t> labels{0, 2, 1, 2, 2};
  const auto p = classes(outputs, 3, labels);
  mt::Accuracy accuracy;
  mt::TopK two{2}, three{3};
  mt::Confusion confusion(3);
  accuracy.add(p), two.add(p), three.add(p), confusion.add(p);
  CHECK(accuracy.value() == 2.0 / 5);  // of three equal outputs, the first is the largest
  CHECK(two.value() == 4.0 / 5);
  CHECK(three.value() == 1);
  CHECK(confusion(0, 0) == 1);
  CHECK(confusion(2, 2) == 1);
  CHECK(confusion(1, 0) == 1);
  CHECK(confusion(2, 0) == 2);
  CHECK(confusion.samples() == 5);
  CHECK(confusion.accuracy() == accuracy.value());
  CHECK(confusion.precision(0) == 1.0 / 4);
  CHECK(confusion.recall(0) == 1);
  CHECK(confusion.f1(0) == 2.0 / 5);
  CHECK(confusion.recall(2) == 1.0 / 3);
  CHECK(confusion.f1(2) == 0.5);
  CHECK(std::isnan(confusion.precision(1)));
  CHECK(confusion.f1(1) == 0);
  CHECK(confusion.macro_f1() == Approx(0.3));
  CHECK(std::isnan(mt::Accuracy{}.value()));
  CHECK(std::isnan(mt::Confusion(2).accuracy()));
}

TEST_CASE("a sample with an output that is NaN is wrong for every label, and counted apart", "[train]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> outputs{nan, nan, nan, 5, nan, 1, nan, 5, 1, 1, 2, 5};
  for (const std::int32_t label : {0, 1, 2}) {
    const std::vector<std::int32_t> labels{label, label, label, label};
    const auto p = classes(outputs, 3, labels);
    mt::Accuracy accuracy;
    mt::TopK three{3};
    mt::Confusion confusion(3);
    accuracy.add(p), three.add(p), confusion.add(p);
    const bool last = label == 2;
    CHECK(accuracy.value() == (last ? 0.25 : 0));
    CHECK(three.value() == 0.25);
    CHECK(accuracy.without_answer == 3);
    CHECK(accuracy.samples == 4);
    const auto truth = static_cast<std::size_t>(label);
    CHECK(confusion.without_answer(truth) == 3);
    CHECK(confusion(truth, 2) == 1);
    CHECK(confusion.samples() == 4);
    CHECK(confusion.accuracy() == accuracy.value());
    CHECK(confusion.recall(truth) == accuracy.value());
    CHECK(confusion.precision(2) == (last ? 1 : 0));
    CHECK(confusion.f1(truth) == (last ? 2.0 / 5 : 0));
  }
}

TEST_CASE("a model whose parameters are NaN answers nothing right, however it is asked", "[train]") {
  const auto data = labelled(103);
  mt::Trainer trainer{test::device(),
                      mt::Sequential{mt::Dense{6, 9}, mt::ReLU{}, mt::Dense{9, 3}},
                      mt::SoftmaxCrossEntropy{},
                      mt::SGD{.learning_rate = 1e30},
                      {.epochs = 5, .batch_size = 50, .non_finite = {mt::OnNonFinite::ignore}}};
  CHECK_THROWS_AS(trainer.fit(data), mt::NumericError);
  CHECK(std::isnan(trainer.evaluate(data).loss));
  CHECK(trainer.evaluate(data).accuracy == 0);
  mt::Accuracy accuracy;
  mt::Confusion confusion(3);
  trainer.measure(data, accuracy, confusion);
  CHECK(accuracy.value() == 0);
  CHECK(confusion.accuracy() == 0);
}

TEST_CASE("regression metrics are those of the definitions", "[train]") {
  mt::RegressionError error;
  error.add(reals({2.5, 0.0, 2, 8, 1, 2, 3, 5}, {3, -0.5, 2, 7, 2, 2, 2, 4}, 2));
  CHECK(error.mse() == Approx((0.25 + 0.25 + 0 + 1 + 1 + 0 + 1 + 1) / 8));
  CHECK(error.mae() == Approx(5.0 / 8));
  const double first = 1 - 2.25 / 0.75, second = 1 - 2.25 / 30.1875;
  CHECK(error.r2() == Approx((first + second) / 2));
  CHECK(error.rmse() == Approx(0.75));
  CHECK(std::isnan(mt::RegressionError{}.mse()));
  // Far from zero, where a difference of sums of squares would be noise.
  mt::RegressionError far;
  far.add(reals({1e9, 1e9 + 2, 1e9 + 3}, {1e9, 1e9 + 1, 1e9 + 3}, 1));
  CHECK(far.r2() == Approx(1 - 1 / (14.0 / 3)));
  mt::RegressionError constant;
  constant.add(reals({1, 2}, {1, 1}, 1));
  CHECK(std::isnan(constant.r2()));
}

TEST_CASE("metrics see every sample once, in order, whatever the micro-batch", "[train]") {
  struct Order {
    std::vector<std::int32_t> labels;
    void add(const mt::Predictions& p) { labels.insert(labels.end(), p.labels.begin(), p.labels.end()); }
  };
  const auto data = labelled(103);
  for (const std::size_t micro : {0, 1, 10, 200}) {
    mt::Trainer trainer{test::device(),
                        mt::Sequential{mt::Dense{6, 9}, mt::ReLU{}, mt::Dense{9, 3}},
                        mt::SoftmaxCrossEntropy{},
                        mt::SGD{},
                        {.batch_size = 50, .micro_batch_size = micro}};
    Order order;
    mt::Accuracy accuracy;
    mt::Confusion confusion(3);
    trainer.measure(data, order, accuracy, confusion);
    REQUIRE(order.labels.size() == 103);
    for (std::size_t i = 0; i < 103; ++i) CHECK(order.labels[i] == data.label(i));
    CHECK(accuracy.value() == trainer.evaluate(data).accuracy);
    CHECK(confusion.accuracy() == accuracy.value());
  }
  const auto regression = mt::synthetic_regression({.samples = 57, .features = 6, .seed = 1});
  double first = 0;
  for (const std::size_t micro : {0, 1, 10}) {
    mt::Trainer trainer{test::device(),
                        mt::Sequential{mt::Dense{6, 1}},
                        mt::MeanSquaredError{},
                        mt::SGD{},
                        {.batch_size = 50, .micro_batch_size = micro}};
    mt::RegressionError error;
    trainer.measure(regression, error);
    CHECK(error.samples() == 57);
    CHECK(error.mse() == Approx(trainer.evaluate(regression).loss).epsilon(1e-6));
    if (micro == 0) first = error.r2();
    CHECK(error.r2() == first);
  }
}

TEST_CASE("metrics of the other kind of data are refused", "[train][bad input]") {
  mt::Accuracy accuracy;
  mt::RegressionError error;
  mt::Confusion two(2);
  CHECK_THROWS_WITH(accuracy.add(reals({1}, {1}, 1)), ContainsSubstring("wants class labels"));
  CHECK_THROWS_WITH(error.add(classes({1, 2}, 2, {0})), ContainsSubstring("wants real targets"));
  CHECK_THROWS_WITH(two.add(classes({1, 2, 3}, 3, {0})), ContainsSubstring("3 outputs"));
  CHECK_THROWS_WITH(two.add(classes({1, 2}, 2, {2})), ContainsSubstring("label 2"));
  CHECK_THROWS_WITH(two.add(classes({1, 2}, 2, {-1})), ContainsSubstring("label -1"));
  CHECK_THROWS_AS(mt::Confusion(0), mt::OptionError);
  CHECK_THROWS_AS(mt::TopK{0}, mt::OptionError);
  mt::TopK four{4}, three{3};
  CHECK_THROWS_AS(four.add(classes({1, 2, 3}, 3, {0})), mt::OptionError);
  CHECK_THROWS_WITH(four.add(classes({1, 2, 3}, 3, {0})), ContainsSubstring("k is 4, but the model has 3 outputs"));
  CHECK(four.samples == 0);
  three.add(classes({1, 2, 3}, 3, {0}));
  CHECK(three.value() == 1);
  CHECK(two.samples() == 0);
}
