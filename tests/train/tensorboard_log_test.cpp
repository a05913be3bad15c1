#include <minitrain/train/tensorboard_log.hpp>

#include <sys/resource.h>

#include <csignal>

#include "io/support.hpp"
#include "support/errors.hpp"
#include "support/python.hpp"

namespace mt = minitrain;

namespace {

mt::RunInfo run_from(std::size_t steps) {
  return {.model = "Dense{2, 1}\n",
          .loss = "MeanSquaredError",
          .optimizer = "SGD",
          .device = "CPU",
          .first_epoch = steps / 10,
          .epochs = 2,
          .steps = steps,
          .samples = 100,
          .position = steps % 10 * 10,
          .batch_size = 10};
}

void train(mt::Observer& log, std::size_t from, std::size_t to, double more = 0) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  log.begin(run_from(from));
  for (std::size_t step = from + 1; step <= to; ++step) {
    log.step({.step = step,
              .epoch = (step - 1) / 10,
              .loss = 1 / static_cast<double>(step) + more,
              .batch_size = 10,
              .learning_rate = 0.1,
              .gradient_norm = step % 10 == 0 ? 3 : nan});
    if (step % 10 == 0) {
      log.epoch({.epoch = step / 10 - 1,
                 .steps = 10,
                 .training = {.loss = 0.3, .accuracy = 0.75, .samples = 100},
                 .validation = {.loss = 0.4, .accuracy = nan, .samples = 10},
                 .samples_per_second = 50,
                 .batch_size = 10,
                 .learning_rate = 0.2});
    }
  }
}

std::string only_file_of(const std::string& folder) {
  const std::filesystem::directory_iterator files(folder);
  REQUIRE(files != std::filesystem::directory_iterator());
  return files->path().string();
}

std::uint64_t number(std::string_view text, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  return value;
}

/// CRC-32C bit by bit, rotated and shifted as a TFRecord wants it.
std::uint32_t checksum(std::string_view text) {
  std::uint32_t crc = ~0u;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/// Events of a file whose records are all right.
std::vector<std::string> events_of(const std::string& path) {
  const std::string bytes = test::read_all(path);
  std::vector<std::string> events;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    REQUIRE(rest.size() >= 16);
    const std::uint64_t size = number(rest, 8);
    CHECK(number(rest.substr(8), 4) == checksum(rest.substr(0, 8)));
    REQUIRE(rest.size() >= 16 + size);
    events.emplace_back(rest.substr(12, size));
    CHECK(number(rest.substr(12 + size), 4) == checksum(events.back()));
    rest.remove_prefix(16 + size);
  }
  return events;
}

}  // namespace

TEST_CASE("protocol buffers have the bytes that the format wants", "[io]") {
  using Message = mt::detail::io::ProtobufMessage;
  CHECK(Message().integer(1, 150).bytes() == "\x08\x96\x01");  // the encoding guide's examples
  CHECK(Message().text(2, "testing").bytes() == "\x12\x07testing");
  CHECK(Message().message(3, Message().integer(1, 150)).bytes() == "\x1a\x03\x08\x96\x01");
  CHECK(Message().integer(1, -2).bytes() == "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  CHECK(Message().integer(1, 0).bytes() == std::string("\x08\0", 2));
  CHECK(Message().integer(20, 1).bytes() == "\xa0\x01\x01");  // a field past 15 has a longer key
  CHECK(Message().real(1, 1.0f).bytes() == std::string("\x0d\0\0\x80\x3f", 5));
  CHECK(Message().real(1, 1.0).bytes() == std::string("\x09\0\0\0\0\0\0\xf0\x3f", 9));
}

TEST_CASE("TensorBoard reads the curves of a run, and of one that went on", "[train]") {
  const test::Folder folder;
  mt::TensorBoardLog first{folder / "nested/first", {.every_steps = 5}};
  train(first, 0, 20);
  first.end({});
  mt::TensorBoardLog killed{folder / "again", {.every_steps = 1, .flush_seconds = 0}};
  train(killed, 0, 17);
  mt::TensorBoardLog again{folder / "again", {.every_steps = 1}};
  train(again, 13, 20, 1);
  again.end({});
  const std::vector<std::string> events = events_of(only_file_of(folder / "nested/first"));
  REQUIRE(events.size() == 1 + 1 + 4 * 2 + 2 + 2 * 6);
  CHECK(events[0].substr(0, 1) == "\x09");
  CHECK(events[0].substr(9) ==
        "\x1a\x0d"
        "brain.Event:2");
  CHECK_THAT(events[2], test::ContainsSubstring("step/loss"));
  const std::string python = test::python_with("tensorboard");
  if (!python.empty()) CHECK(test::run_python(python, __FILE__, "tensorboard_interop.py", folder / ""));
}

TEST_CASE("a log for TensorBoard waits, and survives a disk that is full", "[train]") {
  const test::Folder folder;
  std::vector<std::string> said;
  mt::TensorBoardLog log{
      folder / "run", {.every_steps = 1, .flush_seconds = 1e9, .on_message = [&](mt::Severity, std::string_view text) {
                         said.emplace_back(text);
                       }}};
  train(log, 0, 9);
  const std::string path = only_file_of(folder / "run");
  CHECK(events_of(path).size() == 2);  // what begin() wrote
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{.rlim_cur = test::read_all(path).size() + 10, .rlim_max = limit.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  log.epoch({.epoch = 0, .steps = 10});
  log.epoch({.epoch = 0, .steps = 10});
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, before);
  CHECK(events_of(path).size() == 2);
  REQUIRE(said.size() == 1);
  CHECK_THAT(said[0], test::ContainsSubstring("events.out.tfevents.") && test::ContainsSubstring("File too large"));
  log.epoch({.epoch = 1, .steps = 10, .training = {.loss = 2}});
  log.end({});
  CHECK(events_of(path).size() == 2 + 4);  // loss, rate, batch and speed
}

TEST_CASE("a log for TensorBoard that cannot be written says so before training", "[train]") {
  const test::Folder folder;
  test::write_all(folder / "file", "x");
  mt::TensorBoardLog log{folder / "file/run"};
  test::check_error<mt::DataError>(
      mt::ErrorCode::io_error, [&] { log.begin(run_from(0)); }, "file/run", "folder");
  test::check_error<mt::OptionError>(
      mt::ErrorCode::invalid_argument, [&] { mt::TensorBoardLog wrong("x", {.flush_seconds = -1}); }, "flush_seconds");
  mt::TensorBoardLog epochs{folder / "epochs", {.every_steps = 0}};
  CHECK_FALSE(epochs.hears_steps());
}
