// A whole optimizer step as fit() does it: shuffled rows gathered, forward, loss, backward, update.
// Arguments: samples N, batch B, threads. Bound by arithmetic from S4 on; below, by what a step costs whatever its
// size.
#include "peers/workloads.hpp"

#include <benchmark/benchmark.h>

namespace {

void train(benchmark::State& state, const std::string& name) {
  std::string text = name + (name == "S1" ? ":" + std::to_string(state.range(0)) : "");
  text += ":" + std::to_string(state.range(1));
  const peers::Workload workload = peers::parse_workload(text);
  const minitrain::Dataset data = peers::make_data(workload);
  minitrain::Trainer trainer =
      peers::make_trainer(workload, minitrain::Cpu{{.threads = static_cast<std::size_t>(state.range(2))}});
  bool running = true;
  // The first step grows what has to grow; the clock starts behind it.
  const auto on_step = [&](const minitrain::StepEvent&) {
    running = state.KeepRunning();
    if (!running) trainer.request_stop();
  };
  while (running) trainer.fit(data, {.on_step = on_step});
  state.SetItemsProcessed(state.iterations() * state.range(1));
}

BENCHMARK_CAPTURE(train, S1_10_64_1_adam, "S1")
    ->ArgsProduct({{10'000, 100'000}, {32, 64, 128, 512, 1024, 4096}, {1, 2}})
    ->UseRealTime();
BENCHMARK_CAPTURE(train, S3_10_1_sgd, "S3")->ArgsProduct({{100'000}, {32, 128, 512}, {1, 2}})->UseRealTime();
BENCHMARK_CAPTURE(train, S4_784_128_10_adam, "S4")->ArgsProduct({{10'000}, {32, 128, 1024}, {1, 2}})->UseRealTime();
BENCHMARK_CAPTURE(train, S5_100_16_2_adam, "S5")->ArgsProduct({{100'000}, {32}, {1, 2}})->UseRealTime();
BENCHMARK_CAPTURE(train, S6_1024_4096_4096_1024_sgd, "S6")->ArgsProduct({{2'048}, {256}, {1, 2}})->UseRealTime();

}  // namespace
