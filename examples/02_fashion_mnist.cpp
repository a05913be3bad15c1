// Real images: 784-128-10 on Fashion-MNIST, about 87 % right after five epochs.
#include <minitrain/train/jsonl_log.hpp>
#include <minitrain/train/onnx.hpp>
#include <minitrain/train/progress_bar.hpp>
#include <minitrain/train/run_record.hpp>
#include <minitrain/train/tensorboard_log.hpp>
#include <minitrain/trainer.hpp>

#include <unistd.h>

#include <iostream>

#include "common/arguments.hpp"
#include "common/find_data.hpp"
#include "common/progress.hpp"

namespace mt = minitrain;

constexpr std::size_t classes = 10;
constexpr const char* names[classes] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                        "sandal",  "shirt",   "sneaker",  "bag",   "boot"};

// How often an image of the class of the row was taken for one of the class of the column.
static void show_confusion(const mt::Dataset& data, const mt::Tensor<float>& outputs) {
  std::size_t count[classes][classes] = {};
  for (std::size_t i = 0; i < data.size(); ++i) {
    const float* row = outputs.data() + i * classes;
    ++count[data.label(i)][std::max_element(row, row + classes) - row];
  }
  std::printf("\n%-10s", "is / seen");
  for (const char* name : names) std::printf("%9s", name);
  for (std::size_t i = 0; i < classes; ++i) {
    std::printf("\n%-10s", names[i]);
    for (const std::size_t n : count[i]) std::printf("%9zu", n);
  }
  std::printf("\n");
}

int main(int argc, char** argv) try {
  examples::Arguments arguments(argc, argv, "Trains 784-128-10 on Fashion-MNIST with Adam.");
  const std::string folder = arguments.text("--data", "DIR", "with the four files (looks in the usual places)");
  const std::size_t epochs = arguments.number("--epochs", 5, "passes over the training data");
  const std::size_t batch = arguments.number("--batch", 32, "samples of one optimizer step");
  const std::size_t threads = arguments.number("--threads", 0, "of the processor; 0: all there are", 0);
  const std::uint64_t seed = arguments.number("--seed", 1, "of parameters and shuffling", 0);
  const std::string log = arguments.text("--log", "FILE", "where to write its numbers, as lines of JSON");
  const std::string curves = arguments.text("--tensorboard", "DIR", "where to write its curves, for TensorBoard");
  const std::string record = arguments.text("--record", "FILE", "where to write what the run was, such as run.json");
  const std::string onnx = arguments.text("--onnx", "FILE", "where to write the trained model");
  const bool dry_run = arguments.dry_run();
  if (arguments.help_shown()) return examples::ok;

  const auto [train, test] = examples::load_images(folder);
  const mt::Sequential model{mt::Dense{784, 128}, mt::ReLU{}, mt::Dense{128, classes}};
  const mt::Cpu device{{.threads = threads}};
  const mt::SoftmaxCrossEntropy loss;
  const mt::Adam adam{.learning_rate = 1e-3f};
  const mt::TrainerOptions options{.epochs = epochs, .batch_size = batch, .seed = seed};
  if (dry_run) {
    std::printf("%s", mt::to_string(mt::estimate(train, model, loss, adam, options, device)).c_str());
    return examples::ok;
  }
  mt::Trainer trainer{device, model, loss, adam, options};
  std::printf("%s\n", trainer.explain().c_str());

  // Each is heard only where it was asked for.
  mt::ProgressBar bar{std::cerr, mt::terminal_of(STDERR_FILENO, environ), {.epoch_lines = false}};
  mt::JsonlLog lines{log, {.every_steps = 10}};
  mt::TensorBoardLog board{curves, {.every_steps = 10}};
  mt::RunRecord run{record, {.command_line = {argv, argv + argc}, .options = trainer.options()}};
  mt::Callbacks callbacks{.on_step = examples::stop_when_interrupted(trainer), .observers = {&bar}};
  if (!log.empty()) callbacks.observers.push_back(&lines);
  if (!curves.empty()) callbacks.observers.push_back(&board);
  if (!record.empty()) callbacks.observers.push_back(&run);
  const mt::History history = trainer.fit(train, test, callbacks);
  if (examples::was_interrupted()) return examples::interrupted_code();

  for (const mt::EpochRecord& epoch : history.epochs) {
    std::printf("epoch %zu: training loss %.4f, test loss %.4f, test accuracy %.4f, %.2f s\n", epoch.epoch + 1,
                epoch.training.loss, epoch.validation.loss, epoch.validation.accuracy, epoch.seconds);
  }
  if (!onnx.empty()) mt::write_onnx(onnx, model, trainer.parameters());
  show_confusion(test, trainer.predict(test));
  std::printf("\n%zu steps in %.2f s; test accuracy %.4f\n", history.steps(), history.seconds(),
              history.epochs.back().validation.accuracy);
  return examples::printed(examples::ok);
} catch (const std::exception& error) {
  return examples::report(error);
}
