// minitrain's time per optimizer step, one JSON line per workload:
//
//   minitrain_steps NAME THREADS SECONDS WORKLOAD...      minitrain_steps minitrain 1 2 S1:10000:32 S4:128
//
// A step is what fit() does in one: shuffled rows gathered, forward, loss, backward, update.
#include "step_timer.hpp"
#include "workloads.hpp"

#include <cstdio>
#include <cstdlib>

static void measure(const char* peer, const std::string& text, std::size_t threads, double seconds) {
  const peers::Workload workload = peers::parse_workload(text);
  const minitrain::Dataset data = peers::make_data(workload);
  minitrain::Trainer trainer = peers::make_trainer(workload, minitrain::Cpu{{.threads = threads}});
  peers::StepTimer timer(seconds);
  bool done = false;
  const auto on_step = [&](const minitrain::StepEvent&) {
    done = timer.step();
    if (done) trainer.request_stop();
  };
  while (!done) trainer.fit(data, {.on_step = on_step});
  std::printf(
      "{\"peer\":\"%s\",\"wl\":\"%s\",\"N\":%zu,\"B\":%zu,\"th\":%zu,\"us\":%.4f,\"p10\":%.4f,\"med_all\":%.4f,"
      "\"cpu\":%.4f,\"best\":%.4f,\"nclean\":%zu,\"nall\":%zu,\"spb\":%zu}\n",
      peer, workload.name.c_str(), workload.samples, workload.batch, threads, 1e6 * timer.seconds_per_step(threads),
      1e6 * timer.wall(0.1), 1e6 * timer.wall(0.5), 1e6 * timer.processor(0.5), 1e6 * timer.wall(0),
      timer.clean_blocks(), timer.blocks(), timer.steps_per_block());
  std::fflush(stdout);
}

int main(int argc, char** argv) try {
  if (argc < 5) {
    std::fprintf(stderr,
                 "usage: minitrain_steps NAME THREADS SECONDS WORKLOAD...   (S1:10000:32 S3:32 S4:128 S5:32 S6:256)\n");
    return 2;
  }
  const int threads = std::atoi(argv[2]);
  const double seconds = std::atof(argv[3]);
  if (threads < 1 || !(seconds > 0)) {
    std::fprintf(stderr, "error: wanted at least one thread and more than zero seconds\n");
    return 2;
  }
  for (int i = 4; i < argc; ++i) measure(argv[1], argv[i], static_cast<std::size_t>(threads), seconds);
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
