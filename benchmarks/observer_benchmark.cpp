// What observers cost a step of 10-64-1 in batches of 32, the smallest workload of docs/performance.md.

#include <minitrain/train/jsonl_log.hpp>
#include <minitrain/train/progress_bar.hpp>
#include <minitrain/train/tensorboard_log.hpp>
#include <minitrain/trainer.hpp>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace mt = minitrain;

namespace {

enum Listening { nobody, bar, bar_and_logs_every_100, jsonl_every_step };

/// One iteration is 2 epochs of 6,250 steps; the counter says the time of a step.
void fit(benchmark::State& state) {
  const auto listening = static_cast<Listening>(state.range(0));
  const mt::Dataset data = mt::synthetic_regression({.samples = 200'000, .features = 10, .seed = 1});
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("minitrain-observers-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  std::ofstream nowhere("/dev/null");
  mt::ProgressBar progress{nowhere, {.redraws = true}};
  mt::JsonlLog lines{folder / "metrics.jsonl", {.every_steps = listening == jsonl_every_step ? 1u : 100u}};
  mt::TensorBoardLog board{folder};
  mt::Callbacks callbacks;
  if (listening == bar || listening == bar_and_logs_every_100) callbacks.observers.push_back(&progress);
  if (listening >= bar_and_logs_every_100) callbacks.observers.push_back(&lines);
  if (listening == bar_and_logs_every_100) callbacks.observers.push_back(&board);
  constexpr std::size_t epochs = 2;
  mt::Trainer trainer{mt::Cpu{{.threads = 1}},
                      mt::Sequential{mt::Dense{10, 64}, mt::ReLU{}, mt::Dense{64, 1}},
                      mt::MeanSquaredError{},
                      mt::Adam{},
                      {.epochs = epochs, .batch_size = 32}};
  std::size_t steps = 0;
  for (auto _ : state) {
    const std::size_t before = trainer.steps();
    trainer.fit(data, callbacks);
    steps += trainer.steps() - before;
  }
  std::filesystem::remove_all(folder);
  state.counters["step"] =
      benchmark::Counter(static_cast<double>(steps), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  constexpr const char* names[] = {"nobody", "bar", "bar, JSON lines and TensorBoard every 100",
                                   "JSON line every step"};
  state.SetLabel(names[listening]);
}
BENCHMARK(fit)->DenseRange(nobody, jsonl_every_step)->Unit(benchmark::kMillisecond);

}  // namespace
