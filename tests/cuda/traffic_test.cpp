// Bytes and memory of a GPU: what was predicted is what is moved and allocated.

#include <minitrain/cuda.hpp>
#include <minitrain/data/row_file.hpp>
#include <minitrain/trainer.hpp>

#include <array>
#include <cstdio>
#include <optional>

#include "support/catch.hpp"
#include "train/random_runs.hpp"

namespace mt = minitrain;
using test::ContainsSubstring;

namespace {

mt::Dataset labelled(std::size_t samples, std::size_t features = 6) {
  return mt::synthetic_classification({.samples = samples, .features = features, .classes = 3, .seed = 5});
}

mt::Dataset pixels(std::size_t samples, std::size_t features) {
  mt::Tensor<std::uint8_t> values(mt::Shape{samples, features});
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * 37 % 251);
  std::vector<std::int32_t> labels(samples);
  for (std::size_t i = 0; i < samples; ++i) labels[i] = static_cast<std::int32_t>(i % 3);
  return mt::Dataset::classification(values, labels, 3, 1.0f / 255);
}

auto model_of(std::size_t features, std::size_t outputs) {
  return mt::Sequential{mt::Dense{features, 9}, mt::Tanh{}, mt::Dense{9, outputs}};
}

/// What a fit moves, and what it was estimated to.
struct Moved {
  mt::Traffic measured, predicted;
};

template <class Model, class Loss>
Moved moved(const mt::Cuda& device, const Model& model, const Loss& loss, const mt::Dataset& data,
            const mt::TrainerOptions& options, const mt::Callbacks& callbacks = {}) {
  const mt::Estimate e = mt::estimate(mt::size_of(data), model, loss, mt::Adam{}, options, device, mt::Probe{});
  mt::Trainer trainer{device, model, loss, mt::Adam{}, options};
  const mt::Traffic before = mt::traffic(device);
  trainer.fit(data, callbacks);
  return {mt::traffic(device).since(before), e.run};
}

void check_bytes(const Moved& m) {
  CHECK(m.measured.to_device_bytes == m.predicted.to_device_bytes);
  CHECK(m.measured.from_device_bytes == m.predicted.from_device_bytes);
  CHECK(m.measured.to_device_copies >= m.predicted.to_device_copies);
  CHECK(m.measured.from_device_copies >= m.predicted.from_device_copies);
}

/// A data set in a file, which is gone with it.
struct RowFile {
  explicit RowFile(const mt::Dataset& all) {
    mt::write_row_file(path, all);
    data = mt::open_row_file(path);
  }
  ~RowFile() { std::remove(path); }
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;

  const char* const path = "traffic_test.safetensors";
  mt::Dataset data;
};

