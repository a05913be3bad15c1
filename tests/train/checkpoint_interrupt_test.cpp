// Signals that ask a run to stop.

#include <minitrain/train/interrupt.hpp>

#include "support/catch.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <ctime>
#include <thread>

namespace mt = minitrain;

namespace {

/// Runs f() in a child whose signals do what they do by default; its status, as waitpid() has it.
template <class F>
int in_child(F&& f) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGHUP}) ::signal(signal, SIG_DFL);
    ::_exit(f());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

struct sigaction handler_of(int signal) {
  struct sigaction action {};
  ::sigaction(signal, nullptr, &action);
  return action;
}

void other_handler(int) {}

}  // namespace

TEST_CASE("a flag is a request without any signal", "[interrupt]") {
  mt::InterruptFlag flag;
  CHECK_FALSE(flag.requested());
  CHECK(flag.request());
  CHECK(flag.requested());
  CHECK(flag.signal() == 0);
  CHECK(flag.exit_status() == 0);
  CHECK_FALSE(flag.request());
  CHECK(flag.request(SIGTERM));  // the first signal is not a second one
  CHECK(flag.exit_status() == 143);
  CHECK_FALSE(flag.request(SIGINT));
  CHECK(flag.signal() == SIGTERM);
  flag.clear();
  CHECK_FALSE(flag.requested());
  std::thread([&] { flag.request(); }).join();
  CHECK(flag.requested());
}

TEST_CASE("the first signal is a request, and what a program returns is told", "[interrupt]") {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    const int status = in_child([&] {
      mt::InterruptGuard interrupt;
      if (interrupt.requested()) return 1;
      ::raise(signal);
      return interrupt.requested() && interrupt.flag().signal() == signal ? interrupt.flag().exit_status() : 2;
    });
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 128 + signal);
  }
}

TEST_CASE("a second signal, of any kind, ends the program at once", "[interrupt]") {
  for (const int second : {SIGINT, SIGTERM, SIGUSR1}) {
    const int status = in_child([&] {
      const mt::InterruptGuard interrupt;
      ::raise(SIGTERM);
      ::raise(second);
      return 3;
    });
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == second);
  }
}

TEST_CASE("a signal from outside meets a training loop between two steps", "[interrupt]") {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGTERM, SIG_DFL);
    mt::InterruptGuard interrupt;
    static_cast<void>(!::write(ready[1], "x", 1));
    while (!interrupt.requested()) {
      const timespec step{0, 100'000};
      ::nanosleep(&step, nullptr);
    }
    ::_exit(interrupt.flag().exit_status());
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(ready[0]), ::close(ready[1]);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 143);
}

TEST_CASE("handlers of before come back, and guards may be nested", "[interrupt]") {
  const int status = in_child([] {
    ::signal(SIGINT, other_handler);
    {
      mt::InterruptGuard outer{SIGINT, SIGTERM};
      if (handler_of(SIGINT).sa_handler == other_handler) return 1;
      if (handler_of(SIGUSR1).sa_handler != SIG_DFL) return 2;  // was not asked for
      {
        mt::InterruptGuard inner{SIGTERM};
        ::raise(SIGTERM);
        if (!inner.requested() || outer.requested()) return 3;
      }
      ::raise(SIGTERM);
      if (!outer.requested()) return 4;
    }
    if (handler_of(SIGINT).sa_handler != other_handler) return 5;
    return handler_of(SIGTERM).sa_handler == SIG_DFL ? 0 : 6;
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("signals that are ignored stay ignored, and those that cannot be handled are refused", "[interrupt]") {
  const int status = in_child([] {
    ::signal(SIGINT, SIG_IGN);
    {
      mt::InterruptGuard interrupt;
      ::raise(SIGINT);
      if (interrupt.requested()) return 1;
    }
    if (handler_of(SIGINT).sa_handler != SIG_IGN) return 2;
    try {
      mt::InterruptGuard interrupt{SIGTERM, SIGKILL};
      return 3;
    } catch (const mt::OptionError&) {
    }
    return handler_of(SIGTERM).sa_handler == SIG_DFL ? 0 : 4;
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
