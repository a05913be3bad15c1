#include <minitrain/train/csv_log.hpp>
#include <minitrain/train/jsonl_log.hpp>

#include <sys/resource.h>

#include <csignal>

#include "io/support.hpp"
#include "support/errors.hpp"
#include "support/python.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

mt::RunInfo run_from(std::size_t steps) {
  return {.model = "Dense{2, 1}\n",
          .loss = "MSE",
          .optimizer = "SGD",
          .device = "CPU",
          .first_epoch = steps / 10,
          .epochs = 3,
          .steps = steps,
          .samples = 100,
          .position = steps % 10 * 10,
          .steps_in_epoch = steps % 10,
          .batch_size = 10,
          .learning_rate = 0.1};
}

/// Steps (from, to] of epochs of ten steps; what is there after the last is a killed process's.
void train(mt::Observer& log, std::size_t from, std::size_t to) {
  log.begin(run_from(from));
  for (std::size_t step = from + 1; step <= to; ++step) {
    const std::size_t samples = (step - 1) % 10 * 10 + 10;
    if (log.hears_steps()) {
      log.step({.step = step,
                .epoch = (step - 1) / 10,
                .samples = samples,
                .of_samples = 100,
                .loss = 1.0 / static_cast<double>(step),
                .batch_size = 10,
                .learning_rate = 0.1});
    }
    if (step % 10 == 0) {
      log.epoch({.epoch = step / 10 - 1,
                 .steps = 10,
                 .training = {.loss = 0.3, .accuracy = nan, .samples = 100},
                 .validation = {.loss = 1e-9, .accuracy = 0.5, .samples = 10},
                 .seconds = 2,
                 .samples_per_second = 50,
                 .batch_size = 10,
                 .learning_rate = 0.2});
    }
  }
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// Without its time, which is another in every run.
std::string timeless(std::string line) {
  const std::size_t at = line.find(",\"elapsed\":");
  if (at != std::string::npos) line.erase(at, line.find_first_of(",}", at + 1) - at);
  return line;
}

/// `event step`, of every line.
std::vector<std::string> story(const std::string& path) {
  std::vector<std::string> words;
  for (const std::string& line : lines_of(path)) {
    const std::size_t event = line.find(':') + 2, step = line.find(":", event) + 1;
    words.push_back(line.substr(event, line.find('"', event) - event) + " " +
                    line.substr(step, line.find(',', step) - step));
  }
  return words;
}

}  // namespace

TEST_CASE("a log of JSON lines holds steps, epochs and messages", "[train]") {
  const test::Folder folder;
  const std::string path = folder / "metrics.jsonl";
  mt::JsonlLog log{path, {.every_steps = 5}};
  train(log, 0, 10);
  log.message(mt::Severity::warning, "a \"quoted\"\n\xC3\xA4 text");
  log.message(mt::Severity::information, "not UTF-8: \xFF");
  log.end({.status = mt::RunStatus::early_stopped});
  const std::vector<std::string> lines = lines_of(path);
  REQUIRE(lines.size() == 7);
  CHECK(
      timeless(lines[0]) ==
      R"({"event":"begin","step":0,"epoch":0,"samples":0,"batch_size":10,"learning_rate":0.1,"text":"MSE, SGD, CPU"})");
  CHECK(
      timeless(lines[1]) ==
      R"({"event":"step","step":5,"epoch":0,"samples":50,"loss":0.2,"batch_size":10,"learning_rate":0.1,"gradient_norm":null})");
  CHECK(timeless(lines[2]).starts_with(R"({"event":"step","step":10,"epoch":0,"samples":100,"loss":0.1,)"));
  CHECK(
      timeless(lines[3]) ==
      R"({"event":"epoch","step":10,"epoch":0,"samples":100,"loss":0.3,"accuracy":null,"validation_loss":1e-09,)"
      R"("validation_accuracy":0.5,"batch_size":10,"learning_rate":0.2,"noise_scale":null,"epoch_seconds":2,"samples_per_second":50})");
  CHECK(timeless(lines[4]) ==
        "{\"event\":\"warning\",\"step\":10,\"epoch\":0,\"text\":\"a \\\"quoted\\\"\\u000a\xC3\xA4 text\"}");
  CHECK(timeless(lines[5]) == R"({"event":"information","step":10,"epoch":0,"text":"not UTF-8: \\xff"})");
  CHECK(timeless(lines[6]) == R"({"event":"end","step":10,"epoch":0,"text":"early_stopped"})");
}

