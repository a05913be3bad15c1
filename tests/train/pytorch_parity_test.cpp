// A whole run beside PyTorch, where it is installed: same start, same batches, same weights after 100 steps.

#include <minitrain/trainer.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "support/catch.hpp"
#include "support/python.hpp"

namespace mt = minitrain;

namespace {

void write(const std::filesystem::path& path, const auto& values) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  CHECK(std::fwrite(values.data(), sizeof values[0], values.size(), file) == values.size());
  std::fclose(file);
}

}  // namespace

TEST_CASE("a run equals PyTorch's, and weights go both ways", "[train]") {
  const double clip_norm = GENERATE(0.0, 0.1);
  const std::string python = test::python_with("torch, safetensors.torch, numpy");
  if (python.empty()) return;
  const auto folder = std::filesystem::temp_directory_path() / ("minitrain_parity_" + std::to_string(std::rand()));
  std::filesystem::create_directories(folder);
  const mt::Dataset data = mt::synthetic_classification({.samples = 300, .features = 10, .classes = 3, .seed = 3});
  std::vector<float> x;
  std::vector<std::int32_t> y;
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t j = 0; j < 10; ++j) x.push_back(data.feature(i, j));
    y.push_back(data.label(i));
  }
  write(folder / "x.bin", x);
  write(folder / "y.bin", y);

  const mt::Sequential model{mt::Dense{10, 64}, mt::ReLU{}, mt::LayerNorm{64}, mt::Dense{64, 3}};
  mt::Trainer trainer{mt::Cpu{},
                      model,
                      mt::SoftmaxCrossEntropy{.label_smoothing = 0.1, .class_weights = {1, 0.5, 2}},
                      mt::AdamW{.learning_rate = 1e-2},
                      {.epochs = 20, .batch_size = 64, .shuffle = false, .clip_norm = clip_norm}};
  trainer.save_weights(folder / "start.safetensors");
  trainer.fit(data);
  trainer.save_weights(folder / "trained.safetensors");
  CHECK(test::run_python(python, __FILE__, "pytorch_parity.py", folder.string(), std::to_string(clip_norm)));
  const double loss = trainer.evaluate(data).loss;
  trainer.load_weights(folder / "pytorch.safetensors");
  CHECK(std::abs(trainer.evaluate(data).loss - loss) < 1e-4);
  std::filesystem::remove_all(folder);
}
