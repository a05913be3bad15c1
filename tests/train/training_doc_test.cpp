// The programs of docs/training.md, but for its table of optimizers: all of their lines stand here, compile and run.
// A translation unit of its own: onnx_layer() is found beside Scale, which is in no namespace.

#include <minitrain/experiment/fits.hpp>
#include <minitrain/experiment/sweep.hpp>
#include <minitrain/io/dlpack_import.hpp>
#include <minitrain/io/npy_write.hpp>
#include <minitrain/train/csv_log.hpp>
#include <minitrain/train/find_batch_size.hpp>
#include <minitrain/train/find_learning_rate.hpp>
#include <minitrain/train/interrupt.hpp>
#include <minitrain/train/jsonl_log.hpp>
#include <minitrain/train/onnx.hpp>
#include <minitrain/train/progress_bar.hpp>
#include <minitrain/train/run_record.hpp>
#include <minitrain/train/tensorboard_log.hpp>
#include <minitrain/trainer.hpp>

#include <iostream>
#include <sstream>

#include "contract/scale_layer.hpp"
#include "io/support.hpp"

namespace mt = minitrain;

// clang-format off
std::string onnx_layer(const Scale&, mt::OnnxLayer& l) { return l.graph.node("Mul", {l.x, l.parameters[0]}); }

namespace {

void programs() {
  const mt::Dataset data = mt::synthetic_classification({.samples = 100, .features = 4, .classes = 3, .seed = 1});
  const auto [train, test] = mt::split(data, {.test_fraction = 0.2, .seed = 1});
  const mt::Sequential model{mt::Dense{4, 3}, Scale{3}};
  mt::Trainer trainer{mt::Cpu{}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}};
  char name[] = "program";
  char* arguments[] = {name, nullptr};
  const int argc = 1;
  char** const argv = arguments;
  {
mt::ProgressBar bar{std::cerr, mt::terminal_of(STDERR_FILENO, environ)};
mt::JsonlLog log{"metrics.jsonl"};
trainer.fit(train, test, {.on_epoch = [](const mt::EpochRecord& e) { std::printf("%.4f\n", e.validation.loss); },
                          .on_message = [](mt::Severity, std::string_view text) { std::clog << text << '\n'; },
                          .observers = {&bar, &log}});
  }
mt::ProgressBar lines{std::cout};
mt::ProgressBar chosen{std::cerr, mt::terminal_of(STDERR_FILENO, environ),
                       {.bar = mt::Choice::automatic, .colour = mt::Choice::never, .interval = 0.5, .epoch_lines = false}};
mt::ProgressBar epochs{std::cerr, {}, {.steps = false}};
  trainer.fit(train, {.observers = {&lines, &chosen, &epochs}});
mt::JsonlLog jsonl{"metrics.jsonl", {.every_steps = 10, .flush_seconds = 1}};
mt::CsvLog csv{"metrics.csv", {.every_steps = 0}};
mt::TensorBoardLog board{"runs/first", {.every_steps = 10}};
  trainer.fit(train, {.observers = {&jsonl, &csv, &board}});
mt::JsonlLog careful{"metrics.jsonl", {.on_message = [](mt::Severity, std::string_view text) { std::clog << text << '\n'; }}};
mt::RunRecord record{"run.json", {.command_line = {argv, argv + argc},
                                  .options = trainer.options(),
                                  .values = {{"commit", "3f2a91c"}, {"explain", trainer.explain()}}}};
  trainer.fit(train, {.observers = {&careful, &record}});
mt::write_onnx("model.onnx", model, trainer.parameters());
  mt::Tensor<float> tensor(mt::Shape{2, 4});
  auto owner = std::make_shared<mt::Tensor<float>>(mt::Shape{2});
mt::dlpack::ManagedTensor* given = mt::to_dlpack(std::move(tensor));
auto* shared = mt::share_dlpack(std::as_const(*owner).view(), owner);
const mt::DlpackTensor<const float> taken(given);
trainer.predict(taken.view());
shared->deleter(shared);
mt::write_npy("scores.npy", trainer.predict(test).view());
mt::write_npy("accuracy.npy", trainer.evaluate(test).accuracy);
}

int rules() {
  const mt::Dataset data = mt::synthetic_classification({.samples = 100, .features = 4, .classes = 3, .seed = 1});
  const auto [train, test] = mt::split(data, {.test_fraction = 0.2, .seed = 1});
  const mt::Sequential model{mt::Dense{4, 3}};
  mt::Trainer trainer{mt::Cpu{}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}};