/// A device on which what the queue of steps needs finds room, and little more.
mt::Cuda small_device() { return mt::Cuda{mt::CudaOptions{.memory_limit = 380'000}}; }

/// y = x, which reads its output back in every forward pass, whatever it says of itself.
struct Waits {
  static constexpr bool replayable = true;
  std::string name() const { return "Waits"; }
  mt::Shape output_shape(const mt::Shape& x) const { return x; }
  template <class T, class Device>
  void forward(const Device& device, const mt::ForwardPass<T, Device>& p) const {
    activation_forward(device, mt::Activation{}, p.x, p.y);
    std::vector<T> values(p.y.size());
    copy_to_host(device, mt::View<const T, Device>(p.y), values.data());
  }
  template <class T, class Device>
  void backward(const Device& device, const mt::BackwardPass<T, Device>& p) const {
    if (!p.dx.empty()) activation_backward(device, mt::Activation{}, p.x, p.y, p.dy, p.dx);
  }
};

}  // namespace

TEST_CASE("a device counts what is copied to it and back") {
  const mt::Cuda device{0};
  CHECK(mt::traffic(device) == mt::Traffic{});
  const std::vector<float> values(10);
  mt::Tensor<float, mt::Cuda> t(device, mt::Shape{10});
  CHECK(mt::traffic(device) == mt::Traffic{});
  copy_from_host(device, values.data(), t.view());
  copy_from_host(device, values.data(), mt::View<float, mt::Cuda>(t.data(), mt::Shape{0}));
  const mt::Cuda copy = device;
  std::vector<float> back(10);
  copy_to_host(copy, mt::View<const float, mt::Cuda>(t.view()), back.data());
  CHECK(mt::traffic(device) ==
        mt::Traffic{.to_device_bytes = 40, .to_device_copies = 1, .from_device_bytes = 40, .from_device_copies = 1});
  CHECK(mt::traffic(mt::Cuda{0}) == mt::Traffic{});
}

TEST_CASE("the bytes of a fit are those predicted", "[exactness]") {
  mt::TrainerOptions options{.epochs = 3, .batch_size = 8, .seed = 3};
  const mt::SoftmaxCrossEntropy loss;
  SECTION("kept on the GPU, steps replayed") {
    check_bytes(moved(mt::Cuda{0}, model_of(6, 3), loss, labelled(203), options));
  }
  SECTION("fewer samples than a batch") {
    options.batch_size = 64;
    check_bytes(moved(mt::Cuda{0}, model_of(6, 3), loss, labelled(43), options));
  }
  SECTION("cut into micro-batches, not shuffled, clipped") {
    options.micro_batch_size = 3, options.shuffle = false, options.clip_norm = 1;
    check_bytes(moved(mt::Cuda{0}, model_of(6, 3), loss, labelled(100), options));
  }
  SECTION("a subset, as its rows are listed") {
    check_bytes(moved(mt::Cuda{0}, model_of(6, 3), loss, mt::split(labelled(100)).train, options));
  }
  SECTION("bytes and targets") {
    check_bytes(moved(mt::Cuda{0}, model_of(11, 3), loss, pixels(50, 11), options));
    const auto numbers = mt::synthetic_regression({.samples = 60, .features = 7, .seed = 1});
    check_bytes(moved(mt::Cuda{0}, model_of(7, 1), mt::MeanSquaredError{}, numbers, options));
  }
  SECTION("read from a file at once, and kept on the GPU; a subset, too, in the order of its rows") {
    const RowFile file(labelled(203));
    check_bytes(moved(mt::Cuda{0}, model_of(6, 3), loss, file.data, options));
    check_bytes(moved(mt::Cuda{0}, model_of(6, 3), loss, mt::split(file.data).train, options));
  }
  SECTION("read from a file while it is used") {
    const RowFile file(labelled(203));
    options.loading.workers = 1;
    check_bytes(moved(mt::Cuda{0}, model_of(6, 3), loss, file.data, options));
    check_bytes(moved(mt::Cuda{0}, model_of(6, 3), loss, mt::split(file.data).train, options));
  }
  SECTION("the host waits for every step: copies, too") {
    const auto on_step = [](const mt::StepEvent&) {};
    options.profile = true;
    const Moved m = moved(mt::Cuda{0}, model_of(6, 3), loss, labelled(100), options, {.on_step = on_step});
    CHECK(m.measured == m.predicted);
  }
  SECTION("batch by batch") {
    options.batch_size = 70, options.epochs = 2;
    check_bytes(moved(small_device(), model_of(140, 3), loss, labelled(900, 140), options));
    options.micro_batch_size = 33;
    check_bytes(moved(small_device(), model_of(200, 3), loss, pixels(2000, 200), options));
  }
}

TEST_CASE("what a GPU keeps is read from disk once, what it does not in every epoch") {
  const RowFile file(labelled(203));
  const std::uint64_t bytes = mt::size_of(file.data).file_bytes();
  REQUIRE(bytes > 0);
  mt::TrainerOptions options{.epochs = 3, .batch_size = 8};
  const auto disk = [&](const auto& device) {
    const mt::Estimate e = mt::estimate(mt::size_of(file.data), model_of(6, 3), mt::SoftmaxCrossEntropy{}, mt::Adam{},
                                        options, device, mt::Probe{});
    return std::array{e.once.disk_read_bytes, e.epoch.disk_read_bytes, e.run.disk_read_bytes};
  };
  CHECK(disk(mt::Cuda{0}) == std::array{bytes, std::uint64_t{0}, bytes});
  CHECK(disk(mt::Cpu{}) == std::array{std::uint64_t{0}, bytes, 3 * bytes});
  options.loading.workers = 1;
  CHECK(disk(mt::Cuda{0}) == std::array{std::uint64_t{0}, bytes, 3 * bytes});
}

TEST_CASE("in fp16 and with weights on classes the bytes are those predicted, too") {
  const mt::TrainerOptions options{.epochs = 2, .batch_size = 8};
  const mt::Cuda half{mt::CudaOptions{.math = mt::Math::fp16}};
  check_bytes(moved(half, model_of(6, 3), mt::SoftmaxCrossEntropy{}, labelled(50), options));
  const mt::SoftmaxCrossEntropy weighted{.class_weights = {1, 2, 3}};
  check_bytes(moved(mt::Cuda{0}, model_of(6, 3), weighted, labelled(50), options));
}

TEST_CASE("a copy in a step that could not be captured counts once") {
  const auto data = labelled(48);
  const mt::TrainerOptions options{.epochs = 2, .batch_size = 8};
  const auto bytes = [&](const auto& model, bool each) {
    const mt::Callbacks wait{.on_step = [](const mt::StepEvent&) {}};
    return moved(mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, data, options, each ? wait : mt::Callbacks{}).measured;
  };
  const mt::Sequential plain{mt::Dense{6, 3}, mt::Dense{3, 3}};
  const mt::Sequential waits{mt::Dense{6, 3}, Waits{}, mt::Dense{3, 3}};
  for (const bool each : {true, false}) {
    const mt::Traffic with = bytes(waits, each), without = bytes(plain, each);
    CHECK(with.from_device_bytes - without.from_device_bytes == 2 * 48 * 3 * sizeof(float));
  }
}

TEST_CASE("a profile of a GPU: bytes as predicted, phases that are told apart, the same bits", "[exactness]") {
  for (const bool resident : {true, false}) {
    const auto data = labelled(600, 140);
    const auto model = model_of(140, 3);
    const auto device = [&] { return resident ? mt::Cuda{0} : small_device(); };
    mt::TrainerOptions options{.epochs = 2, .batch_size = 70, .seed = 2};
    mt::Trainer plain{device(), model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options};
    plain.fit(data);
    options.profile = true;
    mt::Trainer trainer{device(), model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options};
    trainer.fit(data, labelled(20, 140));
    CHECK(test::same_bits(plain.parameters(), trainer.parameters()));
    const mt::Profile& profile = trainer.profile();
    CAPTURE(mt::to_string(profile));
    CHECK(profile.resident == resident);
    mt::Traffic once = profile.data_set.measured;
    once.disk_read_bytes = 0;
    CHECK(once == profile.data_set.predicted);
    REQUIRE(profile.epochs.size() == 2);
    for (const mt::EpochProfile& epoch : profile.epochs) {
      mt::Traffic measured = epoch.transfer.measured;
      measured.disk_read_bytes = 0;
      CHECK(measured == epoch.transfer.predicted);
      CHECK(measured.to_device_bytes == (resident ? 0 : data.bytes()));
      for (const double seconds : epoch.phases.seconds) CHECK(seconds > 0);
    }
  }
}

TEST_CASE("a plan says what is allocated on the GPU", "[train]") {
  const auto check = [](const mt::Cuda& device, const mt::Dataset& data, const mt::TrainerOptions& options) {
    const auto model = model_of(data.feature_columns(), 3);
    const mt::SoftmaxCrossEntropy loss{.class_weights = {1, 2, 3}};
    const mt::MemoryPlan plan = mt::plan(model, loss, mt::Adam{}, options, device, mt::size_of(data));
    CAPTURE(mt::to_string(plan), options.batch_size);
    REQUIRE(plan.free);
    CHECK(plan.micro_batch <= plan.largest_micro_batch());
    const std::size_t before = device.allocated_bytes();
    mt::Trainer trainer{device, model, loss, mt::Adam{}, options};
    CHECK(device.allocated_bytes() - before == plan.trainer() + plan.other - mt::Cuda::StepQueue::state_bytes);
    std::size_t working = 0;
    trainer.fit(data, {.on_epoch = [&](const mt::EpochRecord&) { working = device.allocated_bytes() - before; }});
    constexpr std::size_t flags = 64;  // single numbers among the working memory
    CHECK(working <= plan.total() + flags);
    CHECK(working + flags >= plan.total());
    return plan.resident;
  };
  const auto all = labelled(900, 140);
  CHECK(check(mt::Cuda{0}, all, {.batch_size = 50}));
  CHECK(check(mt::Cuda{0}, mt::split(all).train, {.batch_size = 50, .micro_batch_size = 20}));
  CHECK(check(mt::Cuda{0}, pixels(100, 20), {.batch_size = 32, .shuffle = false}));
  CHECK_FALSE(check(small_device(), all, {.batch_size = 50}));
}

TEST_CASE("where memory is short, an automatic micro-batch is what fits, with the bits of a whole batch",
          "[exactness]") {
  const auto data = labelled(600, 40);
  const auto model = model_of(40, 3);
  mt::TrainerOptions options{.epochs = 2, .batch_size = 600, .micro_batch_size = mt::automatic, .seed = 1};
  const mt::Cuda tight{mt::CudaOptions{.memory_limit = 400'000}};
  const mt::MemoryPlan plan = mt::plan(model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options, tight, mt::size_of(data));
  CHECK(plan.micro_batch < 600);
  CHECK(plan.accumulations() > 1);
  mt::Trainer small{tight, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options};
  CHECK_THAT(small.explain(), ContainsSubstring("in micro-batches of " + std::to_string(plan.micro_batch) +
                                                ", as much as the library found room for"));
  mt::Trainer roomy{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options};
  CHECK_THAT(roomy.explain(), ContainsSubstring("in micro-batches of 600, the library's choice"));
  small.fit(data);
  roomy.fit(data);
  CHECK(test::same_bits(small.parameters(), roomy.parameters()));

  // As many as the plan says fit, and no more, into a limit of bytes that the device does not have.
  const mt::MemoryPlan budget =
      mt::plan(model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options, mt::Cuda{0}, mt::size_of(data), 250'000);
  options.micro_batch_size = budget.largest_micro_batch();
  REQUIRE(options.micro_batch_size > 0);
  const mt::Cuda limited{mt::CudaOptions{.memory_limit = 250'000}};
  mt::Trainer fits{limited, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options};
  CHECK(fits.fit(data).epochs.size() == 2);
}
