// What a run is told to do beside learning: rates by schedule and plateau, growing batches, clipping by value, steps
// that are not finite, an early end. The same on every device.

#include <minitrain/data/combine.hpp>
#include <minitrain/optim/ema.hpp>
#include <minitrain/optim/schedules.hpp>
#include <minitrain/trainer.hpp>

#include <cmath>
#include <cstring>
#include <limits>

#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/errors.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::ContainsSubstring, test::labelled;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const mt::Sequential model{mt::Dense{6, 9}, mt::ReLU{}, mt::Dense{9, 3}};

/// All trainers here are of one kind: what differs are the options.
auto make(const mt::TrainerOptions& options, double learning_rate = 0.1) {
  return mt::Trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = learning_rate},
                     options};
}

bool same_bits(const mt::Tensor<float>& a, const mt::Tensor<float>& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<double> rates_of(const mt::TrainerOptions& options, const mt::Dataset& data) {
  std::vector<double> rates;
  auto trainer = make(options);
  trainer.fit(data, {.on_step = [&](const mt::StepEvent& e) { rates.push_back(e.learning_rate); }});
  return rates;
}

/// A loss for each epoch, as if it had been measured.
mt::EpochRecord epoch_with(double loss, std::size_t number = 0) {
  return {.epoch = number, .training = {.loss = loss, .samples = 1}};
}

/// Labelled data with a feature that is not finite in some samples.
mt::Dataset with_bad_samples(std::initializer_list<std::size_t> bad, float value) {
  const auto good = labelled(60);
  mt::Tensor<float> features(mt::Shape{60, 6});
  std::vector<std::int32_t> labels;
  for (std::size_t i = 0; i < 60; ++i) {
    for (std::size_t j = 0; j < 6; ++j) features(i, j) = good.feature(i, j);
    labels.push_back(good.label(i));
  }
  for (const std::size_t i : bad) features(i, 2) = value;
  return mt::Dataset::classification(features.view(), labels, 3, mt::NonFinite::keep);
}

}  // namespace

TEST_CASE("a schedule sets the rate of each optimizer step, whatever the micro-batches", "[train]") {
  const auto data = labelled(100);
  for (const std::size_t micro : {0, 7}) {
    const auto rates = rates_of({.epochs = 2,
                                 .batch_size = 32,
                                 .micro_batch_size = micro,
                                 .schedule = mt::LinearDecay{.steps = 8, .last = 0.5}},
                                data);
    REQUIRE(rates.size() == 8);
    for (std::size_t step = 0; step < 8; ++step) CHECK(rates[step] == Approx(0.1 * (1 - 0.5 * double(step) / 8)));
  }
}

TEST_CASE("a schedule has the bits of a rate set by hand, heard or not", "[train]") {
  const auto data = labelled(70);
  const mt::StepDecay decay{.every = 1, .factor_of_step = 0.5};
  const mt::TrainerOptions options{.batch_size = 32, .shuffle = false, .schedule = decay};
  auto heard = make(options), unheard = make(options);
  heard.fit(data, {.on_step = [](const mt::StepEvent&) {}});
  unheard.fit(data);
  CHECK(same_bits(heard.parameters(), unheard.parameters()));

  // Three steps by three trainers, each with the rate of its step.
  mt::Tensor<float> by_hand;
  for (std::size_t step = 0; step < 3; ++step) {
    const std::string path = "rules_test.safetensors";
    auto trainer = make({.batch_size = 32, .shuffle = false}, 0.1 * decay.factor(step));
    if (step > 0) trainer.load_weights(path);
    mt::DataLoader<float, test::Device> loader(data, {.batch_size = 32}, trainer.device());
    trainer.accumulate(loader.next(trainer.device(), 0, 32 * step, std::min<std::size_t>(32, 70 - 32 * step)));
    trainer.update();
    trainer.save_weights(path);
    by_hand = trainer.parameters();
    std::remove(path.c_str());
    if (step < 2) trainer.save_weights(path);
  }
  CHECK(same_bits(heard.parameters(), by_hand));
}