TEST_CASE("a table of a run has one header and RFC 4180's quotes", "[train]") {
  const test::Folder folder;
  const std::string path = folder / "metrics.csv";
  mt::CsvLog log{path, {.every_steps = 10}};
  train(log, 0, 10);
  log.message(mt::Severity::warning, "commas, \"quotes\"\nand lines");
  log.end({});
  const std::string text = test::read_all(path);
  CHECK(text.starts_with(
      "event,step,epoch,samples,loss,accuracy,validation_loss,validation_accuracy,batch_size,learning_rate,"
      "gradient_norm,noise_scale,elapsed,epoch_seconds,samples_per_second,text\r\nbegin,0,0,0,,,,,10,0.1,,,"));
  CHECK_THAT(text, test::ContainsSubstring("\r\nstep,10,0,100,0.1,,,,10,0.1,,,"));
  CHECK_THAT(text, test::ContainsSubstring("\r\nepoch,10,0,100,0.3,,1e-09,0.5,10,0.2,,,"));
  CHECK_THAT(text, test::ContainsSubstring(",2,50,\r\n"));
  CHECK_THAT(text, test::ContainsSubstring(",\"commas, \"\"quotes\"\" and lines\"\r\n"));
  CHECK(text.ends_with(",finished\r\n"));
  for (const std::string& line : lines_of(path)) {
    CHECK(line.back() == '\r');
    const std::string plain = line.substr(0, line.find('"'));
    if (plain.size() == line.size()) CHECK(std::count(line.begin(), line.end(), ',') == 15);
  }
}

TEMPLATE_TEST_CASE("a run that goes on adds to its log and repeats nothing", "[train]", mt::JsonlLog, mt::CsvLog) {
  const test::Folder folder;
  const std::string path = folder / "log";
  {
    TestType log{path, {.every_steps = 1, .flush_seconds = 0}};
    train(log, 0, 17);  // and was killed; what it goes on from was saved after step 13
  }
  const std::vector<std::string> before = lines_of(path);
  const bool header = before[0].starts_with("event");
  REQUIRE(before.size() == (header ? 1 : 0) + 1 + 17 + 1);
  SECTION("from a file saved within an epoch") {
    TestType log{path, {.every_steps = 1}};
    train(log, 13, 20);
    log.end({});
    const std::vector<std::string> after = lines_of(path);
    REQUIRE(after.size() == before.size() - 4 + 1 + 7 + 1 + 1);
    for (std::size_t i = 0; i < before.size() - 4; ++i) CHECK(after[i] == before[i]);
    if (!header) {
      const auto words = story(path);
      CHECK(words[14] == "step 13");
      CHECK(words[15] == "begin 13");
      CHECK(words[16] == "step 14");
      CHECK(words.back() == "end 20");
    }
  }
  SECTION("from a file saved after the last step of an epoch, before its end") {
    TestType log{path, {.every_steps = 1}};
    mt::RunInfo info = run_from(10);
    info.first_epoch = 0;
    info.position = 100;
    info.steps_in_epoch = 10;
    log.begin(info);
    log.epoch({.epoch = 0, .steps = 10});
    log.end({});
    CHECK(lines_of(path).size() == (header ? 1 : 0) + 1 + 10 + 1 + 1 + 1);
  }
  SECTION("a second run from the beginning") {
    TestType log{path, {.every_steps = 0}};
    CHECK_FALSE(log.hears_steps());
    train(log, 0, 20);
    log.end({});
    const std::vector<std::string> after = lines_of(path);
    REQUIRE(after.size() == (header ? 1 : 0) + 1 + 2 + 1);
    if (!header) CHECK(story(path) == std::vector<std::string>{"begin 0", "epoch 10", "epoch 20", "end 20"});
  }
  SECTION("after half a line") {
    const std::string whole = test::read_all(path);
    test::write_all(path, whole.substr(0, whole.size() - 3));
    TestType log{path, {.every_steps = 1}};
    train(log, 17, 18);
    log.end({});
    const std::vector<std::string> after = lines_of(path);
    CHECK(after.size() == before.size() - 1 + 3);
    CHECK(after[before.size() - 2] == before[before.size() - 2]);
  }
  SECTION("without a file") {
    std::filesystem::remove(path);
    TestType log{path, {.every_steps = 1}};
    train(log, 13, 14);
    log.end({});
    CHECK(lines_of(path).size() == (header ? 1 : 0) + 3);
  }
}

