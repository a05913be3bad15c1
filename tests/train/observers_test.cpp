// What listens to a run, in a run: a bar, logs and a record beside one another, and a run that goes on.

#include <minitrain/train/csv_log.hpp>
#include <minitrain/train/jsonl_log.hpp>
#include <minitrain/train/progress_bar.hpp>
#include <minitrain/train/run_record.hpp>
#include <minitrain/train/tensorboard_log.hpp>
#include <minitrain/trainer.hpp>

#include <sstream>

#include "io/support.hpp"

namespace mt = minitrain;

namespace {

const mt::Dataset& data() {
  static const mt::Dataset set = mt::synthetic_classification({.samples = 300, .features = 7, .classes = 3, .seed = 3});
  return set;
}

mt::Trainer<float, mt::Cpu> trainer() {
  return {mt::Cpu{},
          mt::Sequential{mt::Dense{7, 9}, mt::ReLU{}, mt::Dense{9, 3}},
          mt::SoftmaxCrossEntropy{},
          mt::Adam{.learning_rate = 1e-2},
          {.epochs = 3, .batch_size = 32, .seed = 7, .clip_norm = 1}};
}

/// Steps and epochs of a log, without times.
std::vector<std::string> numbers_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("{\"event\":\"step\"") && !line.starts_with("{\"event\":\"epoch\"")) continue;
    for (const char* const name : {"elapsed", "epoch_seconds", "samples_per_second"}) {
      const std::size_t at = line.find(std::string(",\"") + name);
      if (at != std::string::npos) line.erase(at, line.find_first_of(",}", at + 1) - at);
    }
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

TEST_CASE("a run that was killed and went on has the log of one that was not", "[train]") {
  const test::Folder folder;
  const std::string whole = folder / "whole.jsonl", parts = folder / "parts.jsonl",
                    state = folder / "state.safetensors";
  mt::JsonlLog whole_log{whole, {.every_steps = 1}}, first_log{parts, {.every_steps = 1}},
      second_log{parts, {.every_steps = 1}};
  mt::Trainer without_stop = trainer(), killed = trainer(), goes_on = trainer();
  without_stop.fit(data(), data(), {.observers = {&whole_log}});
  const std::vector<std::string> wanted = numbers_of(whole);
  REQUIRE(wanted.size() == 33);
  CHECK(wanted[0].find("\"gradient_norm\":null") == std::string::npos);  // clipping has asked for it
  CHECK_THROWS(killed.fit(data(), data(),
                          {.on_step =
                               [&](const mt::StepEvent& event) {
                                 if (event.step == 13) killed.save(state);
                                 if (event.step == 17) throw std::runtime_error("killed");
                               },
                           .observers = {&first_log}}));
  CHECK(numbers_of(parts).size() == 16 + 1);
  goes_on.load(state);
  goes_on.fit(data(), data(), {.observers = {&second_log}});
  std::vector<std::string> found = numbers_of(parts);
  REQUIRE(found.size() >= wanted.size());
  found.resize(wanted.size());  // whether or not this fit() counts the epochs from before
  CHECK(found == wanted);
}

TEST_CASE("all observers listen to one run", "[train]") {
  const test::Folder folder;
  std::ostringstream out;
  mt::ProgressBar bar{out};
  mt::JsonlLog jsonl{folder / "metrics.jsonl", {.every_steps = 10}};
  mt::CsvLog csv{folder / "metrics.csv", {.every_steps = 10}};
  mt::TensorBoardLog board{folder / "board", {.every_steps = 10}};
  mt::Trainer t = trainer();
  mt::RunRecord record{folder / "run.json", {.command_line = {"test"}, .options = t.options()}};
  t.fit(data(), data(), {.observers = {&bar, &jsonl, &csv, &board, &record}});
  CHECK_THAT(out.str(),
             test::ContainsSubstring("epoch 3/3: loss ") && test::ContainsSubstring(", validation accuracy "));
  CHECK(numbers_of(folder / "metrics.jsonl").size() == 3 + 3);
  const std::string table = test::read_all(folder / "metrics.csv"), run = test::read_all(folder / "run.json");
  CHECK(std::count(table.begin(), table.end(), '\n') == 1 + 1 + 3 + 3 + 1);
  CHECK_THAT(run, test::ContainsSubstring("\"status\": \"finished\"") && test::ContainsSubstring("\"steps\": 30,") &&
                      test::ContainsSubstring("\"parameters\": 102,") && test::ContainsSubstring("\"seed\": 7,"));
  CHECK(std::filesystem::file_size(std::filesystem::directory_iterator(folder / "board")->path()) > 1000);
}