TEST_CASE("rules for the batch size change the rate only when asked, and say so", "[train]") {
  CHECK(mt::RateScaling{}.factor(4096) == 1);
  CHECK(mt::RateScaling{mt::RateRule::linear, 32}.factor(128) == 4);
  CHECK(mt::RateScaling{mt::RateRule::sqrt, 32}.factor(128) == 2);
  CHECK(mt::RateScaling{mt::RateRule::linear, 32}.factor(8) == 0.25);
  const auto data = labelled(100);
  CHECK(rates_of({.batch_size = 50}, data).front() == 0.1);
  const mt::TrainerOptions scaled{.batch_size = 50, .rate_scaling = {mt::RateRule::linear, 25}};
  CHECK(rates_of(scaled, data).front() == 0.2);
  CHECK_THAT(
      make(scaled).explain(),
      ContainsSubstring("learning rate 0.2, 2 times the optimizer's by the linear rule for a batch of 50 over 25"));
  CHECK_THROWS_WITH(make({.rate_scaling = {mt::RateRule::sqrt}}), ContainsSubstring("base_batch_size is 0"));
}

TEST_CASE("the rate is reduced on the plateaus of torch.optim.lr_scheduler.ReduceLROnPlateau", "[train]") {
  // ReduceLROnPlateau(factor=0.5, patience=2, cooldown=1, threshold=0.01) of PyTorch 2.15.0
  const double losses[] = {1.0, 0.9, 0.895, 0.893, 0.892, 0.891, 0.9,  0.9, 0.9, 0.9, 0.9,
                           0.5, 0.5, 0.499, 0.498, 0.497, 0.496, 0.48, 0.6, 0.6, NAN, 0.6};
  const double rates[] = {1,    1,    1,    1,     0.5,   0.5,   0.5,   0.5,   0.25,  0.25,   0.25,
                          0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.0625, 0.0625};
  const mt::ReduceOnPlateau plateau{.factor = 0.5, .patience = 2, .cooldown = 1, .threshold = 0.01};
  mt::ReduceOnPlateau::State state;
  for (std::size_t i = 0; i < std::size(losses); ++i) {
    INFO(i);
    plateau.update(state, epoch_with(losses[i], i));
    CHECK(state.factor == rates[i]);
  }
  mt::ReduceOnPlateau::State floor;
  const mt::ReduceOnPlateau least{.factor = 0.1, .patience = 0, .least_factor = 0.05};
  for (int i = 0; i < 5; ++i) least.update(floor, epoch_with(1));
  CHECK(floor.factor == 0.05);
}

TEST_CASE("a plateau lowers the rate of the steps after it, and is told", "[train]") {
  const auto data = labelled(64);
  std::vector<double> rates;
  std::string told;
  auto trainer =
      make({.epochs = 4,
            .batch_size = 64,
            .reduce_on_plateau = {.factor = 0.5, .patience = 0, .watched = {.value = [](auto&) { return 1.0; }}}});
  const auto history = trainer.fit(data, {.on_step = [&](const mt::StepEvent& e) { rates.push_back(e.learning_rate); },
                                          .on_message = [&](mt::Severity, std::string_view text) { told += text; }});
  CHECK(rates == std::vector<double>{0.1, 0.1, 0.05, 0.025});
  CHECK(history.epochs.back().learning_rate == 0.025);
  CHECK_THAT(told, ContainsSubstring("learning rates are 0.5 times what they were from now on"));
}

TEST_CASE("batches grow at the epochs that were named", "[train]") {
  const mt::BatchGrowth growth{.at = {1, 3, 3}, .factor = 5, .largest = 200};
  CHECK(growth.batch_size(10, 0) == 10);
  CHECK(growth.batch_size(10, 1) == 50);
  CHECK(growth.batch_size(10, 2) == 50);
  CHECK(growth.batch_size(10, 3) == 200);
  CHECK(growth.batch_size(300, 3) == 300);
  CHECK(mt::BatchGrowth{.at = {0}, .factor = std::size_t{1} << 40}.batch_size(10, 0) == std::size_t{1} << 31);
  const auto data = labelled(100);
  std::vector<std::size_t> sizes;
  auto trainer = make({.epochs = 4, .batch_size = 10, .batch_growth = growth});
  const auto history = trainer.fit(data, {.on_step = [&](const mt::StepEvent& e) { sizes.push_back(e.batch_size); }});
  CHECK(history.epochs[0].steps == 10);
  CHECK(history.epochs[1].steps == 2);
  CHECK(history.epochs[2].steps == 2);
  CHECK(history.epochs[3].steps == 1);
  CHECK(history.epochs[3].batch_size == 200);
  CHECK(sizes.size() == 15);
  CHECK(sizes[10] == 50);
  CHECK(sizes[14] == 100);

  // An epoch of large batches is one, however it came about.
  auto grown = make({.epochs = 1, .batch_size = 10, .batch_growth = {.at = {0}, .factor = 4}});
  auto large = make({.epochs = 1, .batch_size = 40, .micro_batch_size = 10});
  grown.fit(data);
  large.fit(data);
  CHECK(same_bits(grown.parameters(), large.parameters()));
  CHECK_THROWS_AS(make({.batch_growth = {.at = {3, 1}}}), mt::OptionError);
  CHECK_THROWS_AS(make({.batch_growth = {.at = {3}, .factor = 0}}), mt::OptionError);
  CHECK_THROWS_WITH(make({.batch_size = 30, .batch_growth = {.at = {3}, .largest = 20}}),
                    ContainsSubstring("largest is 20, less than the batch_size of 30"));
}