mt::TrainerOptions options{.epochs = 30, .batch_size = 256};
options.schedule = mt::Warmup{.steps = 500, .then = mt::CosineDecay{.steps = 10'000}};
options.rate_scaling = {mt::RateRule::linear, 32};
options.reduce_on_plateau = {.factor = 0.5, .patience = 3};
options.batch_growth = {.at = {10, 20}, .factor = 4, .largest = 4096};
options.clip_value = 0.5;
options.clip_norm = 1;
options.non_finite = {.action = mt::OnNonFinite::skip, .most_skipped = 5};
options.early_stopping = {.patience = 5, .min_change = 1e-3};
const mt::History history = trainer.fit(train, test);
mt::Confusion confusion(3);
mt::TopK two{2};
trainer.measure(test, confusion, two);
std::printf("%.3f %.3f\n", confusion.macro_f1(), two.value());
options.checkpoint = {.directory = "run", .every_steps = 1000, .every_epochs = 1, .keep_last = 3, .keep_best = true, .max_failures = 5};
options.handle_signals = true;
mt::Trainer again{mt::Cpu{}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options};
again.resume();
const mt::History whole = again.fit(train, test);
if (whole.status == mt::RunStatus::interrupted) return 130;
const auto rates = mt::find_learning_rate(train, model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, options, mt::Cpu{});
const auto sizes = mt::find_batch_size(mt::size_of(train), model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, options, mt::Cpu{});
std::printf("rate %g, batch %zu to %zu\n", rates.steepest, sizes.fastest, sizes.largest_in_memory);
options.checkpoint = {};
options.noise_scale_every = 10;
mt::Trainer noisy{mt::Cpu{}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = 0.1}, options};
noisy.fit(train);
std::printf("%s\n", to_string(noisy.noise_scale()).c_str());
  return whole.status == mt::RunStatus::finished && history.epochs.size() == 1 ? 0 : 1;
}

double sweep() {
  const mt::Dataset data = mt::synthetic_classification({.samples = 200, .features = 4, .classes = 3, .seed = 1});
  const mt::Split parts = mt::split(data, {.test_fraction = 0.2, .seed = 1});
  const mt::Dataset &train = parts.train, &test = parts.test;
  const mt::Sequential model{mt::Dense{4, 3}};
const mt::Grid grid({{"batch_size", {8, 16, 32}}, {"seed", {0, 1}}});
const auto run = [&](const mt::Point& point) {
  mt::Trainer<> one{mt::Cpu{{.threads = 1}}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = 0.1},
                    {.epochs = 3, .batch_size = point.count("batch_size"), .seed = point.count("seed")}};
  one.fit(train);
  return std::vector<double>{static_cast<double>(one.steps()), one.evaluate(test).loss};
};
const mt::SweepResult result = mt::run_sweep(grid, {"steps", "loss"}, run, {.journal = "sweep.jsonl", .settings = "epochs=3"});
std::vector<double> batch, steps;
for (std::size_t i = 0; i < grid.size(); ++i) {
  batch.push_back(grid[i]["batch_size"]);
  steps.push_back(result.value(i, "steps"));
}
std::printf("steps fall with the batch to the power of %.2f\n", mt::fit_log_log(batch, steps).slope);
mt::InterruptGuard interrupt{SIGINT, SIGTERM};
const mt::SweepResult part = mt::run_sweep(grid, {"steps", "loss"}, run, {.journal = "part.jsonl", .stop = [&] { return interrupt.requested(); }});
if (!part.complete()) return interrupt.flag().exit_status();
  return mt::fit_log_log(batch, steps).slope;
}

}  // namespace
// clang-format on

TEST_CASE("the programs of docs/training.md compile and run", "[train]") {
  const test::Folder folder;
  const std::filesystem::path before = std::filesystem::current_path(), source = std::filesystem::absolute(__FILE__);
  std::filesystem::current_path(folder / "");
  CHECK_NOTHROW(programs());
  const std::size_t files = folder.count();
  CHECK(rules() == 0);
  CHECK(sweep() == test::Approx(-1).margin(0.05));
  std::filesystem::current_path(before);
  CHECK(files == 7);
  const std::string ours = test::read_all(source.string());
  std::istringstream page(test::read_all(source.parent_path() / "../../docs/training.md"));
  bool section = false, code = false;
  std::size_t lines = 0;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) section = line != "## Optimizers";
    if (line.starts_with("```")) {
      code = line == "```cpp";
    } else if (section && code) {
      INFO(line);
      CHECK(ours.find("\n" + line + "\n") != std::string::npos);
      ++lines;
    }
  }
  CHECK(lines == 70);
}
