#include <minitrain/train/run_record.hpp>

#include "io/support.hpp"
#include "support/errors.hpp"
#include "support/python.hpp"

namespace mt = minitrain;

namespace {

const mt::RunInfo run{.model = "Dense{2, 1}",
                      .loss = "MeanSquaredError",
                      .optimizer = "SGD",
                      .device = "CPU",
                      .parameters = 3,
                      .first_epoch = 1,
                      .epochs = 4,
                      .steps = 17,
                      .samples = 100,
                      .position = 65,
                      .steps_in_epoch = 7,
                      .batch_size = 10,
                      .micro_batch_size = 5,
                      .seed = ~std::uint64_t{0},
                      .learning_rate = 0.1,
                      .has_validation = true};

mt::History history_of(mt::RunStatus status) {
  const mt::EpochRecord last{.epoch = 2,
                             .steps = 13,
                             .training = {.loss = 0.25, .samples = 100},
                             .validation = {.loss = HUGE_VAL, .accuracy = 0.5},
                             .seconds = 1.5,
                             .samples_per_second = 50};
  return {.epochs = {{.epoch = 1, .steps = 10}, last}, .status = status};
}

}  // namespace

TEST_CASE("a record of a run says running, and at the end how it went", "[train]") {
  const test::Folder folder;
  const std::string path = folder / "run.json";
  mt::TrainerOptions options;
  options.clip_norm = 0.5;
  mt::RunRecord record{path,
                       {.command_line = {"./program", "--seed", "7"},
                        .options = options,
                        .values = {{"commit", "3f2a91c"}, {"note", "a \"quote\"\n\xC3\xA4"}}}};
  CHECK_FALSE(record.hears_steps());
  record.begin(run);
  const std::string at_first = test::read_all(path);
  CHECK(at_first.starts_with("{\n  \"status\": \"running\",\n  \"started\": \"20"));
  CHECK(at_first.find("\"ended\"") == std::string::npos);
  CHECK_THAT(at_first, test::ContainsSubstring("\"values\": {\n    \"commit\": \"3f2a91c\",\n    \"note\": \"a "));
  CHECK_THAT(at_first, test::ContainsSubstring(mt::detail::io::quoted(__VERSION__).substr(1, 5)));
  CHECK_THAT(at_first, test::ContainsSubstring("\"minitrain\": \"" MINITRAIN_VERSION "\""));
  for (const mt::EpochRecord& epoch : history_of(mt::RunStatus::early_stopped).epochs) record.epoch(epoch);
  record.end(history_of(mt::RunStatus::early_stopped));
  const std::string at_last = test::read_all(path);
  CHECK_THAT(at_last, test::ContainsSubstring("\"validation_loss\": null,"));
  // 17 before this fit(), 7 of them (65 samples in batches of 10) of its first epoch, which has 10; then 13.
  CHECK_THAT(at_last, test::ContainsSubstring("\"steps\": 33,"));
  CHECK(folder.count() == 1);
  const std::string python = test::python_with("json");
  if (!python.empty()) CHECK(test::run_python(python, __FILE__, "log_interop.py", path, "run"));
}

TEST_CASE("every status of a run has its word", "[train]") {
  const test::Folder folder;
  using enum mt::RunStatus;
  for (const auto& [status, word] : {std::pair(finished, "finished"),
                                     {stopped, "stopped"},
                                     {early_stopped, "early_stopped"},
                                     {interrupted, "interrupted"},
                                     {failed, "failed"}}) {
    mt::RunRecord record{folder / "run.json"};
    record.begin(run);
    record.end({.status = status});
    CHECK(test::read_all(folder / "run.json").starts_with("{\n  \"status\": \"" + std::string(word) + "\","));
  }
}

TEST_CASE("a record that cannot be written says so before training, and ends no run", "[train]") {
  const test::Folder folder;
  std::filesystem::create_directory(folder / "there");
  std::vector<std::string> said;
  mt::RunRecord record{folder / "there/run.json",
                       {.on_message = [&](mt::Severity, std::string_view text) { said.emplace_back(text); }}};
  record.begin(run);
  std::filesystem::remove_all(folder / "there");
  record.end({});
  REQUIRE(said.size() == 1);
  CHECK_THAT(said[0], test::ContainsSubstring("run.json"));
  test::check_error<mt::DataError>(
      mt::ErrorCode::io_error, [&] { record.begin(run); }, "No such file");
  record.end({.status = mt::RunStatus::failed});  // as fit() says then
  CHECK(said.size() == 1);
}

TEST_CASE("a record has the options of loss, optimizer and rules, and why a run failed", "[train]") {
  const test::Folder folder;
  const std::string path = folder / "run.json";
  mt::RunInfo info = run;
  info.options = {{"optimizer.beta1", "0.9"}, {"batch_growth", "times 2 to 0 at 1"}};
  mt::RunRecord record{path};
  record.begin(info);
  CHECK_THAT(test::read_all(path), test::ContainsSubstring("\"compared\": {\n    \"optimizer.beta1\": \"0.9\",\n    "
                                                           "\"batch_growth\": \"times 2 to 0 at 1\"\n  },"));
  record.end({.status = mt::RunStatus::failed, .failure = "a \"word\""});
  CHECK(test::read_all(path).starts_with("{\n  \"status\": \"failed\",\n  \"failure\": \"a \\\"word\\\"\",\n"));
}

TEST_CASE("a record replaces no file that is none", "[train][bad input]") {
  const test::Folder folder;
  const std::string path = folder / "run.json";
  for (const char* const other : {"{\"precious\": 1}", "{", "x", "{\n  \"status\": 1}"}) {
    test::write_all(path, other);
    mt::RunRecord record{path};
    test::check_error<mt::DataError>(
        mt::ErrorCode::bad_header, [&] { record.begin(run); }, "wanted a record of a run to replace");
    record.end({.status = mt::RunStatus::failed});
    CHECK(test::read_all(path) == other);
  }
  test::write_all(path, "");
  for (int i = 0; i < 2; ++i) {
    mt::RunRecord record{path};
    CHECK_NOTHROW(record.begin(run));
    record.end({});
  }
}

TEST_CASE("times of a record are in UTC", "[train]") {
  using std::chrono::system_clock;
  CHECK(mt::detail::utc_text(system_clock::from_time_t(0)) == "1970-01-01T00:00:00Z");
  CHECK(mt::detail::utc_text(system_clock::from_time_t(951'827'696)) == "2000-02-29T12:34:56Z");
}
