// Finders: what they find, and that they leave everything as it was.

#include <minitrain/train/find_batch_size.hpp>
#include <minitrain/train/find_learning_rate.hpp>
#include <minitrain/trainer.hpp>

#include <cmath>

#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/errors.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::ContainsSubstring, test::labelled;

namespace {

const mt::Sequential model{mt::Dense{6, 9}, mt::ReLU{}, mt::Dense{9, 3}};
const mt::SoftmaxCrossEntropy loss;

}  // namespace

TEST_CASE("the range test goes through the rates until the loss diverges", "[train]") {
  const auto data = labelled(300);
  const auto test = mt::find_learning_rate(data, model, loss, mt::SGD{}, {.batch_size = 32, .seed = 1}, test::device(),
                                           {.lowest = 1e-4, .highest = 1e4, .steps = 120});
  REQUIRE(test.rates.size() > 20);
  CHECK(test.rates.front() == Approx(1e-4));
  for (std::size_t i = 1; i < test.rates.size(); ++i) {
    CHECK(test.rates[i] / test.rates[i - 1] == Approx(std::pow(1e8, 1 / 119.0)));
  }
  CHECK(test.diverged);
  CHECK(test.rates.size() < 120);
  CHECK(test.steepest > 1e-3);
  CHECK(test.steepest < test.lowest_loss);
  CHECK(test.lowest_loss < 100);
  // The rate it finds learns.
  mt::Trainer trainer{test::device(), model, loss, mt::SGD{.learning_rate = test.steepest}, {.epochs = 5, .seed = 1}};
  const auto history = trainer.fit(data);
  CHECK(history.epochs.back().training.loss < 0.8 * test.losses.front());
}

TEST_CASE("the range test ends with its steps, whatever the epochs", "[train]") {
  const auto data = labelled(50);
  const auto test = mt::find_learning_rate(data, model, loss, mt::Adam{}, {.batch_size = 20}, test::device(),
                                           {.lowest = 1e-6, .highest = 1e-5, .steps = 10});
  CHECK(test.rates.size() == 10);
  CHECK(test.rates.back() == Approx(1e-5));
  CHECK_FALSE(test.diverged);
  CHECK(mt::find_learning_rate(data, model, loss, mt::Adam{}, {.batch_size = 20}, test::device(),
                               {.lowest = 1e-6, .highest = 1e-5, .steps = 10})
            .losses == test.losses);
}

TEST_CASE("the batch finder fits the step time and knows what fits", "[train]") {
  const mt::DataSize size = mt::size_of(labelled(5000));
  const auto search = mt::find_batch_size(size, model, loss, mt::SGD{}, {.epochs = 3}, test::device(),
                                          {.smallest = 8, .largest = 100, .seconds = 0.002});
  REQUIRE(search.trials.size() == 5);
  const std::size_t sizes[] = {8, 16, 32, 64, 100};
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(search.trials[i].batch_size == sizes[i]);
    CHECK(search.trials[i].step_seconds > 0);
  }
  CHECK(search.fastest >= 8);
  CHECK(search.fastest <= 100);
  CHECK(search.overhead >= 0);
  CHECK(search.rate > 0);
  CHECK(search.largest_in_memory > 0);
  CHECK(search.largest_in_memory <= 5000);
  // Half the memory for activations, about half the samples.
  const mt::MemoryPlan plan =
      mt::plan(model, loss, mt::SGD{}, {.batch_size = 5000, .micro_batch_size = 1}, test::device(), size);
  const std::size_t limit = plan.fixed() + 1000 * plan.per_sample();
  const auto limited = mt::find_batch_size(size, model, loss, mt::SGD{}, {}, test::device(),
                                           {.smallest = 8, .largest = 8, .seconds = 0.001, .memory_limit = limit});
  CHECK(limited.largest_in_memory > 800);
  CHECK(limited.largest_in_memory <= 1000);
}

TEST_CASE("the step time that was fitted is that of the formula", "[train]") {
  mt::BatchSizeSearch search;
  for (const std::size_t batch : {1, 4, 16, 64, 256}) {
    search.trials.push_back({batch, batch, 2e-5 + static_cast<double>(batch) / 1e6});
  }
  mt::detail::fit_step_time(search);
  CHECK(search.overhead == Approx(2e-5));
  CHECK(search.rate == Approx(1e6));
  CHECK(search.half_throughput() == Approx(20));
}

TEST_CASE("finders refuse what makes no sense", "[train][bad input]") {
  const auto data = labelled(50);
  const auto test = [&](const mt::LearningRateRange& range) {
    mt::find_learning_rate(data, model, loss, mt::SGD{}, {}, test::device(), range);
  };
  CHECK_THROWS_WITH(test({.lowest = 0}), ContainsSubstring("lowest is 0"));
  CHECK_THROWS_AS(test({.lowest = 20}), mt::OptionError);
  CHECK_THROWS_AS(test({.steps = 1}), mt::OptionError);
  CHECK_THROWS_AS(test({.smoothing = 1}), mt::OptionError);
  CHECK_THROWS_AS(test({.diverged = 1}), mt::OptionError);
  const auto find = [&](const mt::BatchSizeRange& range) {
    mt::find_batch_size(mt::size_of(data), model, loss, mt::SGD{}, {}, test::device(), range);
  };
  CHECK_THROWS_AS(find({.smallest = 0}), mt::OptionError);
  CHECK_THROWS_AS(find({.smallest = 9, .largest = 8}), mt::OptionError);
  CHECK_THROWS_AS(find({.seconds = 0}), mt::OptionError);
  CHECK_THROWS_AS(find({.worth = 0}), mt::OptionError);
  CHECK_THROWS_AS(mt::find_batch_size({}, model, loss, mt::SGD{}, {}, test::device()), mt::DataError);
}