TEST_CASE("early stopping ends a run after its patience and gives the best parameters back", "[train]") {
  const auto data = labelled(64);
  const double losses[] = {3, 2, 2.5, 1.5, 1.6, 1.45, 1.55, 1, 0};
  std::size_t epoch = 0;
  std::vector<mt::Tensor<float>> after;
  const auto value = [&](const mt::EpochRecord&) { return losses[epoch++]; };
  mt::TrainerOptions options{
      .epochs = 9, .batch_size = 64, .early_stopping = {.patience = 2, .min_change = 0.1, .watched = {.value = value}}};
  auto trainer = make(options);
  const mt::Callbacks keep{.on_epoch = [&](const mt::EpochRecord&) { after.push_back(trainer.parameters()); }};
  const auto history = trainer.fit(data, keep);
  // 1.45 is no better than 1.5 by more than 0.1, so epochs 4 and 5 are in vain.
  CHECK(history.status == mt::RunStatus::early_stopped);
  REQUIRE(history.epochs.size() == 6);
  CHECK(same_bits(trainer.parameters(), after[3]));
  CHECK_FALSE(same_bits(trainer.parameters(), after[5]));

  epoch = 0;
  after.clear();
  options.early_stopping.restore_best = false;
  auto keeps = make(options);
  keeps.fit(data, {.on_epoch = [&](const mt::EpochRecord&) { after.push_back(keeps.parameters()); }});
  CHECK(same_bits(keeps.parameters(), after[5]));
  // The next fit() begins anew: with its own best epoch.
  epoch = 3;
  CHECK(keeps.fit(data).epochs.size() == 3);
}

TEST_CASE("early stopping watches what there is", "[train][bad input]") {
  const auto data = labelled(64);
  auto trainer = make({.early_stopping = {.patience = 1, .watched = {.what = mt::Watch::validation_accuracy}}});
  CHECK_THROWS_WITH(trainer.fit(data), ContainsSubstring("EarlyStopping: watches the validation data"));
  CHECK(trainer.steps() == 0);
  CHECK(trainer.fit(data, data).status == mt::RunStatus::finished);
  // The loss of a rate of 0 never changes.
  auto still = make({.epochs = 9, .early_stopping = {.patience = 3}}, 0);
  CHECK(still.fit(data, data).epochs.size() == 4);
  CHECK_THROWS_AS(make({.early_stopping = {.patience = 1, .min_change = -1}}), mt::OptionError);
  const mt::Watched accuracy{.what = mt::Watch::validation_accuracy};
  CHECK(accuracy.wants_higher());
  CHECK(accuracy.of({.validation = {.accuracy = 0.5}}) == 0.5);
  mt::BestEpoch best;
  CHECK_FALSE(best.improve(NAN, 0, false, 0));
  CHECK(best.improve(-1, 1, true, 0));
  CHECK_FALSE(best.improve(-1, 2, true, 0));
  CHECK(best.improve(0, 3, true, 0.5));
  CHECK(best.epoch == 3);
}

TEST_CASE("clipping by value bounds each element of the mean gradient, once per update", "[train]") {
  const auto data = labelled(50);
  const double limit = 0.01;
  for (const std::size_t micro : {0, 7}) {
    auto free = make({.batch_size = 50, .micro_batch_size = micro, .seed = 3}, 1);
    auto clipped = make({.batch_size = 50, .micro_batch_size = micro, .seed = 3, .clip_value = limit}, 1);
    const auto before = free.parameters();
    free.fit(data);
    clipped.fit(data);
    const auto a = free.parameters(), b = clipped.parameters();
    std::size_t at_limit = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const double gradient = double(before[i]) - double(a[i]), step = double(before[i]) - double(b[i]);
      at_limit += std::abs(gradient) > limit;
      CHECK(step == Approx(std::clamp(gradient, -limit, limit)).margin(1e-6));
    }
    CHECK(at_limit > 5);
    CHECK(at_limit < before.size());
  }
  // The norm is that of the gradient clipped by value.
  double norm = 0;
  auto both = make({.batch_size = 50, .seed = 3, .clip_norm = 1e9, .clip_value = 1e-4}, 1);
  both.fit(data, {.on_step = [&](const mt::StepEvent& e) { norm = e.gradient_norm; }});
  CHECK(norm <= 1e-4 * std::sqrt(93.0) * 1.0001);
  CHECK(norm > 0);
  CHECK_THROWS_WITH(make({.clip_value = -1}), ContainsSubstring("clip_value is -1"));
  CHECK_THROWS_AS(make({.clip_value = infinity}), mt::OptionError);
}

