// The profile of a run: phases that add up, bytes beside what was predicted, and the same bits as without.

#include <minitrain/cpu.hpp>
#include <minitrain/trainer.hpp>

#include "support/catch.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::ContainsSubstring, test::labelled;

namespace {

const mt::Sequential model{mt::Dense{6, 16}, mt::ReLU{}, mt::Dense{16, 3}};

mt::Trainer<> trainer_with(bool profile, std::size_t micro = 8) {
  return {mt::Cpu{{.threads = 1}},
          model,
          mt::SoftmaxCrossEntropy{},
          mt::Adam{},
          {.epochs = 3, .batch_size = 32, .micro_batch_size = micro, .seed = 4, .clip_norm = 1, .profile = profile}};
}

}  // namespace

TEST_CASE("a profile says where every epoch of the last fit went", "[train]") {
  mt::Trainer trainer = trainer_with(true);
  trainer.fit(labelled(), labelled(50));
  const mt::History history = trainer.fit(labelled(), labelled(50));
  const mt::Profile& profile = trainer.profile();
  CHECK(profile.batch_size == 32);
  CHECK(profile.micro_batch == 8);
  CHECK(profile.resident);
  CHECK(profile.data_set.predicted == mt::Traffic{});
  CHECK(profile.data_set.measured.to_device_bytes == 0);
  REQUIRE(profile.epochs.size() == 3);
  for (std::size_t e = 0; e < 3; ++e) {
    const mt::EpochProfile& epoch = profile.epochs[e];
    CAPTURE(e, mt::to_string(profile));
    CHECK(epoch.epoch == 3 + e);
    CHECK(epoch.steps == 7);
    CHECK(epoch.samples == 200);
    CHECK(epoch.sample_bytes == 200 * 7 * 4);
    for (const double seconds : epoch.phases.seconds) CHECK(seconds > 0);
    CHECK(epoch.phases.total() <= epoch.seconds());
    CHECK(history.epochs[e].seconds <= epoch.seconds());
    CHECK(epoch.stall() > 0);
    CHECK(epoch.stall() < 1);
    CHECK(epoch.gather_bandwidth() > 0);
    CHECK(epoch.transfer.predicted == mt::Traffic{});
    CHECK(epoch.transfer.measured.from_device_bytes == 0);
  }
}

TEST_CASE("a profile changes no bit", "[train][exactness]") {
  for (const std::size_t micro : {1, 8, 32}) {
    mt::Trainer plain = trainer_with(false, micro), measured = trainer_with(true, micro);
    plain.fit(labelled());
    measured.fit(labelled());
    CHECK(plain.parameters() == measured.parameters());
  }
}

TEST_CASE("what a callback does is no phase of a step but the rest", "[train]") {
  mt::Trainer trainer = trainer_with(true);
  std::size_t steps = 0;
  trainer.fit(labelled(), {.on_step = [&](const mt::StepEvent&) {
                trainer.evaluate(labelled());  // whose forward passes are not those of a step
                ++steps;
              }});
  const mt::EpochProfile& epoch = trainer.profile().epochs.back();
  CHECK(steps == 21);
  CHECK(epoch.samples == 200);
  CHECK(epoch.phases.total() <= epoch.seconds());
}

TEST_CASE("a profile of an epoch that goes on is of the rest of it", "[train]") {
  mt::Trainer trainer = trainer_with(true);
  trainer.fit(labelled(), {.on_step = [&](const mt::StepEvent& e) {
                if (e.step == 5) trainer.request_stop();
              }});
  CHECK(trainer.profile().epochs.front().steps == 5);
  CHECK(trainer.profile().epochs.front().samples == 160);
  trainer.fit(labelled());
  CHECK(trainer.profile().epochs.front().steps == 2);
  CHECK(trainer.profile().epochs.front().samples == 40);
  CHECK(trainer.profile().epochs.front().sample_bytes == 40 * 7 * 4);
  CHECK(trainer.profile().epochs.back().steps == 7);
}

TEST_CASE("a profile survives the move of its trainer", "[train]") {
  mt::Trainer first = trainer_with(true);
  mt::Trainer second = std::move(first);
  second.fit(labelled());
  CHECK(second.profile().epochs.size() == 3);
}

TEST_CASE("without the option there is no profile", "[train][bad input]") {
  mt::Trainer trainer = trainer_with(false);
  trainer.fit(labelled());
  CHECK_THROWS_WITH(trainer.profile(), ContainsSubstring("set TrainerOptions::profile"));
  CHECK_THROWS_AS(trainer.profile(), mt::OptionError);
}

TEST_CASE("a profile as a table and for programs", "[train]") {
  mt::Trainer trainer = trainer_with(true);
  CHECK_NOTHROW(mt::to_string(trainer.profile()));  // of nothing
  trainer.fit(labelled());
  const std::string text = mt::to_string(trainer.profile()), json = mt::to_json(trainer.profile());
  for (const char* word : {"gather", "forward", "backward", "copy", "update", "stall", "predicted", "from disk"}) {
    CAPTURE(word);
    CHECK_THAT(text, ContainsSubstring(word));
  }
  std::ptrdiff_t depth = 0;
  for (const char c : json) {
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    CHECK(depth >= 0);
  }
  CHECK(depth == 0);
  for (const char* word : {"\"device\": \"CPU, 1 thread", "\"phases\": {\"gather\": ", "\"wait_seconds\": ",
                           "\"predicted\": {\"to_device_bytes\": 0", "\"run\": {\"seconds\": "}) {
    CAPTURE(word);
    CHECK_THAT(json, ContainsSubstring(word));
  }
}
