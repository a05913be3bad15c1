#include <minitrain/train/progress_bar.hpp>

#include <pty.h>

#include <sstream>
#include <thread>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace mt = minitrain;

namespace {

const mt::RunInfo run{.first_epoch = 0, .epochs = 3, .samples = 1000, .batch_size = 10};

mt::StepEvent step_of(std::size_t epoch, std::size_t samples, double loss) {
  return {.step = epoch * 100 + samples / 10,
          .epoch = epoch,
          .samples = samples,
          .of_samples = 1000,
          .loss = loss,
          .batch_size = 10};
}
mt::EpochRecord record_of(std::size_t epoch) {
  return {.epoch = epoch,
          .steps = 100,
          .training = {.loss = 0.5, .samples = 1000},
          .validation = {.loss = 0.25, .accuracy = 0.875, .samples = 100},
          .seconds = 2,
          .samples_per_second = 500};
}

/// Every step is a moment at which something is shown.
void tell(mt::ProgressBar& bar, mt::RunStatus status = mt::RunStatus::finished) {
  bar.begin(run);
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    for (std::size_t samples = 10; samples <= 1000; samples += 10) bar.step(step_of(epoch, samples, 0.5));
    bar.epoch(record_of(epoch));
  }
  bar.end({.status = status});
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

constexpr double often = 1e-12;

}  // namespace