TEST_CASE("a step that is not finite stops the run and says which samples and which layer", "[train][bad input]") {
  auto trainer = make({.batch_size = 20, .shuffle = false});
  const auto data = with_bad_samples({27, 31}, std::numeric_limits<float>::quiet_NaN());
  CHECK_THROWS_WITH(trainer.fit(data), ContainsSubstring("at step 2, over 20 samples") &&
                                           ContainsSubstring("positions 20 to 40") &&
                                           ContainsSubstring("samples 27, 31 have features that are not finite"));
  CHECK(trainer.steps() == 1);
  CHECK(trainer.position() == 20);

  // One step of such a rate leaves weights whose products are past the range of the type.
  auto wild = make({.batch_size = 20, .micro_batch_size = 3, .shuffle = false}, 1e30);
  CHECK_THROWS_WITH(wild.fit(labelled(60)), ContainsSubstring("at step 2, over 20 samples") &&
                                                ContainsSubstring("first in layer 2 (Dense{9, 3}), for samples 2") &&
                                                ContainsSubstring("others"));
  auto shuffled = make({.batch_size = 7, .seed = 4});
  CHECK_THROWS_WITH(shuffled.fit(data), ContainsSubstring("27") || ContainsSubstring("31"));
}

TEST_CASE("steps that are not finite are skipped where that is wanted, and not counted", "[train]") {
  const auto data = with_bad_samples({27, 51}, std::numeric_limits<float>::infinity());
  const auto good = labelled(60);
  const mt::TrainerOptions options{.batch_size = 20, .shuffle = false, .non_finite = {mt::OnNonFinite::skip}};
  auto trainer = make(options);
  const auto history = trainer.fit(data);
  CHECK(trainer.steps() == 1);
  CHECK(history.epochs[0].steps == 1);
  CHECK(history.epochs[0].training.samples == 60);
  CHECK(std::isfinite(history.epochs[0].training.loss));
  // The parameters and the means are those of the good batch alone.
  auto alone = make({.batch_size = 20, .shuffle = false});
  const auto expected = alone.fit(mt::take(good, 20));
  CHECK(same_bits(trainer.parameters(), alone.parameters()));
  CHECK(history.epochs[0].training.loss == expected.epochs[0].training.loss);
  CHECK(history.epochs[0].training.accuracy == expected.epochs[0].training.accuracy);
  CHECK(history.epochs[0].left_out == 40);
  // The same when the host waits for each step.
  auto heard = make(options);
  std::size_t steps = 0;
  heard.fit(data, {.on_step = [&](const mt::StepEvent&) { ++steps; }});
  CHECK(steps == 1);
  CHECK(same_bits(heard.parameters(), trainer.parameters()));
}

TEST_CASE("too many skipped steps in a row stop the run", "[train][bad input]") {
  const auto data = with_bad_samples({5, 15, 25, 45, 55}, std::numeric_limits<float>::quiet_NaN());
  const auto with = [&](std::size_t most) {
    auto trainer = make(
        {.batch_size = 10, .shuffle = false, .non_finite = {.action = mt::OnNonFinite::skip, .most_skipped = most}});
    trainer.fit(data);
    return trainer.steps();
  };
  CHECK(with(3) == 1);
  CHECK_THROWS_WITH(with(2), ContainsSubstring("number 3 in a row"));
  CHECK_THROWS_WITH(with(2), ContainsSubstring("sample 25 has features that are not finite"));
  CHECK_THROWS_AS(make({.non_finite = {.action = mt::OnNonFinite::skip, .most_skipped = 0}}), mt::OptionError);
}

