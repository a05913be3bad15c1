// What a state of the GPU holds beside that of the CPU: the loss scale of fp16, inside a window too.

#include <minitrain/cuda.hpp>
#include <minitrain/trainer.hpp>

#include <cstdio>
#include <string>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace mt = minitrain;

namespace {

/// Errors of the first steps are far above 1, so that 65,536 times the gradient is infinite in fp16.
mt::Dataset far_targets() {
  mt::Tensor<float> x(mt::Shape{70, 6}), y(mt::Shape{70, 3});
  const mt::Random random(7, mt::RandomPurpose::test);
  std::uint64_t i = 0;
  for (float& v : x) v = static_cast<float>(2 * random.uniform(i++) - 1);
  for (std::size_t row = 0; row < 70; ++row) {
    for (std::size_t j = 0; j < 3; ++j) y(row, j) = 30 * x(row, j) - 20 * x(row, j + 3) + 10;
  }
  return mt::Dataset::regression(x, y);
}

auto trainer_on(const mt::Cuda& device) {
  return mt::Trainer{device, mt::Sequential{mt::Dense{6, 17}, mt::ReLU{}, mt::Dropout{0.1}, mt::Dense{17, 3}},
                     mt::MeanSquaredError{}, mt::Adam{.learning_rate = 0.02},
                     mt::TrainerOptions{.batch_size = 16, .seed = 2}};
}

}  // namespace

TEST_CASE("a run in fp16 goes on from a file with its loss scale, inside a window too", "[state][math]") {
  const std::string path = "cuda_checkpoint_test.safetensors";
  const mt::Cuda device{mt::CudaOptions{.math = mt::Math::fp16}};
  const mt::Dataset data = far_targets();
  mt::DataLoader<float, mt::Cuda> loader(data, {.batch_size = 16, .shuffle = false}, device);
  const auto half_a_batch = [&](auto& trainer) { trainer.accumulate(loader.next(0, 0, 7)); };
  const auto rest = [&](auto& trainer) {
    trainer.accumulate(loader.next(0, 7, 9));
    trainer.update();
    trainer.fit(data);
  };
  auto whole = trainer_on(device);
  whole.fit(data);
  REQUIRE(whole.steps() < 5);  // some were none, and have changed the scale
  half_a_batch(whole);
  whole.save(path);
  rest(whole);

  auto second = trainer_on(device);
  second.load(path);
  CHECK(second.accumulated() == 7);
  rest(second);
  CHECK(second.steps() == whole.steps());
  CHECK(second.parameters() == whole.parameters());
  second.load(path);  // and again, over another scale
  rest(second);
  CHECK(second.parameters() == whole.parameters());

  const mt::SafetensorsFile file(path);
  REQUIRE(file.metadata("minitrain.loss_scale") != nullptr);
  CHECK(*file.metadata("minitrain.loss_scale") != "65536");
  CHECK(file.metadata("minitrain.window.samples") != nullptr);
  std::remove(path.c_str());
}

TEST_CASE("a loss scale goes out of a queue and into another", "[math]") {
  const mt::Cuda device{mt::CudaOptions{.math = mt::Math::fp16}};
  const auto scope = device.arithmetic_scope();
  mt::Cuda::StepQueue queue(device);
  CHECK(queue.loss_scale_state(device) == std::array<double, 2>{65536, 0});
  queue.set_loss_scale_state(device, {1024, 1999});
  CHECK(queue.loss_scale(device) == 1024);
  CHECK(queue.loss_scale_state(device) == std::array<double, 2>{1024, 1999});
  mt::Tensor<double, mt::Cuda> totals(device, mt::Shape{4});
  const std::array<double, 4> sums{1, 8, 0, 4};
  copy_from_host(device, sums.data(), totals.view());
  queue.close(device, totals.view(), 0);
  CHECK(queue.loss_scale_state(device) == std::array<double, 2>{2048, 0});

  const mt::Cuda full;
  mt::Cuda::StepQueue unscaled(full);
  CHECK(unscaled.loss_scale_state(full) == std::array<double, 2>{1, 0});
  unscaled.set_loss_scale_state(full, {1024, 5});
  CHECK(unscaled.loss_scale(full) == 1);
}
