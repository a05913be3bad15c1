// Steps that the GPU replays, and data that stays in host memory: the bits of a run on the CPU.

#include <minitrain/cuda.hpp>
#include <minitrain/trainer.hpp>

#include "support/catch.hpp"
#include "train/random_runs.hpp"

namespace mt = minitrain;

namespace {

mt::Dataset labelled(std::size_t samples, std::size_t features = 6) {
  return mt::synthetic_classification({.samples = samples, .features = features, .classes = 3, .seed = 5});
}

/// y = x, with whatever `Wants` does on the host.
template <class Wants>
struct Identity {
  static constexpr bool replayable = Wants::replayable;
  std::string name() const { return "Identity"; }
  mt::Shape output_shape(const mt::Shape& x) const { return x; }
  template <class T, class Device>
  void forward(const Device& device, const mt::ForwardPass<T, Device>& p) const {
    activation_forward(device, mt::Activation{}, p.x, p.y);
    Wants::on_host(device, mt::View<const T, Device>(p.y));
  }
  template <class T, class Device>
  void backward(const Device& device, const mt::BackwardPass<T, Device>& p) const {
    if (!p.dx.empty()) activation_backward(device, mt::Activation{}, p.x, p.y, p.dy, p.dx);
  }
};

struct Nothing {
  static constexpr bool replayable = true;
  template <class... A>
  static void on_host(const A&...) {}
};
struct NotReplayable : Nothing {
  static constexpr bool replayable = false;
};
/// Reads its output back: that cannot be captured, whatever it says of itself.
struct Waits {
  static constexpr bool replayable = true;
  template <class Device, class Y>
  static void on_host(const Device& device, const Y& y) {
    std::vector<float> values(y.size());
    copy_to_host(device, y, values.data());
  }
};

/// Wants memory: the capture is refused, but not spoilt.
struct Allocates {
  static constexpr bool replayable = true;
  template <class Device, class Y>
  static void on_host(const Device& device, const Y& y) {
    const mt::Tensor<float, Device> working(device, y.shape());
  }
};

/// SGD in two calls, which is not what may be replayed.
struct TwoHalves {
  double learning_rate = 0.05;
  static constexpr bool takes_queued_scale = true;
  void check() const {}
  static const char* name() { return "TwoHalves"; }
  static std::size_t moments() { return 0; }
  static const char* moment_name(std::size_t) { return ""; }
  template <class T, class Device>
  void update(const Device& device, const mt::UpdateStep<T, Device>& step) const {
    const std::size_t half = step.parameters.size() / 2;
    for (const std::size_t first : {std::size_t{0}, half}) {
      const mt::Shape shape{first == 0 ? half : step.parameters.size() - half};
      mt::UpdateStep<T, Device> part = step;
      part.parameters = {step.parameters.data() + first, shape};
      part.gradient_sums = {step.gradient_sums.data() + first, shape};
      part.learning_rate = first == 0 ? learning_rate : learning_rate / 2;
      sgd_update(device, mt::SgdRule{}, part);
    }
  }
};

const mt::TrainerOptions options{.epochs = 2, .batch_size = 4, .seed = 3};

template <class Device, class Model>
mt::Tensor<float> trained(const Device& device, const Model& model, const mt::Dataset& data,
                          const mt::TrainerOptions& how = options, const mt::Callbacks& callbacks = {}) {
  mt::Trainer trainer{device, model, mt::SoftmaxCrossEntropy{}, mt::AdamW{}, how};
  trainer.fit(data, callbacks);
  return trainer.parameters();
}

template <class Wants>
auto model_with(std::size_t features = 6) {
  return mt::Sequential{mt::Dense{features, 9}, mt::Tanh{}, Identity<Wants>{}, mt::Dropout{0.2}, mt::Dense{9, 3}};
}

bool same_bits_expected() { return mt::cpu::best_isa() != mt::Isa::baseline; }

}  // namespace

TEST_CASE("replayed steps move on through the data, the random numbers and the optimizer's factors", "[exactness]") {
  const auto data = labelled(603);  // 150 full batches and a short one, twice
  const auto gpu = trained(mt::Cuda{0}, model_with<Nothing>(), data);
  if (!same_bits_expected()) return;
  CHECK(test::same_bits(gpu, trained(mt::Cpu{}, model_with<Nothing>(), data)));
  auto cut = options;
  cut.micro_batch_size = 3;
  CHECK(test::same_bits(gpu, trained(mt::Cuda{0}, model_with<Nothing>(), data, cut)));
}

TEST_CASE("a layer that cannot be captured is launched, with the same bits", "[exactness]") {
  const auto data = labelled(43);
  const auto expected = trained(mt::Cuda{0}, model_with<Nothing>(), data);
  CHECK(test::same_bits(expected, trained(mt::Cuda{0}, model_with<NotReplayable>(), data)));
  CHECK(test::same_bits(expected, trained(mt::Cuda{0}, model_with<Waits>(), data)));
  CHECK(test::same_bits(expected, trained(mt::Cuda{0}, model_with<Allocates>(), data)));
}

TEST_CASE("an optimizer that does not say it is replayable is run for every step", "[exactness]") {
  const auto data = labelled(83);
  const auto run = [&](const auto& device, const mt::Callbacks& callbacks = {}) {
    mt::Trainer trainer{device, model_with<Nothing>(), mt::SoftmaxCrossEntropy{}, TwoHalves{}, options};
    trainer.fit(data, callbacks);
    return trainer.parameters();
  };
  const auto gpu = run(mt::Cuda{0});
  CHECK(test::same_bits(gpu, run(mt::Cuda{0}, {.on_step = [](const auto&) {}})));
  if (same_bits_expected()) CHECK(test::same_bits(gpu, run(mt::Cpu{})));
}