TEST_CASE("steps that are not finite are done where that is wanted", "[train]") {
  const auto data = with_bad_samples({27}, std::numeric_limits<float>::quiet_NaN());
  auto trainer = make({.batch_size = 20, .shuffle = false, .non_finite = {mt::OnNonFinite::ignore}});
  CHECK_THROWS_WITH(trainer.fit(data), ContainsSubstring("not all parameters are finite"));
  CHECK(trainer.steps() == 3);
}

TEST_CASE("observers hear a run from its beginning to its end", "[train]") {
  struct Listener : mt::Observer {
    void begin(const mt::RunInfo& run) override { info = run; }
    void step(const mt::StepEvent&) override { ++steps; }
    void epoch(const mt::EpochRecord&) override { ++epochs; }
    void end(const mt::History& history) override { status = history.status, ++ends; }
    mt::RunInfo info;
    int steps = 0, epochs = 0, ends = 0;
    mt::RunStatus status{};
  };
  struct Deaf : Listener {
    bool hears_steps() const override { return false; }
  };
  Listener listener;
  Deaf deaf;
  const auto data = labelled(64);
  auto trainer = make({.epochs = 2, .batch_size = 32, .seed = 9});
  trainer.fit(data, data, {.observers = {&listener, &deaf}});
  CHECK(listener.steps == 4);
  CHECK(deaf.steps == 0);
  CHECK(deaf.epochs == 2);
  CHECK(listener.ends == 1);
  CHECK(listener.status == mt::RunStatus::finished);
  CHECK(listener.info.epochs == 2);
  CHECK(listener.info.samples == 64);
  CHECK(listener.info.parameters == 6 * 9 + 9 + 9 * 3 + 3);
  CHECK(listener.info.seed == 9);
  CHECK(listener.info.has_validation);
  CHECK(listener.info.learning_rate == 0.1);
  trainer.fit(data, {.on_step = [&](const mt::StepEvent&) { trainer.request_stop(); }, .observers = {&listener}});
  CHECK(listener.status == mt::RunStatus::stopped);
  CHECK(listener.info.first_epoch == 2);
  CHECK_THROWS(trainer.fit(data, {.on_epoch = [](const mt::EpochRecord&) { throw 1; }, .observers = {&listener}}));
  CHECK(listener.status == mt::RunStatus::failed);
  CHECK(listener.ends == 3);
  CHECK_THROWS_AS(trainer.fit(data, {.observers = {nullptr}}), mt::OptionError);
}

TEST_CASE("averaged parameters take the place of the trained ones, and give it back", "[train]") {
  const auto data = labelled(64);
  const mt::EMA<mt::SGD> ema{.optimizer = {.learning_rate = 0.1}, .decay = 0.5};
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, ema, {.epochs = 1, .batch_size = 16}};
  std::vector<mt::Tensor<float>> after;
  trainer.fit(data, {.on_step = [&](const mt::StepEvent&) { after.push_back(trainer.parameters()); }});
  trainer.swap_averaged();
  const auto averaged = trainer.parameters();
  // Begun with the parameters of the first step: ((p1 + p2)/2 + p3)/2, ...
  for (std::size_t i = 0; i < averaged.size(); ++i) {
    double mean = after[0][i];
    for (std::size_t step = 1; step < 4; ++step) mean += 0.5 * (after[step][i] - mean);
    CHECK(averaged[i] == Approx(mean).margin(1e-6));
  }
  CHECK_THROWS_WITH(trainer.fit(data), ContainsSubstring("call swap_averaged() first"));
  CHECK_THROWS_AS(trainer.update(), mt::OptionError);
  CHECK_THROWS_AS(trainer.save("rules_test.safetensors"), mt::OptionError);
  CHECK_NOTHROW(trainer.evaluate(data));
  trainer.swap_averaged();
  CHECK(same_bits(trainer.parameters(), after.back()));
  CHECK_NOTHROW(trainer.fit(data));
  CHECK_THROWS_WITH(make({}).swap_averaged(), ContainsSubstring("SGD keeps no averaged parameters"));
}

