// Steps that turn out to be none: gradients past the range of fp16, batches without weight.

#include <minitrain/cuda.hpp>
#include <minitrain/trainer.hpp>

#include <array>
#include <limits>

#include "support/catch.hpp"
#include "support/errors.hpp"
#include "train/random_runs.hpp"

namespace mt = minitrain;

namespace {

mt::Cuda half() { return mt::Cuda{mt::CudaOptions{.math = mt::Math::fp16}}; }

/// Errors of the first steps are far above 1, so that 65,536 times the gradient is infinite in fp16.
mt::Dataset far_targets() {
  mt::Tensor<float> x(mt::Shape{203, 6}), y(mt::Shape{203, 3});
  const mt::Random random(7, mt::RandomPurpose::test);
  std::uint64_t i = 0;
  for (float& v : x) v = static_cast<float>(2 * random.uniform(i++) - 1);
  for (std::size_t row = 0; row < 203; ++row) {
    for (std::size_t j = 0; j < 3; ++j) y(row, j) = 30 * x(row, j) - 20 * x(row, j + 3) + 10;
  }
  return mt::Dataset::regression(x, y);
}

const mt::Sequential model{mt::Dense{6, 32}, mt::ReLU{}, mt::Dropout{0.1}, mt::Dense{32, 3}};
const mt::TrainerOptions options{.epochs = 4, .batch_size = 16, .seed = 2};

auto trainer_on(const mt::Cuda& device) {
  return mt::Trainer{device, model, mt::MeanSquaredError{}, mt::Adam{.learning_rate = 0.02}, options};
}

void end_step(const mt::Cuda& device, mt::Cuda::StepQueue& queue, double squares, double weight = 8, double loss = 1) {
  mt::Tensor<double, mt::Cuda> totals(device, mt::Shape{4});
  const std::array<double, 4> sums{loss, weight, 0, squares};
  copy_from_host(device, sums.data(), totals.view());
  queue.close(device, totals.view(), 0);
}

std::array<double, 2> scale_of(const mt::Cuda& device, const mt::Cuda::StepQueue& queue) {
  std::array<double, 2> scale;
  copy_to_host(device, queue.scale(), scale.data());
  return scale;
}

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("the loss scale is halved by a gradient that is not finite, and doubled after 2,000 steps without",
          "[math]") {
  const mt::Cuda device = half();
  const auto scope = device.arithmetic_scope();
  mt::Cuda::StepQueue queue(device);
  CHECK(queue.loss_scale(device) == 65536);
  end_step(device, queue, 4);
  CHECK(scale_of(device, queue) == std::array<double, 2>{1.0 / (8 * 65536.0), 0});
  end_step(device, queue, infinity);
  CHECK(scale_of(device, queue)[1] == 1);
  CHECK(queue.loss_scale(device) == 32768);
  end_step(device, queue, 4);
  CHECK(scale_of(device, queue) == std::array<double, 2>{1.0 / (8 * 32768.0), 0});
  end_step(device, queue, 4, 0);  // no weight
  CHECK(scale_of(device, queue)[1] == 1);
  const auto results = queue.take(device);
  CHECK(results.size() == 4);
  CHECK(results[0][3] == 4 / (65536.0 * 65536));
  CHECK(results[1][3] < 0);
  CHECK(results[3][3] < 0);

  for (int i = 0; i < 1998; ++i) {
    end_step(device, queue, 4);
    if (queue.size() == queue.capacity) queue.take(device);
  }
  CHECK(queue.loss_scale(device) == 32768);
  end_step(device, queue, 4);
  CHECK(queue.loss_scale(device) == 65536);
  queue.take(device);

  mt::Tensor<float, mt::Cuda> dy(device, mt::Shape{3});
  const std::array<float, 3> values{1, -2, 0x1p-30f};
  copy_from_host(device, values.data(), dy.view());
  queue.scale_loss(device, dy.view());
  std::array<float, 3> scaled;
  copy_to_host(device, mt::View<const float, mt::Cuda>(dy.view()), scaled.data());
  CHECK(scaled == std::array<float, 3>{65536, -131072, 0x1p-14f});

  for (int i = 0; i < 16; ++i) end_step(device, queue, infinity);
  CHECK(queue.loss_scale(device) == 1);
  end_step(device, queue, infinity);  // now nothing is left to blame but the gradient
  end_step(device, queue, 4);
  CHECK(scale_of(device, queue)[1] == 1);
  CHECK(queue.take(device)[16][3] == infinity);

  const mt::Cuda full{0};
  mt::Cuda::StepQueue unscaled(full);
  CHECK(unscaled.loss_scale(full) == 1);
  end_step(full, unscaled, infinity, 0);  // no weight, but what was to be clipped is not finite
  CHECK(scale_of(full, unscaled)[1] == 1);
  CHECK(unscaled.take(full)[0][3] == infinity);
}

TEST_CASE("a run in fp16 leaves out the steps whose gradient does not fit, and learns", "[math]") {
  const auto data = far_targets();
  auto full = trainer_on(mt::Cuda{0}), scaled = trainer_on(half());
  const double before = scaled.evaluate(data).loss;
  const auto history = scaled.fit(data);
  full.fit(data);
  CHECK(full.steps() == 4 * 13);
  CHECK(scaled.steps() < full.steps());  // 65,536 was too much for the first gradients
  CHECK(scaled.steps() > full.steps() / 2);
  CHECK(history.epochs[0].steps < 13);
  CHECK(history.epochs[3].steps == 13);
  CHECK(history.epochs[0].training.samples == 203);
  const double loss = scaled.evaluate(data).loss;
  CHECK(loss < before / 4);

  // The same bits where the host waits for every step, by a callback or by hand.
  auto watched = trainer_on(half());
  std::size_t seen = 0;
  watched.fit(data, {.on_step = [&](const auto&) { ++seen; }});
  CHECK(seen == watched.steps());
  CHECK(test::same_bits(watched.parameters(), scaled.parameters()));

  auto by_hand = trainer_on(half());
  mt::DataLoader<float, mt::Cuda> loader(data, {.batch_size = 16, .shuffle = true, .seed = 2}, by_hand.device());
  for (std::size_t epoch = 0; epoch < 4; ++epoch) {
    for (const auto& batch : loader.epoch(epoch)) {
      by_hand.accumulate(batch);
      by_hand.update();
    }
  }
  CHECK(by_hand.steps() == scaled.steps());
  CHECK(test::same_bits(by_hand.parameters(), scaled.parameters()));
}

TEST_CASE("a gradient of fp16 that no scale makes finite is an error", "[math][bad input]") {
  const auto data = mt::synthetic_regression({.samples = 64, .features = 6, .seed = 1, .targets = 3});
  mt::Trainer trainer{half(),
                      mt::Sequential{mt::Dense{6, 8}, mt::ReLU{}, mt::Dense{8, 3}},
                      mt::MeanSquaredError{},
                      mt::SGD{.learning_rate = 1e6},
                      {.epochs = 50, .batch_size = 16}};
  CHECK_THROWS_AS(trainer.fit(data), mt::NumericError);
}

namespace {

struct PlainDescent {
  double learning_rate = 0.1;
  void check() const {}
  static const char* name() { return "PlainDescent"; }
  static std::size_t moments() { return 0; }
  static const char* moment_name(std::size_t) { return ""; }
  template <class T, class Device>
  void update(const Device&, const mt::UpdateStep<T, Device>&) const {}
};

}  // namespace

TEST_CASE("an optimizer that cannot unscale is refused in fp16", "[math][bad input]") {
  test::check_error<mt::OptionError>(
      mt::ErrorCode::invalid_argument,
      [] {
        mt::Trainer{half(), model, mt::MeanSquaredError{}, PlainDescent{}, options};
      },
      "PlainDescent", "takes_queued_scale");
}

TEST_CASE("batches without weight are no steps, on a GPU as on the CPU", "[exactness]") {
  mt::Tensor<float> x(mt::Shape{120, 5});
  const mt::Random random(9, mt::RandomPurpose::test);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.uniform(i));
  std::vector<std::int32_t> labels(120);
  // Of batches of 8, those of samples 16 to 31 and 80 to 87 have the class without weight alone.
  for (std::size_t i = 0; i < 120; ++i)
    labels[i] = i / 16 == 1 || i / 8 == 10 ? 0 : static_cast<std::int32_t>(1 + i % 2);
  const auto data = mt::Dataset::classification(x, labels, 3);
  const auto run = [&](const auto& device, const mt::Callbacks& callbacks = {}) {
    mt::Trainer trainer{device,
                        mt::Sequential{mt::Dense{5, 9}, mt::Tanh{}, mt::Dropout{0.3}, mt::Dense{9, 3}},
                        mt::SoftmaxCrossEntropy{.class_weights = {0, 1, 2}},
                        mt::Adam{.learning_rate = 0.01},
                        {.epochs = 3, .batch_size = 8, .shuffle = false, .seed = 1}};
    trainer.fit(data, callbacks);
    CHECK(trainer.steps() == 3 * 12);
    return trainer.parameters();
  };
  const auto gpu = run(mt::Cuda{0});
  CHECK(test::same_bits(gpu, run(mt::Cuda{0}, {.on_step = [](const auto&) {}})));
  if (mt::cpu::best_isa() == mt::Isa::baseline) return;
  CHECK(test::same_bits(gpu, run(mt::Cpu{})));
}
