// What a checkpoint costs: a snapshot of the state, a durable write of it, and steps of training with none, with
// snapshots written beside them, and with the disk waited for:
//
//   checkpoint_benchmark [Google Benchmark's options]
//
// The argument is the width of two hidden layers; bytes are those of the state: parameters and two moments. Files go to
// the folder TMPDIR names, or /tmp.
#include <minitrain/train/checkpoint.hpp>
#include <minitrain/trainer.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

namespace mt = minitrain;

namespace {

/// A run on one batch, again and again.
class Run {
 public:
  explicit Run(std::size_t width)
      : core_(mt::make_accumulator<float>(device_, mt::Mlp{.widths = {64, width, width, 10}}, mt::SoftmaxCrossEntropy{},
                                          mt::Adam{}, mt::TrainerOptions{.batch_size = 32})),
        loader_(mt::synthetic_classification({.samples = 32, .features = 64, .classes = 10, .seed = 1}),
                {.batch_size = 32}, device_),
        fields_(mt::state_fields(core_, 0)) {}

  void step() {
    core_.accumulate(device_, loader_.next(0, 0, 32));
    core_.update(device_);
  }
  void snapshot(mt::Snapshot& snapshot) const { mt::take_snapshot(device_, core_, progress_, fields_, {}, snapshot); }
  double bytes() const { return 3.0 * 4 * static_cast<double>(core_.network().parameters().size()); }

 private:
  mt::Cpu device_{{.threads = 1}};
  mt::Accumulator<float, mt::Cpu> core_;
  mt::DataLoader<float, mt::Cpu> loader_;
  mt::RunProgress progress_;
  mt::StateFields fields_;
};

class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "minitrain-checkpoint-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) std::exit(1);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void snapshot(benchmark::State& state) {
  const Run run(static_cast<std::size_t>(state.range(0)));
  mt::Snapshot snapshot;
  for (auto _ : state) run.snapshot(snapshot);
  state.counters["state"] = benchmark::Counter(run.bytes(), {}, benchmark::Counter::kIs1024);
}

void durable_write(benchmark::State& state) {
  const Run run(static_cast<std::size_t>(state.range(0)));
  const Folder folder;
  mt::CheckpointDirectory directory(folder.path());
  mt::Snapshot snapshot;
  for (auto _ : state) {
    run.snapshot(snapshot);
    snapshot.state().steps = static_cast<std::size_t>(state.iterations());
    directory.write(snapshot);
  }
  state.counters["state"] = benchmark::Counter(run.bytes(), {}, benchmark::Counter::kIs1024);
}

enum class Checkpoints { none, beside, in_place };

/// A checkpoint after every hundredth step.
void steps(benchmark::State& state, Checkpoints checkpoints) {
  Run run(static_cast<std::size_t>(state.range(0)));
  const Folder folder;
  mt::CheckpointWriter writer = checkpoints == Checkpoints::in_place
                                    ? mt::CheckpointWriter(mt::CheckpointDirectory(folder.path()), 5,
                                                           [](const std::function<void()>&) -> std::thread {
                                                             throw std::runtime_error("asked for");
                                                           })
                                    : mt::CheckpointWriter(mt::CheckpointDirectory(folder.path()));
  for (int i = 0; i < 10; ++i) run.step();
  for (auto _ : state) {
    for (int i = 0; i < 100; ++i) run.step();
    if (checkpoints == Checkpoints::none) continue;
    mt::Snapshot snapshot = writer.buffer();
    run.snapshot(snapshot);
    writer.submit(std::move(snapshot));
  }
  const mt::CheckpointStatistics statistics = writer.statistics();
  state.counters["written"] = static_cast<double>(statistics.written);
  state.counters["replaced"] = static_cast<double>(statistics.replaced);
}

BENCHMARK(snapshot)->Arg(64)->Arg(512)->Arg(2048)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(durable_write)->Arg(64)->Arg(512)->Arg(2048)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(steps, none, Checkpoints::none)->Arg(64)->Arg(512)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(steps, beside, Checkpoints::beside)->Arg(64)->Arg(512)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(steps, in_place, Checkpoints::in_place)
    ->Arg(64)
    ->Arg(512)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
