#pragma once
// A part of a program in a process of its own, so that its memory can be told from that of the others, and be limited.

#include "exit_code.hpp"
#include "interrupt.hpp"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace examples {

/// Memory of this process in bytes, by the system's count.
struct MemoryUse {
  std::uint64_t own = 0;    // what nobody but this process has: heap, stacks (RssAnon)
  std::uint64_t files = 0;  // pages of files that it has touched, its program among them (RssFile)
  std::uint64_t peak = 0;   // the most of both together, ever (VmHWM)
  std::uint64_t data = 0;   // what RLIMIT_DATA counts: address space to write to, touched or not (VmData)
};

/// Zeros where there is no /proc.
inline MemoryUse memory_use() {
  MemoryUse use;
  std::FILE* const file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return use;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    for (const auto& [name, field] : {std::pair("RssAnon:", &use.own), std::pair("RssFile:", &use.files),
                                      std::pair("VmHWM:", &use.peak), std::pair("VmData:", &use.data)}) {
      if (std::strncmp(line, name, std::strlen(name)) == 0)
        *field = 1024 * std::strtoull(line + std::strlen(name), nullptr, 10);
    }
  }
  std::fclose(file);
  return use;
}

/// From now on the system refuses this process more than `bytes` of further memory of its own: allocation fails then.
/// Pages of mapped files do not count, since the system takes those back when it wants to. Threads get small stacks,
/// for a whole stack counts, touched or not. Throws std::runtime_error when the system has no such limits.
inline void limit_own_memory(std::uint64_t bytes) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
  const rlim_t limit = memory_use().data + bytes;
  const rlimit limits{.rlim_cur = limit, .rlim_max = limit};
  if (setrlimit(RLIMIT_DATA, &limits) != 0)
    throw std::runtime_error(std::string("RLIMIT_DATA: ") + std::strerror(errno));
}

struct ChildResult {
  int exit_code = ok;
  std::vector<double> values;
};

/// Calls f() in a child process and gives back its numbers, or the exit code that goes with what it threw, after
/// report(). The caller must not have started threads.
template <class F>
ChildResult in_child(F&& f) {
  int ends[2];
  std::fflush(nullptr);
  if (pipe(ends) != 0) throw std::runtime_error(std::string("pipe: ") + std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (child == 0) {
    close(ends[0]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // it would hold on to files and locks of a parent that was killed
    int code = ok;
    try {
      const std::vector<double> values = f();
      const std::size_t bytes = values.size() * sizeof(double);
      if (was_interrupted()) {
        code = interrupted_code();
      } else if (write(ends[1], values.data(), bytes) != static_cast<ssize_t>(bytes)) {
        code = run_failed;
      }
    } catch (const std::exception& error) {
      code = report(error);
    }
    std::fflush(nullptr);
    _exit(code);
  }
  close(ends[1]);
  ChildResult result;
  double value = 0;
  while (read(ends[0], &value, sizeof value) == sizeof value) result.values.push_back(value);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (WIFSIGNALED(status)) std::fprintf(stderr, "error: a child process was ended by signal %d\n", WTERMSIG(status));
  return result;
}

}  // namespace examples
