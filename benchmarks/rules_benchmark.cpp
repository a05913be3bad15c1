// What a run costs that is told more than to learn: S1 (10-64-1, Adam) and S4 (784-128-10, Adam) on one thread, with a
// schedule, clipping, early stopping, the noise scale, checkpoints. Compare with `plain` of the same arguments: batch.
#include <benchmark/benchmark.h>

#include <filesystem>

#include "peers/workloads.hpp"

namespace {

namespace mt = minitrain;

mt::TrainerOptions options_of(const std::string& rule) {
  mt::TrainerOptions options;
  if (rule == "schedule") options.schedule = mt::Warmup{.steps = 1000, .then = mt::CosineDecay{.steps = 1'000'000}};
  if (rule == "clip_norm") options.clip_norm = 1;
  if (rule == "clip_value") options.clip_value = 1;
  if (rule == "skip") options.non_finite = {.action = mt::OnNonFinite::skip};
  if (rule == "early_stopping") options.early_stopping = {.patience = 1'000'000};
  if (rule == "noise") options.noise_scale_every = 1;
  if (rule == "noise_10") options.noise_scale_every = 10;
  if (rule == "checkpoints") options.checkpoint = {.directory = "rules_benchmark", .every_steps = 100};
  return options;
}

void train(benchmark::State& state, const std::string& name, const std::string& rule) {
  std::string text = name + (name == "S1" ? ":10000" : "") + ":" + std::to_string(state.range(0));
  const peers::Workload workload = peers::parse_workload(text);
  const mt::Dataset data = peers::make_data(workload);
  mt::TrainerOptions options = options_of(rule);
  options.epochs = 100'000;
  options.batch_size = workload.batch;
  options.seed = 1;
  std::filesystem::remove_all("rules_benchmark");
  mt::Trainer trainer = peers::make_trainer(workload, mt::Cpu{{.threads = 1}}, options);
  // Whole epochs, as they are without a callback for each step.
  std::size_t steps = 0;
  bool running = true;
  const auto on_epoch = [&](const mt::EpochRecord& epoch) {
    steps += epoch.steps;
    running = state.KeepRunning();
    if (!running) trainer.request_stop();
  };
  while (running) trainer.fit(data, {.on_epoch = on_epoch});
  state.counters["us_per_step"] =
      benchmark::Counter(static_cast<double>(steps) * 1e-6, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  std::filesystem::remove_all("rules_benchmark");
}

void add(const std::string& workload, const std::vector<std::int64_t>& batches) {
  for (const char* rule :
       {"plain", "schedule", "clip_norm", "clip_value", "skip", "early_stopping", "noise", "noise_10", "checkpoints"}) {
    const std::string name = workload + "/" + rule;
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { train(state, workload, rule); })
        ->ArgsProduct({batches})
        ->MinTime(0.3);
  }
}

}  // namespace

int main(int argc, char** argv) {
  add("S1", {32, 128});
  add("S4", {32, 64, 128});
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
