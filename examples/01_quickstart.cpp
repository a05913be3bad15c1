// The smallest whole program: data, a model, a trainer; train, evaluate, save, load.
#include <minitrain/trainer.hpp>

#include "common/arguments.hpp"
#include "common/progress.hpp"
#include "common/temporary_file.hpp"

namespace mt = minitrain;

int main(int argc, char** argv) try {
  examples::Arguments arguments(argc, argv, "Trains 10-64-1 to imitate a random network, in about a second.");
  const std::size_t epochs = arguments.number("--epochs", 20, "passes over the training data");
  const std::uint64_t seed = arguments.number("--seed", 7, "of parameters and shuffling", 0);
  const std::string file = arguments.text("--save", "FILE", "where to keep the trained weights (a temporary file)");
  if (arguments.help_shown()) return examples::ok;

  // 20,000 rows of 10 features and one target, drawn from a fixed random teacher network.
  const mt::Dataset data = mt::synthetic_regression({.samples = 20'000, .features = 10, .seed = 1});
  const auto [train, test] = mt::split(data, {.test_fraction = 0.2, .seed = 1});

  const mt::Sequential model{mt::Dense{10, 64}, mt::ReLU{}, mt::Dense{64, 1}};
  std::printf("%s\n", mt::summary(model).c_str());

  mt::Trainer trainer{mt::Cpu{},
                      model,
                      mt::MeanSquaredError{},
                      mt::Adam{.learning_rate = 1e-3f},
                      {.epochs = epochs, .batch_size = 128, .seed = seed}};
  examples::Progress progress;
  const double before = trainer.evaluate(test).loss;
  const mt::History history = trainer.fit(train, test, examples::watch(trainer, progress));
  if (examples::was_interrupted()) return examples::interrupted_code();

  const mt::EpochRecord& last = history.epochs.back();
  std::printf("%zu steps of 128 samples in %.2f s, %.0f samples/s\n", history.steps(), history.seconds(),
              last.samples_per_second);
  std::printf("loss before %.5f, after %.5f; on data never trained on %.5f\n", before, last.training.loss,
              last.validation.loss);

  // PyTorch's nn.Sequential loads this file as it is, and the other way round.
  const examples::TemporaryFile temporary;
  const std::string& path = file.empty() ? temporary.path() : file;
  trainer.save_weights(path);
  mt::Trainer copy{mt::Cpu{}, model, mt::MeanSquaredError{}, mt::SGD{.learning_rate = 0.01f}};
  copy.load_weights(path);
  const bool same = copy.predict(test) == trainer.predict(test);
  std::printf("weights in %s give %s predictions\n", path.c_str(), same ? "the same" : "other");
  return examples::printed(same ? examples::ok : examples::run_failed);
} catch (const std::exception& error) {
  return examples::report(error);
}
