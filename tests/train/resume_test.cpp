// A run that is stopped anywhere and goes on in another process has the bits of one never stopped: parameters, losses,
// rates, decisions.

#include <minitrain/optim/schedules.hpp>
#include <minitrain/trainer.hpp>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/errors.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::ContainsSubstring, test::labelled;
namespace fs = std::filesystem;

namespace {

const mt::Sequential model{mt::Dense{6, 9}, mt::ReLU{}, mt::Dropout{0.2}, mt::Dense{9, 3}};

auto make(const mt::TrainerOptions& options) {
  return mt::Trainer{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::Adam{.learning_rate = 0.01}, options};
}

/// A directory of its own, gone at the end.
struct Directory {
  explicit Directory(const std::string& name) : path("resume_test_" + name) { fs::remove_all(path); }
  ~Directory() { fs::remove_all(path); }
  std::string path;
};

bool same_bits(const mt::Tensor<float>& a, const mt::Tensor<float>& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void check_same(const mt::History& a, const mt::History& b) {
  REQUIRE(a.epochs.size() == b.epochs.size());
  CHECK(a.status == b.status);
  for (std::size_t i = 0; i < a.epochs.size(); ++i) {
    const mt::EpochRecord &x = a.epochs[i], &y = b.epochs[i];
    CAPTURE(i);
    CHECK(x.epoch == y.epoch);
    CHECK(x.finished == y.finished);
    CHECK(x.steps == y.steps);
    CHECK(x.training.loss == y.training.loss);
    CHECK(x.training.accuracy == y.training.accuracy);
    CHECK((x.validation.loss == y.validation.loss || (x.validation.samples == 0 && y.validation.samples == 0)));
    CHECK(x.batch_size == y.batch_size);
    CHECK(x.learning_rate == y.learning_rate);
  }
}

/// Options of all kinds, by number.
mt::TrainerOptions options_of(std::uint64_t number, const std::string& directory) {
  const mt::Random random(number, mt::RandomPurpose::test);
  const auto below = [&](std::uint64_t place, std::size_t n) { return random.word(place) % n; };
  mt::TrainerOptions options{.epochs = 2 + below(0, 3),
                             .batch_size = 7 + below(1, 30),
                             .micro_batch_size = below(2, 3) == 0 ? mt::automatic : 1 + below(3, 12),
                             .shuffle = below(4, 4) != 0,
                             .seed = number,
                             .clip_norm = below(5, 3) == 0 ? 0.1 : 0.0,
                             .clip_value = below(6, 3) == 0 ? 0.01 : 0.0};
  if (below(7, 2) == 0) options.schedule = mt::Warmup{.steps = 3, .then = mt::CosineDecay{.steps = 20}};
  if (below(8, 2) == 0) options.reduce_on_plateau = {.factor = 0.5, .patience = 0};
  if (below(9, 2) == 0) options.batch_growth = {.at = {1, 2}, .factor = 2};
  if (below(10, 3) == 0) options.early_stopping = {.patience = 1, .min_change = 0.05};
  if (below(11, 2) == 0) options.noise_scale_every = 2;
  if (below(12, 2) == 0) options.rate_scaling = {mt::RateRule::sqrt, 16};
  options.checkpoint = {.directory = directory, .every_steps = 1 + below(13, 4)};
  return options;
}

#if !defined(MINITRAIN_TEST_CUDA)
/// Passes everything on, and in training calls a function with each micro-batch.
struct Listening {
  std::shared_ptr<std::function<void()>> heard;

  mt::Shape output_shape(const mt::Shape& x) const { return x; }
  std::string name() const { return "Listening{}"; }
  void forward(const mt::Cpu&, const mt::ForwardPass<float, mt::Cpu>& p) const {
    if (p.pass.training) (*heard)();
    std::copy(p.x.begin(), p.x.end(), p.y.begin());
  }
  void backward(const mt::Cpu&, const mt::BackwardPass<float, mt::Cpu>& p) const {
    if (!p.dx.empty()) std::copy(p.dy.begin(), p.dy.end(), p.dx.begin());
  }
};
#endif

}  // namespace

TEST_CASE("N steps are k steps, a stop, another trainer, and N - k steps", "[train][exactness]") {
  const auto data = labelled(83), validation = labelled(31);
  for (std::uint64_t number = 0; number < 200; ++number) {
    CAPTURE(number);
    const Directory whole("whole"), parts("parts");
    auto expected = make(options_of(number, whole.path));
    const mt::History history = expected.fit(data, validation);
    const std::size_t steps = history.steps();
    const std::size_t stop = 1 + mt::Random(number, mt::RandomPurpose::test).word(99) % (steps + 1);
    {
      auto first = make(options_of(number, parts.path));
      CHECK_FALSE(first.resume());
      first.fit(data, validation, {.on_step = [&](const mt::StepEvent& e) {
                  if (e.step == stop) first.request_stop();
                }});
    }
    mt::TrainerOptions other = options_of(number, parts.path);
    other.micro_batch_size = 3;  // which never shows
    auto second = make(other);
    const mt::Resumed resumed = second.resume();
    CHECK(resumed);
    CHECK(resumed.steps == std::min(stop, steps));
    CHECK(resumed.skipped.empty());
    const mt::History rest = second.fit(data, validation);
    check_same(rest, history);
    CHECK(same_bits(second.parameters(), expected.parameters()));
    if (other.noise_scale_every == 0) continue;  // whose last bits do show the micro-batches
    const double scale = expected.noise_scale().value;
    CHECK((std::isnan(scale) ? std::isnan(second.noise_scale().value) : second.noise_scale().value == Approx(scale)));
  }
}

TEST_CASE("a run killed between checkpoints goes on from the last one", "[train][exactness]") {
  const auto data = labelled(83);
  for (const std::size_t kill : {1, 3, 5, 8, 10}) {
    const Directory parts("killed");
    mt::TrainerOptions options{.epochs = 3, .batch_size = 20, .seed = 5};
    auto expected = make(options);
    const mt::History history = expected.fit(data);
    options.checkpoint = {.directory = parts.path, .every_steps = 2};
    {
      auto first = make(options);
      CHECK_THROWS(first.fit(data, {.on_step = [&](const mt::StepEvent& e) {
                               if (e.step == kill) throw 1;
                             }}));
    }
    auto second = make(options);
    const mt::Resumed resumed = second.resume();
    CHECK(resumed.steps <= kill);
    CHECK(bool(resumed) == (kill > 1));
    check_same(second.fit(data), history);
    CHECK(same_bits(second.parameters(), expected.parameters()));
  }
}

#if !defined(MINITRAIN_TEST_CUDA)
TEST_CASE("a signal inside a batch ends the run after the micro-batch, and it goes on there", "[train][exactness]") {
  const auto data = labelled(44);
  const auto heard = std::make_shared<std::function<void()>>([] {});
  const auto make_listening = [&](const mt::TrainerOptions& options) {
    return mt::Trainer{test::device(),
                       mt::Sequential{mt::Dense{6, 9}, Listening{heard}, mt::Dropout{0.2}, mt::Dense{9, 3}},
                       mt::SoftmaxCrossEntropy{}, mt::Adam{.learning_rate = 0.01}, options};
  };
  // Batches of 12 in micro-batches of 5, 5 and 2; the last of an epoch has 8: 11 micro-batches.
  mt::TrainerOptions options{.epochs = 2, .batch_size = 12, .micro_batch_size = 5, .seed = 3};
  auto expected = make_listening(options);
  const mt::History history = expected.fit(data);
  options.handle_signals = true;
  for (const int signal : {SIGINT, SIGTERM}) {
    for (int at = 1; at <= 22; at += signal == SIGINT ? 1 : 5) {
      CAPTURE(signal, at);
      const Directory directory("signal");
      options.checkpoint = {.directory = directory.path, .every_epochs = 100};
      int calls = 0;
      *heard = [&] {
        if (++calls == at) std::raise(signal);
      };
      auto first = make_listening(options);
      const auto stopped = first.fit(data);
      *heard = [] {};
      CHECK(calls == at);
      CHECK(stopped.status == mt::RunStatus::interrupted);
      const bool inside = at % 11 % 3 != 0 && at % 11 != 0;
      CHECK((first.accumulated() > 0) == inside);
      if (inside) CHECK_THROWS_WITH(first.update(), ContainsSubstring("call fit(), which goes on with it"));
      auto second = make_listening(options);
      CHECK(second.resume());
      CHECK(second.accumulated() == first.accumulated());
      check_same(second.fit(data), history);
      CHECK(same_bits(second.parameters(), expected.parameters()));
      if (at == 22) continue;
      fs::remove_all(directory.path);
      // The trainer that was interrupted goes on as well, with that epoch as the first of another fit().
      first.fit(data, {.on_epoch = [&](const mt::EpochRecord& e) {
                  if (e.epoch == 1) first.request_stop();
                }});
      CHECK(same_bits(first.parameters(), expected.parameters()));
    }
  }
}

TEST_CASE("a batch that was interrupted is finished as it is, whatever the batches after it", "[train]") {
  const auto data = labelled(100);
  const auto heard = std::make_shared<std::function<void()>>([] {});
  const auto make_listening = [&](const mt::TrainerOptions& options) {
    return mt::Trainer{test::device(), mt::Sequential{mt::Dense{6, 9}, Listening{heard}, mt::Dense{9, 3}},
                       mt::SoftmaxCrossEntropy{}, mt::Adam{.learning_rate = 0.01}, options};
  };
  const Directory directory("other_batch");
  mt::TrainerOptions options{.epochs = 1,
                             .batch_size = 60,
                             .micro_batch_size = 12,
                             .checkpoint = {.directory = directory.path},
                             .handle_signals = true};
  int calls = 0;
  *heard = [&] {
    if (++calls == 4) std::raise(SIGINT);
  };
  make_listening(options).fit(data);
  *heard = [] {};
  options.batch_size = 20;
  auto second = make_listening(options);
  CHECK_THROWS_WITH(second.resume(), ContainsSubstring("batch_size is 60 in the file, 20 here"));
  CHECK(second.resume({.allow = {"batch_size"}}));
  CHECK(second.accumulated() == 48);
  const auto history = second.fit(data);
  CHECK(history.status == mt::RunStatus::finished);
  CHECK(history.epochs[0].training.samples == 100);
  CHECK(history.epochs[0].steps == 4);  // 48, 20, 20 and 12 samples
}

TEST_CASE("a signal after the last step is told as well", "[train]") {
  auto trainer = make({.epochs = 1, .handle_signals = true});
  const auto history = trainer.fit(labelled(64), {.on_epoch = [](const mt::EpochRecord&) { std::raise(SIGTERM); }});
  CHECK(history.epochs.size() == 1);
  CHECK(history.status == mt::RunStatus::interrupted);
}

TEST_CASE("what an interrupted batch has accumulated can be dropped", "[train]") {
  const auto data = labelled(24);
  const auto heard = std::make_shared<std::function<void()>>([] { std::raise(SIGTERM); });
  mt::Trainer trainer{test::device(),
                      mt::Sequential{mt::Dense{6, 9}, Listening{heard}, mt::Dense{9, 3}},
                      mt::SoftmaxCrossEntropy{},
                      mt::Adam{},
                      {.batch_size = 12, .micro_batch_size = 5, .handle_signals = true}};
  CHECK(trainer.fit(data).status == mt::RunStatus::interrupted);
  CHECK(trainer.accumulated() == 5);
  trainer.end_epoch();
  CHECK(trainer.accumulated() == 0);
  CHECK(trainer.epochs() == 1);
  CHECK(trainer.steps() == 0);
  CHECK_NOTHROW(trainer.update());
}
#endif

TEST_CASE("early stopping is remembered, with its best parameters", "[train][exactness]") {
  const auto data = labelled(64);
  const double losses[] = {3, 2, 2.5, 1.5, 1.6, 1.55, 1.7, 1, 0};
  const auto value = [&](const mt::EpochRecord& e) { return losses[e.epoch]; };
  const auto options = [&](const std::string& directory) {
    mt::TrainerOptions o{.epochs = 9, .batch_size = 64, .early_stopping = {.patience = 3, .watched = {.value = value}}};
    if (!directory.empty()) o.checkpoint = {.directory = directory, .keep_last = 20};
    return o;
  };
  auto expected = make(options(""));
  const auto history = expected.fit(data);
  REQUIRE(history.status == mt::RunStatus::early_stopped);
  for (const std::size_t stop : {1, 4, 5, 6}) {
    const Directory directory("early");
    auto first = make(options(directory.path));
    first.fit(data, {.on_epoch = [&](const mt::EpochRecord& e) {
                if (e.epoch + 1 == stop) first.request_stop();
              }});
    auto second = make(options(directory.path));
    CHECK(second.resume());
    check_same(second.fit(data), history);
    CHECK(same_bits(second.parameters(), expected.parameters()));
    // And once more, when it has come to its end already.
    auto third = make(options(directory.path));
    CHECK(third.resume());
    check_same(third.fit(data), history);
    CHECK(same_bits(third.parameters(), expected.parameters()));
  }
}

TEST_CASE("a run that came to its end is not done again", "[train]") {
  const Directory directory("done");
  const auto data = labelled(64);
  const mt::TrainerOptions options{.epochs = 2, .batch_size = 32, .checkpoint = {.directory = directory.path}};
  auto first = make(options);
  const auto history = first.fit(data);
  auto second = make(options);
  CHECK(second.resume());
  check_same(second.fit(data), history);
  CHECK(second.steps() == 4);
  CHECK(same_bits(first.parameters(), second.parameters()));
  CHECK(second.fit(data).epochs.size() == 2);  // the next fit() is another one
  CHECK(second.steps() == 8);
}

TEST_CASE("a run that has done more epochs than are asked for is refused", "[train][bad input]") {
  const Directory directory("fewer");
  const auto data = labelled(64);
  const auto options = [&](std::size_t epochs) {
    return mt::TrainerOptions{.epochs = epochs, .batch_size = 32, .checkpoint = {.directory = directory.path}};
  };
  auto first = make(options(5));
  first.fit(data, {.on_epoch = [&](const mt::EpochRecord& e) {
              if (e.epoch == 2) first.request_stop();
            }});
  auto fewer = make(options(2));
  REQUIRE(fewer.resume());
  const auto before = fewer.parameters();
  CHECK_THROWS_AS(fewer.fit(data), mt::OptionError);
  CHECK_THROWS_WITH(fewer.fit(data), ContainsSubstring("3 epochs of the run that goes on are done") &&
                                         ContainsSubstring("epochs is 2: ask for 3 or more"));
  CHECK(same_bits(fewer.parameters(), before));
  auto equal = make(options(3));
  REQUIRE(equal.resume());
  CHECK(equal.fit(data).epochs.size() == 3);  // and nothing is done
  CHECK(equal.steps() == 6);

  auto more = make(options(5));
  REQUIRE(more.resume());
  more.fit(data, {.on_step = [&](const mt::StepEvent&) { more.request_stop(); }});  // in the fourth
  auto part = make(options(3));
  REQUIRE(part.resume());
  CHECK_THROWS_WITH(part.fit(data), ContainsSubstring("3 epochs and a part of the next of the run that goes on") &&
                                        ContainsSubstring("ask for 4 or more"));
  auto enough = make(options(4));
  REQUIRE(enough.resume());
  CHECK(enough.fit(data).epochs.size() == 4);
}

TEST_CASE("two runs do not write to one directory at a time", "[train][bad input]") {
  const Directory directory("two");
  const auto data = labelled(64);
  const mt::TrainerOptions options{.epochs = 2, .batch_size = 32, .checkpoint = {.directory = directory.path}};
  auto first = make(options), second = make(options);
  bool asked = false;
  first.fit(data, {.on_epoch = [&](const mt::EpochRecord&) {
              asked = true;
              CHECK_THROWS_AS(second.fit(data), mt::DataError);
              CHECK_THROWS_WITH(second.fit(data), ContainsSubstring(directory.path) &&
                                                      ContainsSubstring("found in use by another program"));
              CHECK(second.steps() == 0);
              CHECK_NOTHROW(make(options).resume());  // which only reads
            }});
  CHECK(asked);
  CHECK(second.resume());
  CHECK_NOTHROW(second.fit(data));
}

TEST_CASE("a run does not mix with another one's checkpoints", "[train][bad input]") {
  const Directory directory("mixed");
  const auto data = labelled(64);
  const mt::TrainerOptions options{.epochs = 2, .batch_size = 32, .checkpoint = {.directory = directory.path}};
  make(options).fit(data);
  auto second = make(options);
  CHECK_THROWS_WITH(second.fit(data), ContainsSubstring("holds one of step 4, but this run is at step 0"));
  CHECK(second.steps() == 0);
  mt::TrainerOptions wider = options;
  wider.batch_size = 16;
  wider.seed = 7;
  auto third = make(wider);
  CHECK_THROWS_WITH(third.resume(), ContainsSubstring("batch_size") && ContainsSubstring("seed"));
  CHECK(third.steps() == 0);
  CHECK(third.resume({.allow = {"batch_size", "seed"}}));
  CHECK(third.steps() == 4);
  CHECK_THROWS_WITH(make({}).resume(), ContainsSubstring("names no directory"));
}

TEST_CASE("a run does not go on with other data unless allowed", "[train][bad input]") {
  const Directory directory("data");
  const auto data = labelled(64),
             other = mt::synthetic_classification({.samples = 64, .features = 6, .classes = 3, .seed = 6});
  const mt::TrainerOptions options{.epochs = 2, .batch_size = 20, .checkpoint = {.directory = directory.path}};
  auto first = make(options);
  first.fit(data, {.on_step = [&](const mt::StepEvent&) { first.request_stop(); }});
  auto second = make(options);
  CHECK(second.resume());
  const auto before = second.parameters();
  CHECK_THROWS_WITH(second.fit(other), ContainsSubstring("the run began with data of 64 x 6, 3 classes"));
  CHECK(same_bits(second.parameters(), before));
  CHECK(second.resume({.allow = {"data"}}));
  CHECK_NOTHROW(second.fit(other));
}

TEST_CASE("checkpoints that cannot be written are told, and training goes on", "[train][bad input]") {
  const Directory directory("full"), moved("full_moved");
  const auto data = labelled(64);
  std::string told;
  auto trainer = make({.epochs = 3,
                       .batch_size = 32,
                       .checkpoint = {.directory = directory.path, .every_steps = 1, .max_failures = 100}});
  const auto spoil = [&](const mt::StepEvent& e) {
    if (e.step == 2) {  // the directory becomes a file, even while a checkpoint is written to it
      fs::rename(directory.path, moved.path);
      std::ofstream(directory.path) << "x";
    }
  };
  const auto history =
      trainer.fit(data, {.on_step = spoil, .on_message = [&](mt::Severity, std::string_view text) { told += text; }});
  CHECK(history.status == mt::RunStatus::finished);
  CHECK(trainer.steps() == 6);
  CHECK_THAT(told, ContainsSubstring("could not be written, training goes on"));
}

TEST_CASE("damaged checkpoints are passed over and named", "[train][bad input]") {
  const Directory directory("damaged");
  const auto data = labelled(64);
  const mt::TrainerOptions options{
      .epochs = 2, .batch_size = 32, .checkpoint = {.directory = directory.path, .every_steps = 1}};
  make(options).fit(data);
  const std::string newest = directory.path + "/step_000000000004.safetensors";
  REQUIRE(fs::exists(newest));
  {
    std::fstream file(newest, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('\x55');
  }
  auto second = make(options);
  const auto resumed = second.resume();
  CHECK(resumed.steps < 4);
  REQUIRE(resumed.skipped.size() == 1);
  CHECK_THAT(resumed.skipped.front(), ContainsSubstring("step_000000000004"));
}

TEST_CASE("the best checkpoint stays the best when the run is started again", "[train]") {
  const Directory directory("best");
  const auto data = labelled(64);
  const double losses[] = {3, 1, 2, 5, 5, 5};
  const auto options = [&](std::size_t epochs) {
    mt::TrainerOptions o{.epochs = epochs, .batch_size = 32};
    o.early_stopping.watched.value = [&](const mt::EpochRecord& e) { return losses[e.epoch]; };
    o.checkpoint = {.directory = directory.path, .keep_last = 1};
    return o;
  };
  const auto has = [&](const char* step) {
    return fs::exists(directory.path + "/step_00000000000" + step + ".safetensors");
  };
  for (const std::size_t epochs : {2, 2, 3, 3, 6}) {
    auto trainer = make(options(epochs));
    trainer.resume();
    trainer.fit(
        data, {.on_epoch = [](const mt::EpochRecord&) { std::this_thread::sleep_for(std::chrono::milliseconds(30)); }});
    CHECK(has("4"));  // after epoch 1
  }
  CHECK_FALSE(has("6"));
}

TEST_CASE("a run whose observer cannot begin has not begun", "[train][bad input]") {
  struct Broken : mt::Observer {
    void begin(const mt::RunInfo&) override { throw mt::DataError(mt::ErrorCode::io_error, "no log"); }
  };
  const Directory directory("begin");
  const auto data = labelled(64);
  const mt::TrainerOptions options{.epochs = 4, .batch_size = 32, .checkpoint = {.directory = directory.path}};
  auto first = make(options);
  first.fit(data, {.on_epoch = [&](const mt::EpochRecord& e) {
              if (e.epoch == 2) first.request_stop();
            }});
  auto second = make(options);
  CHECK(second.resume());
  Broken broken;
  CHECK_THROWS_AS(second.fit(data, {.observers = {&broken}}), mt::DataError);
  const auto history = second.fit(data);
  CHECK(history.epochs.size() == 4);
  CHECK(second.epochs() == 4);
}

TEST_CASE("options that change a run are compared, each by its name", "[train][bad input]") {
  const Directory directory("fields");
  const auto data = labelled(64);
  mt::TrainerOptions options{.epochs = 1, .batch_size = 32};
  options.schedule = mt::OneCycle{.steps = 10};
  options.checkpoint = {.directory = directory.path};
  make(options).fit(data);
  const auto refused = [&](const char* field, auto&& change) {
    mt::TrainerOptions other = options;
    change(other);
    CHECK_THROWS_WITH(make(other).resume(), ContainsSubstring(field));
    CHECK(make(other).resume({.allow = {field}}));
  };
  refused("schedule", [](auto& o) { o.schedule = mt::OneCycle{.steps = 10, .first_divisor = 10}; });
  refused("batch_growth", [](auto& o) { o.batch_growth.at = {1}; });
  refused("non_finite", [](auto& o) { o.non_finite.action = mt::OnNonFinite::skip; });
  refused("reduce_on_plateau", [](auto& o) { o.reduce_on_plateau.factor = 0.5; });
  refused("early_stopping", [](auto& o) { o.early_stopping.patience = 3; });
  refused("clip_value", [](auto& o) { o.clip_value = 3; });
  CHECK_THROWS_WITH(make(options).resume({.allow = {"bach_size"}}), ContainsSubstring("no field 'bach_size' to allow"));
  CHECK_THROWS_WITH(make({.checkpoint = {.every_steps = 3}}), ContainsSubstring("there is no directory"));
}