TEST_CASE("other programs read the logs", "[train]") {
  const test::Folder folder;
  mt::JsonlLog jsonl{folder / "metrics.jsonl", {.every_steps = 5}};
  mt::CsvLog csv{folder / "metrics.csv", {.every_steps = 5}};
  for (mt::Observer* const log : std::initializer_list<mt::Observer*>{&jsonl, &csv}) {
    train(*log, 0, 10);
    log->message(mt::Severity::warning, "a \"quoted\",\n\xC3\xA4 text");
    log->message(mt::Severity::information, "plain");
    log->end({.status = mt::RunStatus::early_stopped});
  }
  const std::string python = test::python_with("json, csv");
  if (python.empty()) return;
  CHECK(test::run_python(python, __FILE__, "log_interop.py", folder / "metrics.jsonl", "jsonl"));
  CHECK(test::run_python(python, __FILE__, "log_interop.py", folder / "metrics.csv", "csv"));
}

TEST_CASE("a log that hears of no steps counts them all the same", "[train]") {
  const test::Folder folder;
  const std::string path = folder / "log";
  mt::JsonlLog log{path, {.every_steps = 0}};
  train(log, 13, 40);
  log.end({});
  CHECK(story(path) == std::vector<std::string>{"begin 13", "epoch 20", "epoch 30", "epoch 40", "end 40"});
}

TEST_CASE("the last line of a run that was stopped has all its steps", "[train]") {
  const test::Folder folder;
  mt::JsonlLog log{folder / "log", {.every_steps = 0}};
  log.begin(run_from(13));
  log.end({.epochs = {{.epoch = 0, .steps = 10}, {.epoch = 1, .finished = false, .steps = 8}},
           .status = mt::RunStatus::stopped});
  CHECK(story(folder / "log") == std::vector<std::string>{"begin 13", "end 18"});
}

TEMPLATE_TEST_CASE("a file that is something else is not touched", "[train]", mt::JsonlLog, mt::CsvLog) {
  const test::Folder folder;
  const std::string path = folder / "precious";
  const std::string content = GENERATE(as<std::string>(), "my,1,2,table\n", "no newline", "{\"event\":\"none\"}\n",
                                       "\n", std::string(3 << 20, 'x'), "event,step,epoch\nstep,1,2,3\n");
  test::write_all(path, content);
  TestType log{path};
  for (const std::size_t steps : {0, 13}) {
    test::check_error<mt::DataError>(
        ErrorCode::bad_header, [&] { log.begin(run_from(steps)); }, "precious", "a name of its own");
    log.end({.status = mt::RunStatus::failed});  // as fit() says when an observer refuses
    CHECK(test::read_all(path) == content);
  }
}

TEST_CASE("a log that cannot be opened says so before training", "[train]") {
  const test::Folder folder;
  mt::JsonlLog nowhere{folder / "no/such/folder"}, place{folder / ""}, device{"/dev/null"};
  const auto begin = [](mt::Observer& log) { return [&log] { log.begin(run_from(0)); }; };
  test::check_error<mt::DataError>(ErrorCode::io_error, begin(nowhere), "No such file");
  test::check_error<mt::DataError>(ErrorCode::io_error, begin(place), "directory");
  test::check_error<mt::DataError>(ErrorCode::io_error, begin(device), "a character device");
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [&] { mt::CsvLog wrong(folder / "x", {.flush_seconds = -1}); }, "flush_seconds");
}

TEST_CASE("lines that cannot be written are a message, and the run goes on", "[train]") {
  const test::Folder folder;
  const std::string path = folder / "log";
  std::vector<std::string> said;
  mt::JsonlLog log{
      path, {.every_steps = 1, .flush_seconds = 0, .on_message = [&](mt::Severity severity, std::string_view text) {
               CHECK(severity == mt::Severity::warning);
               said.emplace_back(text);
             }}};
  // A file of at most 400 bytes, as on a disk that is full.
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{.rlim_cur = 400, .rlim_max = limit.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  train(log, 0, 8);
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::size_t whole = lines_of(path).size();
  CHECK(test::read_all(path).back() == '\n');
  CHECK(test::read_all(path).size() <= 400);
  CHECK(whole < 8);
  REQUIRE(said.size() == 1);
  CHECK_THAT(said[0], test::ContainsSubstring("File too large") && test::ContainsSubstring("the run goes on"));
  // There is room again: what comes now is written, behind the last whole line.
  log.epoch({.epoch = 0, .steps = 10});
  log.end({});
  std::signal(SIGXFSZ, before);
  CHECK(story(path).size() == whole + 2);
  CHECK(story(path).back() == "end 10");
}