TEST_CASE("a bar without a terminal writes whole lines", "[train]") {
  std::ostringstream out;
  mt::ProgressBar bar{out, {}, {.interval = often}};
  tell(bar);
  const std::string text = out.str();
  CHECK(text.find('\r') == std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(count(text, "epoch 1/3   50 %  ") == 1);
  CHECK(count(text, "epoch 3/3: loss 0.5, validation loss 0.25, validation accuracy 0.875, 2 s, 500 samples/s\n") == 1);
  CHECK(count(text, "\n") == 303);
  CHECK(text.ends_with("500 samples/s\n"));
  // The last epoch's validation is shown in the next.
  CHECK(count(text.substr(0, text.find("epoch 1/3: ")), "val. accuracy") == 0);
  CHECK(count(text.substr(text.find("epoch 1/3: ") + 1, text.find("epoch 2/3: ")), "  val. accuracy 0.875\n") > 0);
}

TEST_CASE("a bar is rare where steps are short", "[train]") {
  std::ostringstream out;
  mt::ProgressBar bar{out};
  tell(bar);
  CHECK(count(out.str(), "\n") == 3);  // epochs; the run was over long before ten seconds
  out.str("");
  mt::ProgressBar quiet{out, {}, {.epoch_lines = false}};
  tell(quiet);
  CHECK(out.str().empty());
}

TEST_CASE("a bar redraws one line of a terminal, never wider than it", "[train]") {
  for (const std::size_t width : {1, 2, 5, 8, 20, 40, 60, 200}) {
    INFO(width);
    std::ostringstream out;
    mt::ProgressBar bar{
        out, {.redraws = true, .colours = false, .width = width}, {.interval = often, .epoch_lines = false}};
    tell(bar);
    std::istringstream lines(out.str());
    std::size_t shown = 0;
    for (std::string line; std::getline(lines, line, '\r');) {
      if (line.empty()) continue;
      CHECK(line.ends_with("\x1b[K"));
      const std::string words = line.substr(0, line.size() - 3);
      CHECK(words.size() + 1 <= width);
      CHECK(words.find('\n') == std::string::npos);
      shown += words.empty() ? 0 : 1;
    }
    CHECK(shown == (width > 5 ? 300 : 0));
    CHECK(out.str().ends_with("\r\x1b[K"));
    CHECK((out.str().find("[=") != std::string::npos) == (width >= 200));
    CHECK((out.str().find("loss 0.5") != std::string::npos) == (width >= 40));
    CHECK((out.str().find("epoch 1/3") != std::string::npos) == (width >= 20));
  }
}

TEST_CASE("colours, and a bar at all, are the user's choice", "[train]") {
  const auto said = [](const mt::Terminal& terminal, mt::ProgressBarOptions options) {
    std::ostringstream out;
    options.interval = often;
    mt::ProgressBar bar{out, terminal, options};
    tell(bar);
    return out.str();
  };
  using enum mt::Choice;
  const mt::Terminal plain{.redraws = true, .width = 120}, coloured{.redraws = true, .colours = true, .width = 120};
  CHECK(count(said(plain, {}), "\x1b[32m") == 0);
  CHECK(count(said(coloured, {}), "\x1b[32m") == 300);
  CHECK(count(said(coloured, {.colour = never}), "\x1b[32m") == 0);
  CHECK(count(said(plain, {.colour = always}), "\x1b[32m") == 300);
  CHECK(count(said(coloured, {.bar = never}), "\r") == 0);
  CHECK(count(said({.width = 120}, {.bar = always}), "\r") > 300);
}

TEST_CASE("messages and the end of a run leave the bar's line clean", "[train]") {
  std::ostringstream out;
  mt::ProgressBar bar{out, {.redraws = true}, {.interval = often}};
  bar.begin(run);
  bar.step(step_of(0, 10, 0.5));
  out.str("");
  bar.message(mt::Severity::warning, "the loss\nrises\x1b[31m");
  CHECK(out.str() == "\r\x1b[Kwarning: the loss rises [31m\n");
  out.str("");
  bar.message(mt::Severity::information, "plain");
  CHECK(out.str() == "plain\n");
  bar.step(step_of(0, 20, 0.5));
  out.str("");
  bar.end({.status = mt::RunStatus::interrupted});
  CHECK(out.str() == "\r\x1b[Ktraining interrupted in epoch 1/3\n");
}

TEST_CASE("a bar shows the mean loss of the epoch, speed and time left", "[train]") {
  std::ostringstream out;
  mt::ProgressBar bar{out, {}, {.interval = often}};
  bar.begin({.first_epoch = 4, .epochs = 2, .samples = 1000, .position = 500, .batch_size = 10});
  bar.step({.epoch = 4, .samples = 510, .of_samples = 1000, .loss = 1, .batch_size = 10});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  out.str("");
  bar.step({.epoch = 4, .samples = 540, .of_samples = 1000, .loss = 2, .batch_size = 30});
  CHECK_THAT(out.str(), test::ContainsSubstring("epoch 5/6   54 %  "));
  CHECK_THAT(out.str(), test::ContainsSubstring("  loss 1.75\n"));
  // 40 of 1,500 samples in 20 ms or more: at most 2,000 a second, and 0.73 s or more to come.
  const std::string text = out.str();
  const std::size_t at = text.find("%  ") + 3;
  CHECK(std::stod(text.substr(at)) * (text[text.find(' ', at) - 1] == 'k' ? 1000 : 1) <= 2000);
  CHECK(text.find("ETA 0:00") == std::string::npos);
}

TEST_CASE("numbers of a bar are short", "[train]") {
  using namespace mt::detail;
  CHECK(short_number(0) == "0");
  CHECK(short_number(999.4) == "999");
  CHECK(short_number(999.6) == "1k");
  CHECK(short_number(12345) == "12.3k");
  CHECK(short_number(999'600) == "1M");
  CHECK(short_number(4.56e15) == "4.56e+03T");
  CHECK(clock_text(0.4) == "0:00");
  CHECK(clock_text(-3) == "0:00");
  CHECK(clock_text(59.6) == "1:00");
  CHECK(clock_text(3599) == "59:59");
  CHECK(clock_text(3723) == "1:02:03");
  CHECK(clock_text(HUGE_VAL) == "?");
  CHECK(clock_text(std::nan("")) == "?");
}

TEST_CASE("the clock is read rarely, and soon enough when steps slow down", "[train]") {
  using Clock = std::chrono::steady_clock;
  mt::detail::RareClock clock(0.02);
  clock.restart(Clock::now());
  const Clock::time_point start = Clock::now();
  std::size_t calls = 0, due = 0, looks = 0;
  Clock::time_point looked = clock.looked();
  while (Clock::now() - start < std::chrono::milliseconds(200)) {
    due += clock.due();
    ++calls;
    looks += std::exchange(looked, clock.looked()) != clock.looked();
  }
  CHECK(due >= 1);
  CHECK(due <= 10);
  CHECK(looks * 20 < calls);
  // From steps of nanoseconds to steps of a second, no more than the steps counted already are waited for, once; here
  // each call is made to look as if it came late.
  std::size_t waited = 0;
  clock.restart(Clock::now() - std::chrono::seconds(1));
  for (; !clock.due(); ++waited) {
  }
  CHECK(waited == 0);
}

TEST_CASE("a stream that fails ends no run", "[train]") {
  std::ostringstream out;
  out.exceptions(std::ios::badbit | std::ios::failbit);
  mt::ProgressBar bar{out, {}, {.interval = often}};
  bar.begin(run);
  try {
    out.setstate(std::ios::badbit);
  } catch (...) {
  }
  CHECK_NOTHROW(bar.step(step_of(0, 10, 1)));
  CHECK_NOTHROW(bar.end({}));
  test::check_error<mt::OptionError>(
      mt::ErrorCode::invalid_argument, [&] { mt::ProgressBar wrong(out, {}, {.interval = -1}); }, "interval -1");
}

TEST_CASE("what a terminal can do is found from its descriptor and the environment", "[train]") {
  int outer = -1, inner = -1;
  const winsize size{.ws_row = 25, .ws_col = 57, .ws_xpixel = 0, .ws_ypixel = 0};
  REQUIRE(::openpty(&outer, &inner, nullptr, nullptr, &size) == 0);
  const auto seen = [](int descriptor, std::initializer_list<const char*> variables) {
    std::vector<const char*> environment(variables);
    environment.push_back(nullptr);
    return mt::terminal_of(descriptor, environment.data());
  };
  const mt::Terminal terminal = seen(inner, {"A=B", "TERM=xterm"});
  CHECK(terminal.redraws);
  CHECK(terminal.colours);
  CHECK(terminal.columns() == 57);
  const winsize narrow{.ws_row = 25, .ws_col = 31, .ws_xpixel = 0, .ws_ypixel = 0};
  REQUIRE(::ioctl(inner, TIOCSWINSZ, &narrow) == 0);
  CHECK(terminal.columns() == 31);  // the window was made smaller
  CHECK_FALSE(seen(inner, {"TERM=dumb"}).redraws);
  CHECK_FALSE(seen(inner, {"TERM=dumb"}).colours);
  CHECK_FALSE(seen(inner, {"TERMINAL=xterm"}).redraws);
  CHECK_FALSE(seen(inner, {"TERM="}).redraws);
  CHECK_FALSE(seen(inner, {"TERM=xterm", "CI=true"}).redraws);
  CHECK(seen(inner, {"TERM=xterm", "CI="}).redraws);
  CHECK(seen(inner, {"TERM=xterm", "NO_COLOR=1"}).redraws);
  CHECK_FALSE(seen(inner, {"TERM=xterm", "NO_COLOR=1"}).colours);
  CHECK(seen(inner, {"TERM=xterm", "NO_COLOR="}).colours);
  CHECK_FALSE(mt::terminal_of(inner, nullptr).redraws);
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  CHECK_FALSE(seen(pipe_ends[1], {"TERM=xterm"}).redraws);
  CHECK(seen(pipe_ends[1], {"TERM=xterm"}).columns() == 80);
  for (const int descriptor : {outer, inner, pipe_ends[0], pipe_ends[1]}) ::close(descriptor);
}