TEST_CASE("other work on the GPU between epochs does not disturb what was captured", "[exactness]") {
  const auto data = labelled(101);
  const mt::Cuda device{0};
  mt::Trainer other{device,
                    mt::Sequential{mt::Dense{6, 40}, mt::Dense{40, 3}},
                    mt::SoftmaxCrossEntropy{},
                    mt::SGD{},
                    {.batch_size = 90}};
  // Its losses want more working memory, so that all of it moves.
  const auto busy = trained(device, model_with<Nothing>(), data, options,
                            {.on_epoch = [&](const mt::EpochRecord&) { other.fit(data); }});
  CHECK(test::same_bits(busy, trained(mt::Cuda{0}, model_with<Nothing>(), data)));
}

TEST_CASE("the queue replays all steps but the first of a kind") {
  const mt::Cuda device{0};
  const auto scope = device.arithmetic_scope();
  mt::Cuda::StepQueue queue(device);
  mt::Tensor<double, mt::Cuda> totals(device, mt::Shape{4});
  std::size_t runs = 0, updates = 0;
  std::uint64_t position = 0;
  const auto steps = [&](std::size_t count, std::size_t samples, bool replayable = true) {
    for (std::size_t i = 0; i < count; ++i, position += samples) {
      queue.queue(
          device, {.samples = samples, .position = position, .number = i}, replayable,
          [&] {
            ++runs;
            queue.close(device, totals.view(), 0);
          },
          [&] { ++updates; });
    }
  };
  steps(300, 8);
  CHECK(queue.size() == 300);
  CHECK(updates == 299);
  CHECK(runs < 40);  // launched once, captured once alone and once in a row of 32
  steps(1, 5);
  steps(10, 8);
  CHECK(queue.take(device).size() == 311);
  CHECK(queue.replayed() == 309);
  CHECK(queue.size() == 0);
  runs = 0;
  steps(20, 8, false);
  CHECK(runs == 20);
  queue.forget_graphs(device);
  steps(3, 8);
  CHECK(queue.take(device).size() == 23);
  CHECK(queue.replayed() == 311);
}

TEST_CASE("an update that throws while it is planned queues nothing") {
  const mt::Cuda device{0};
  const auto scope = device.arithmetic_scope();
  mt::Cuda::StepQueue queue(device);
  mt::Tensor<double, mt::Cuda> totals(device, mt::Shape{4});
  const auto step = [&](bool fails) {
    queue.queue(
        device, {.samples = 1}, true, [&] { queue.close(device, totals.view(), 0); },
        [&] {
          if (fails) throw mt::OptionError("no");
        });
  };
  step(false);
  step(false);
  CHECK_THROWS_AS(step(true), mt::OptionError);
  CHECK(queue.size() == 2);
  step(false);
  CHECK(queue.take(device).size() == 3);
}

/// A device on which what the queue of steps needs finds room, and little more.
mt::Cuda small_device() { return mt::Cuda{mt::CudaOptions{.memory_limit = 309'000}}; }

TEST_CASE("data that does not fit into the GPU's memory is copied batch by batch", "[exactness]") {
  const auto all = labelled(900, 140);  // 504,000 bytes of features
  std::vector<std::uint64_t> some;
  for (std::uint64_t i = 0; i < 500; ++i) some.push_back(i * 7 % 900);
  for (const bool subset : {false, true}) {
    const auto data = subset ? all.subset(some) : all;
    const bool shuffle = subset;
    const mt::DataLoaderOptions batches{.batch_size = 70, .shuffle = shuffle, .seed = 4};
    CHECK_FALSE((mt::DataLoader<float, mt::Cuda>(data, batches, small_device()).is_resident()));
    CHECK((mt::DataLoader<float, mt::Cuda>(data, batches, mt::Cuda{0}).is_resident()));
    mt::TrainerOptions how = options;
    how.batch_size = 70, how.shuffle = shuffle;
    const auto model = model_with<Nothing>(140);
    const auto expected = trained(mt::Cuda{0}, model, data, how);
    CHECK(test::same_bits(expected, trained(small_device(), model, data, how)));
    how.micro_batch_size = 33;
    CHECK(test::same_bits(expected, trained(small_device(), model, data, how)));
  }
}

TEST_CASE("bytes and targets are streamed as well", "[exactness]") {
  mt::Tensor<std::uint8_t> pixels(mt::Shape{400, 1000});
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);
  std::vector<std::int32_t> labels(400);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i % 3);
  const auto data = mt::Dataset::classification(pixels, labels, 3, 1.0f / 255);
  const mt::Sequential model{mt::Dense{1000, 3}};
  CHECK_FALSE((mt::DataLoader<float, mt::Cuda>(data, {.batch_size = 16}, small_device()).is_resident()));
  CHECK(test::same_bits(trained(mt::Cuda{0}, model, data), trained(small_device(), model, data)));

  const auto numbers = mt::synthetic_regression({.samples = 400, .features = 160, .seed = 1});
  const mt::Sequential line{mt::Dense{160, 1}};
  const auto fitted = [&](const mt::Cuda& device) {
    mt::Trainer trainer{device, line, mt::MeanSquaredError{}, mt::SGD{}, options};
    trainer.fit(numbers);
    return trainer.parameters();
  };
  CHECK(test::same_bits(fitted(mt::Cuda{0}), fitted(small_device())));
}