TEST_CASE("the record of a run knows all options of a trainer, and the words of what it failed by", "[train]") {
  const test::Folder folder;
  mt::Trainer<float, mt::Cpu> t{mt::Cpu{},
                                mt::Sequential{mt::Dense{7, 3}},
                                mt::SoftmaxCrossEntropy{.label_smoothing = 0.1},
                                mt::Adam{.learning_rate = 1e-2, .beta1 = 0.8},
                                {.epochs = 3,
                                 .batch_size = 32,
                                 .reduce_on_plateau = {.factor = 0.5, .patience = 7},
                                 .batch_growth = {.at = {2}, .factor = 4}}};
  mt::RunRecord record{folder / "run.json"};
  const auto fail = [&](const auto& with) {
    CHECK_THROWS(t.fit(data(), {.on_step = [&](const mt::StepEvent&) { throw with; }, .observers = {&record}}));
    return test::read_all(folder / "run.json");
  };
  const std::string run = fail(std::runtime_error("the lights went out"));
  CHECK_THAT(run, test::ContainsSubstring("\"status\": \"failed\",\n  \"failure\": \"the lights went out\""));
  for (const char* const text :
       {"\"loss.label_smoothing\": \"0.1\"", "\"optimizer.beta1\": \"0.8\"", "\"non_finite\": \"",
        "\"reduce_on_plateau\": \"0.5 7 ", "\"batch_growth\": \"times 4 to 0 at 2\""}) {
    CHECK_THAT(run, test::ContainsSubstring(text));
  }
  CHECK_THAT(fail(1), test::ContainsSubstring("\"failure\": \"an exception of an unknown type\""));
}

TEST_CASE("an observer that is given twice is refused before anything has happened", "[train][bad input]") {
  const test::Folder folder;
  mt::JsonlLog log{folder / "metrics.jsonl"};
  mt::RunRecord record{folder / "run.json"};
  mt::Trainer t = trainer();
  const auto fit = [&] { t.fit(data(), {.observers = {&log, &record, &log}}); };
  CHECK_THROWS_AS(fit(), mt::OptionError);
  CHECK_THROWS_WITH(fit(), test::ContainsSubstring("observers 0 and 2 are the same"));
  CHECK(folder.count() == 0);
  CHECK(t.steps() == 0);
}

TEST_CASE("what hears of no steps leaves none to be told, and one that refuses leaves the others unhurt", "[train]") {
  const test::Folder folder;
  test::write_all(folder / "precious", "not a log\n");
  std::ostringstream out;
  mt::ProgressBar bar{out, {}, {.steps = false}}, late{out, {}, {.steps = false}};
  mt::JsonlLog first{folder / "first", {.every_steps = 0}}, wrong{folder / "precious", {.every_steps = 0}};
  mt::RunRecord never{folder / "run.json"};
  mt::Trainer t = trainer();
  CHECK_THROWS_AS(t.fit(data(), {.observers = {&bar, &first, &wrong, &late, &never}}), mt::DataError);
  CHECK(test::read_all(folder / "precious") == "not a log\n");
  CHECK(out.str() == "training failed in epoch 1/3\n");  // of the bar that had begun
  CHECK_THAT(test::read_all(folder / "first"), test::ContainsSubstring("\"text\":\"failed\"}"));
  CHECK(folder.count() == 2);
  CHECK(t.steps() == 0);
  CHECK_FALSE(mt::Audience({.observers = {&bar, &first, &never}}).hears_steps());
}