TEST_CASE("a gradient past the range of the type is skipped like a loss, heard or not", "[train]") {
  // A linear model with one input: the loss of an input of 3e38 is finite, the sum of two gradients is not.
  mt::Tensor<float> features(mt::Shape{120, 1}), targets(mt::Shape{120, 1});
  for (std::size_t i = 0; i < 120; ++i) {
    features[i] = (i / 10) % 12 >= 3 && (i / 10) % 12 < 6 ? 3e38f : 1;  // batches 3, 4 and 5
    targets[i] = 0.5f;
  }
  const auto data = mt::Dataset::regression(features.view(), targets.view());
  const auto run = [&](std::size_t most, bool heard, mt::History& history) {
    mt::Trainer trainer{test::device(),
                        mt::Sequential{mt::Dense{1, 1}},
                        mt::Huber{},
                        mt::SGD{.learning_rate = 0.01},
                        {.epochs = 3,
                         .batch_size = 10,
                         .shuffle = false,
                         .seed = 3,
                         .non_finite = {.action = mt::OnNonFinite::skip, .most_skipped = most}}};
    mt::Callbacks callbacks;
    if (heard) callbacks.on_step = [](const mt::StepEvent&) {};
    history = trainer.fit(data, callbacks);
    CHECK(trainer.steps() == 27);
    return trainer.parameters();
  };
  mt::History heard, queued;
  CHECK(same_bits(run(3, true, heard), run(3, false, queued)));
  for (std::size_t e = 0; e < 3; ++e) {
    CHECK(heard.epochs[e].steps == 9);
    CHECK(heard.epochs[e].training.loss == queued.epochs[e].training.loss);
    CHECK(heard.epochs[e].training.loss < 10);
  }
  CHECK_THROWS_AS(run(2, true, heard), mt::NumericError);
  CHECK_THROWS_AS(run(2, false, queued), mt::NumericError);
}

TEST_CASE("early stopping does not compare with another data set", "[train]") {
  const auto easy = labelled(64), other = labelled(50);
  double losses[] = {1, 0.5, 9, 8, 7, 6};
  std::size_t call = 0;
  auto trainer = make(
      {.epochs = 2, .early_stopping = {.patience = 2, .watched = {.value = [&](auto&) { return losses[call++]; }}}});
  trainer.fit(easy);
  CHECK(trainer.fit(other).epochs.size() == 2);
  CHECK(trainer.fit(other).status == mt::RunStatus::finished);
}

TEST_CASE("a schedule that gives no rate is refused by its step", "[train][bad input]") {
  struct Broken {
    double value;
    void check() const {}
    std::string name() const { return "broken"; }
    double factor(std::size_t step) const { return step < 2 ? 1 : value; }
  };
  for (const double value : {-1.0, infinity, std::nan("")}) {
    auto trainer = make({.batch_size = 20, .schedule = Broken{value}});
    CHECK_THROWS_WITH(trainer.fit(labelled(60)), ContainsSubstring("schedule 'broken': its factor is"));
    CHECK(trainer.steps() == 2);
  }
}

TEST_CASE("what an optimizer keeps of earlier parameters begins with those that are loaded", "[train]") {
  const auto data = labelled(64);
  const std::string path = "rules_test_copies.safetensors";
  auto other = make({.epochs = 3, .batch_size = 16});
  other.fit(data);
  other.save_weights(path);
  const mt::EMA<mt::SGD> ema{.optimizer = {.learning_rate = 0.1}, .decay = 0.5};
  mt::Trainer trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, ema, {.epochs = 1, .batch_size = 16}};
  const auto initial = trainer.parameters();
  trainer.swap_averaged();
  CHECK(same_bits(trainer.parameters(), initial));  // before any step
  trainer.swap_averaged();
  trainer.fit(data);
  trainer.load_weights(path);
  std::remove(path.c_str());
  trainer.swap_averaged();
  CHECK(same_bits(trainer.parameters(), other.parameters()));
}

TEST_CASE("early stopping gives the average of the best epoch back as well", "[train]") {
  const auto data = labelled(64);
  const double losses[] = {3, 2, 2.5, 2.6, 2.7};
  const mt::EMA<mt::SGD> ema{.optimizer = {.learning_rate = 0.1}, .decay = 0.5};
  mt::TrainerOptions options{.epochs = 5, .batch_size = 16};
  options.early_stopping = {.patience = 2,
                            .watched = {.value = [&](const mt::EpochRecord& e) { return losses[e.epoch]; }}};
  mt::Trainer stopped{test::device(), model, mt::SoftmaxCrossEntropy{}, ema, options};
  CHECK(stopped.fit(data).status == mt::RunStatus::early_stopped);
  mt::Trainer two{test::device(), model, mt::SoftmaxCrossEntropy{}, ema, {.epochs = 2, .batch_size = 16}};
  two.fit(data);
  CHECK(same_bits(stopped.parameters(), two.parameters()));
  stopped.swap_averaged(), two.swap_averaged();
  CHECK(same_bits(stopped.parameters(), two.parameters()));
}
