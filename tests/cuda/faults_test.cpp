// What a user learns when a GPU is not there, is full or fails: one DeviceError each, and a process that goes on.

#include <minitrain/cuda.hpp>
#include <minitrain/trainer.hpp>
#include <minitrain/with_device.hpp>

#include <simt/faults.hpp>

#include "support/catch.hpp"
#include "support/errors.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::labelled;

namespace {

const mt::Sequential model{mt::Dense{6, 16}, mt::ReLU{}, mt::Dense{16, 3}};

template <class... Part>
void check_unavailable(const Part&... parts) {
  test::check_error<mt::DeviceError>(
      mt::ErrorCode::device_unavailable, [] { mt::Cuda{0}; }, parts...);
}

}  // namespace

TEST_CASE("a GPU that is not there is an error, never the CPU in its place", "[bad input]") {
  {
    const simt::FaultScope none({.devices = 0});
    check_unavailable("no NVIDIA GPU", "CUDA_VISIBLE_DEVICES", "Cpu{}");
    std::string why;
    CHECK(mt::cuda::device_count(&why) == 0);
    CHECK(mt::with_device("auto", [](const auto& device, const std::string& reason) {
            return mt::describe_device(device).substr(0, 3) + reason.substr(0, 17);
          }) == "CPUthe CPU, because ");
    CHECK_THROWS_AS(mt::with_device("cuda", [](const auto&) {}), mt::DeviceError);
  }
  {
    const simt::FaultScope driver({.driver_missing = true});
    check_unavailable("no NVIDIA driver", "install a newer driver");
  }
  {
    const simt::FaultScope old({.compute_major = 6, .compute_minor = 1});
    check_unavailable("has compute capability 6.1", "need 7.5", "Cpu{}");
  }
  test::check_error<mt::DeviceError>(
      mt::ErrorCode::device_unavailable, [] { mt::Cuda{3}; }, "device 3 of 1", "0 to 0");
  test::check_error<mt::DeviceError>(
      mt::ErrorCode::device_unavailable, [] { mt::Cuda{-1}; }, "device -1");
  CHECK(mt::Cuda{0}.index() == 0);
}

TEST_CASE("a GPU that is not asked for gets no context", "[bad input]") {
  const simt::FaultScope two({.devices = 2});
  {
    const mt::Cuda device{1};
    const auto scope = device.arithmetic_scope();
    const mt::Tensor<float, mt::Cuda> x(device, {100});
    CHECK(all_finite(device, x.view()));
  }
  {
    mt::Trainer trainer{mt::Cuda{1}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 32}};
    trainer.fit(labelled());
    mt::DataLoader<float, mt::Cuda> loader(labelled(), {.batch_size = 32}, trainer.device());
    for (const auto& batch : loader.epoch(0)) trainer.accumulate(batch);
    trainer.update();
  }
  CHECK(simt::usage().contexts == 1);
  const mt::Cuda device{0};  // which is current again
  CHECK(all_finite(device, mt::Tensor<float, mt::Cuda>(device, {100}).view()));
  CHECK(simt::usage().contexts == 2);
}

TEST_CASE("a mode that the GPU lacks is an error, never another mode in its place", "[bad input]") {
  const simt::FaultScope turing({.compute_major = 7, .compute_minor = 5});
  for (const mt::Math math : {mt::Math::tf32, mt::Math::bf16}) {
    test::check_error<mt::DeviceError>(
        mt::ErrorCode::device_unavailable, [&] { mt::Cuda{mt::CudaOptions{.math = math}}; }, mt::to_string(math),
        "needs compute capability 8.0", "has 7.5", "Math::fp16");
  }
  mt::Trainer trainer{mt::Cuda{mt::CudaOptions{.math = mt::Math::fp16}},
                      model,
                      mt::SoftmaxCrossEntropy{},
                      mt::Adam{},
                      {.batch_size = 32}};
  const double before = trainer.evaluate(labelled()).loss;
  trainer.fit(labelled());
  CHECK(trainer.evaluate(labelled()).loss < before);
}

TEST_CASE("code for an older GPU does not stand in for a mode that it lacks", "[bad input]") {
  const simt::FaultScope old_code({.code_version = 75});  // on a GPU that could
  test::check_error<mt::DeviceError>(
      mt::ErrorCode::device_unavailable, [] { mt::Cuda{mt::CudaOptions{.math = mt::Math::bf16}}; },
      "bf16 needs code for compute capability 8.0", "compiled for 7.5", "CMAKE_CUDA_ARCHITECTURES=90");
  CHECK_NOTHROW(mt::Cuda{mt::CudaOptions{.math = mt::Math::fp16}});
}

TEST_CASE("out of memory says how much was wanted, and leaves a device that works", "[bad input]") {
  const simt::FaultScope small({.total_memory = 1 << 20});
  const mt::Cuda device{0};
  const std::size_t before = device.allocated_bytes();
  test::check_error<mt::DeviceError>(
      mt::ErrorCode::out_of_memory, [&] { mt::Tensor<float, mt::Cuda>(device, {1 << 20}); }, "4194304 bytes", "free",
      "held by this device 0");
  CHECK(device.allocated_bytes() == before);
  const mt::Tensor<float, mt::Cuda> fits(device, {1000});
  CHECK(device.allocated_bytes() == before + 4000);

  mt::Trainer trainer{device, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 32, .micro_batch_size = 32}};
  const auto parameters = trainer.parameters();
  {
    const mt::Tensor<float, mt::Cuda> rest(device, {(std::size_t{1} << 18) - 12'000});  // not even a batch finds room
    CHECK_THROWS_AS(trainer.fit(labelled(100'000)), mt::DeviceError);
  }
  CHECK(trainer.parameters() == parameters);
  CHECK(trainer.fit(labelled()).epochs.size() == 1);
  CHECK(trainer.fit(labelled(40'000)).epochs.size() == 1);  // from host memory
}

namespace {

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const mt::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// The number behind `words` in a text.
std::size_t number_after(const std::string& text, const std::string& words) {
  const std::size_t at = text.find(words);
  REQUIRE(at != std::string::npos);
  return std::stoul(text.substr(at + words.size()));
}

template <class Model>
mt::Trainer<float, mt::Cuda> with_micro_batch(const mt::Cuda& device, const Model& m, std::size_t rows) {
  return {device, m, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = rows, .micro_batch_size = rows}};
}

}  // namespace

TEST_CASE("a trainer too large for the GPU says what it planned, and which micro-batch fits", "[bad input]") {
  const simt::FaultScope small({.total_memory = 1 << 20});
  const mt::Cuda device{0};
  const auto build = [&](std::size_t rows) { with_micro_batch(device, model, rows); };
  test::check_error<mt::DeviceError>(
      mt::ErrorCode::out_of_memory, [&] { build(1'000'000); }, "parameters 704, gradient sums 704",
      "optimizer moments 1408", "for micro-batches of 1000000", "a micro_batch_size of ");
  CHECK(device.allocated_bytes() == 0);
  const std::size_t fits = number_after(message_of([&] { build(1'000'000); }), "a micro_batch_size of ");
  CAPTURE(fits);
  {
    auto trainer = with_micro_batch(device, model, fits);
    CHECK(trainer.fit(labelled()).epochs.size() == 1);
  }
  CHECK_THROWS_AS(build(fits + fits / 2), mt::DeviceError);

  // Where the model alone is too large, or leaves too little, none fits.
  const std::string wide = message_of([&] { with_micro_batch(device, mt::Sequential{mt::Dense{1000, 1000}}, 1); });
  CHECK_THAT(wide, test::ContainsSubstring("parameters 4004032, "));
  CHECK_THAT(wide, test::ContainsSubstring("no micro-batch fits beside the rest"));
  const mt::Cuda limited{mt::CudaOptions{.memory_limit = 20'000}};
  CHECK_THAT(message_of([&] { with_micro_batch(limited, model, 1000); }),
             test::ContainsSubstring("no micro-batch fits beside the rest"));
}

TEST_CASE("a data set on the GPU is one of the owners named", "[bad input]") {
  auto trainer = with_micro_batch(mt::Cuda{0}, model, 32);
  const auto data = labelled();
  const auto without_memory = [](auto f) {
    const simt::FaultScope full({.fail_allocation = 1});
    return message_of(f);
  };
  CHECK_THAT(without_memory([&] { trainer.fit(data); }), test::ContainsSubstring("data set 7200"));  // and its order
  for (const auto& what :
       {without_memory([&] { trainer.evaluate(data); }), without_memory([&] { trainer.predict(data); })}) {
    CHECK_THAT(what, test::ContainsSubstring("data set 5600"));
    CHECK_THAT(what, test::ContainsSubstring("parameters 704"));
  }
  // One that is streamed has no bytes there.
  const simt::FaultScope small({.total_memory = 1 << 20});
  const mt::Cuda device{0};
  auto other = with_micro_batch(device, model, 32);
  const mt::Tensor<float, mt::Cuda> rest(device, {(std::size_t{1} << 18) - 6'000});
  const std::string what = message_of([&] { other.fit(labelled(100'000)); });
  CHECK_THAT(what, test::ContainsSubstring("parameters 704"));
  CHECK(what.find("data set") == what.rfind("data set"));  // in the advice alone
}

TEST_CASE("a trainer that met a lack of memory goes on as one that did not", "[bad input]") {
  const auto train = [](std::size_t fail) {
    mt::Trainer trainer{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 32, .clip_norm = 1}};
    trainer.fit(labelled());
    if (fail != 0) {
      const simt::FaultScope full({.fail_allocation = fail});
      CHECK_THROWS_AS(trainer.fit(labelled()), mt::DeviceError);
      CHECK(trainer.accumulated() == 0);
    }
    trainer.fit(labelled());
    return trainer.parameters();
  };
  const auto expected = train(0);
  for (const std::size_t fail : {1, 2, 3}) CHECK(train(fail) == expected);
}

TEST_CASE("a memory limit holds for what a device allocates", "[bad input]") {
  const mt::Cuda device{mt::CudaOptions{.memory_limit = 10'000}};
  const mt::Tensor<float, mt::Cuda> most(device, {2000});
  CHECK_THROWS_AS((mt::Tensor<float, mt::Cuda>(device, {1000})), mt::DeviceError);
  CHECK_NOTHROW((mt::Tensor<float, mt::Cuda>(device, {500})));
  CHECK(device.peak_allocated_bytes() == 10'000);
}

TEST_CASE("a trainer gives all memory back, however it ends", "[train]") {
  const simt::Usage before = simt::usage();
  {
    mt::Trainer trainer{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 32}};
    trainer.fit(labelled());
  }
  for (std::size_t n = 1; n < 20; ++n) {
    const simt::FaultScope full({.fail_allocation = n});
    try {
      mt::Trainer trainer{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 32}};
      trainer.fit(labelled());
    } catch (const mt::DeviceError& error) {
      CHECK(error.code() == mt::ErrorCode::out_of_memory);
    }
  }
  const simt::Usage after = simt::usage();
  CHECK(after.device_blocks == before.device_blocks);
  CHECK(after.pinned_blocks == before.pinned_blocks);
  CHECK(after.streams == before.streams);
  CHECK(after.events == before.events);
  CHECK(after.graphs == before.graphs);
}

TEST_CASE("a kernel that fails is an error at the next call, and the same at every call after it", "[bad input]") {
  for (const std::size_t launch : {1, 5, 17, 40}) {
    CAPTURE(launch);
    mt::Trainer trainer{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 32}};
    const simt::FaultScope broken({.fail_launch = launch});
    test::check_error<mt::DeviceError>(
        mt::ErrorCode::device_unavailable, [&] { trainer.fit(labelled()); }, "the GPU failed",
        "cudaErrorIllegalAddress", "launched since", "_kernel", "start it again");
    const std::size_t kernels = simt::usage().kernels;
    const std::string first = message_of([&] { trainer.fit(labelled()); });
    CHECK_THAT(first, test::ContainsSubstring("cudaErrorIllegalAddress"));
    CHECK(message_of([&] { trainer.parameters(); }) == first);
    CHECK(message_of([&] { trainer.evaluate(labelled()); }) == first);
    CHECK(message_of([&] { trainer.device().synchronize(); }) == first);
    CHECK(message_of([&] { mt::Tensor<float, mt::Cuda>(trainer.device(), {8}); }) == first);
    CHECK(simt::usage().kernels == kernels);  // nothing more is launched
  }
}

TEST_CASE("the kernels launched last are named, latest first", "[bad input]") {
  const mt::Cuda device{0};
  mt::Tensor<float, mt::Cuda> x(device, {5000}), y(device, {5000});
  mt::Tensor<double, mt::Cuda> result(device, {1});
  const mt::View<const float, mt::Cuda> in = x.view();
  const simt::FaultScope broken({.fail_launch = 3});
  activation_forward(device, {mt::ActivationKind::relu}, in, y.view());
  device.synchronize();
  const std::string what = message_of([&] {
    sum_of_squares(device, in, result.view());  // two launches, the second of which fails
    device.synchronize();
  });
  CHECK_THAT(what, test::ContainsSubstring("as graphs, and kernels: 2"));
  const std::size_t total = what.find("chunk_total_kernel"), squares = what.find("chunk_squares_kernel"),
                    activation = what.find("activation_kernel");
  CHECK(total < squares);
  CHECK(squares < activation);
  CHECK(activation != std::string::npos);
}

TEST_CASE("a device lost in the middle of a run is an error, and stays one", "[bad input]") {
  mt::Trainer trainer{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.epochs = 2, .batch_size = 32}};
  const std::string what = message_of([&] {
    trainer.fit(labelled(), {.on_epoch = [](const mt::EpochRecord&) { simt::faults().device_lost = true; }});
  });
  CHECK_THAT(what, test::ContainsSubstring("the GPU failed: CUDA-capable device(s) is/are busy or unavailable"));
  CHECK(message_of([&] { trainer.fit(labelled()); }) == what);
  simt::faults().device_lost = false;
  CHECK(message_of([&] { trainer.fit(labelled()); }) == what);
  mt::Trainer other{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.batch_size = 32}};
  CHECK(other.fit(labelled()).epochs.size() == 1);
}

TEST_CASE("a label out of range in the GPU's memory is found before anything changes", "[bad input]") {
  const mt::Cuda device{0};
  const auto train = [&](bool with_bad) {
    mt::Trainer trainer{device, model, mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = 0.1}};
    mt::DataLoader<float, mt::Cuda> loader(labelled(600), {.batch_size = 600}, device);
    mt::Batch<float, mt::Cuda> batch = loader.next(0, 0, 600);
    if (with_bad) {
      for (const std::int32_t bad : {3, -1, 1 << 30}) {
        mt::Tensor<std::int32_t> host({600});
        host[457] = bad;
        host[599] = -7;
        mt::Tensor<std::int32_t, mt::Cuda> labels(device, {600});
        copy_from_host(device, host.data(), labels.view());
        auto wrong = batch;
        wrong.labels = labels.view();
        test::check_error<mt::DataError>(
            mt::ErrorCode::label_out_of_range, [&] { trainer.accumulate(wrong); },
            "label " + std::to_string(bad) + " of sample 457 of the batch: wanted 0 to 2");
        CHECK(trainer.accumulated() == 0);
      }
    }
    trainer.accumulate(batch);
    trainer.update();
    return trainer.parameters();
  };
  CHECK(train(true) == train(false));
}

TEST_CASE("two trainers share a GPU and neither sees the other", "[train]") {
  using Trainer = mt::Trainer<float, mt::Cuda>;
  const auto make = [](const mt::Cuda& device, std::uint64_t seed) {
    return Trainer{device, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 32, .seed = seed}};
  };
  const auto accumulate = [](Trainer& trainer, mt::DataLoader<float, mt::Cuda>& loader, std::size_t at) {
    trainer.accumulate(loader.next(0, at, 20));
  };
  const auto data = labelled();
  const auto alone = [&](std::uint64_t seed) {
    auto trainer = make(mt::Cuda{0}, seed);
    trainer.fit(data);
    mt::DataLoader<float, mt::Cuda> loader(data, {.batch_size = 20}, trainer.device());
    for (const std::size_t at : {0, 20}) accumulate(trainer, loader, at);
    trainer.update();
    return trainer.parameters();
  };
  const auto first = alone(1), second = alone(2);
  const mt::Cuda shared{0};
  for (const bool one_value : {true, false}) {
    CAPTURE(one_value);
    auto a = make(shared, 1), b = make(one_value ? shared : mt::Cuda{0}, 2);
    mt::DataLoader<float, mt::Cuda> of_a(data, {.batch_size = 20}, a.device()),
        of_b(data, {.batch_size = 20}, b.device());
    a.fit(data, {.on_epoch = [&](const mt::EpochRecord&) { b.fit(data); }});
    for (const std::size_t at : {0, 20}) {
      accumulate(a, of_a, at);
      accumulate(b, of_b, at);
    }
    a.update();
    b.update();
    CHECK(a.parameters() == first);
    CHECK(b.parameters() == second);
  }
}

TEST_CASE("more steps in an epoch than the queue holds are all counted", "[train]") {
  const auto data = labelled(2600);
  const mt::Sequential small{mt::Dense{6, 3}};
  mt::Trainer gpu{mt::Cuda{0}, small, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.batch_size = 2}};
  mt::Trainer cpu{mt::Cpu{}, small, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.batch_size = 2}};
  const auto got = gpu.fit(data), expected = cpu.fit(data);
  CHECK(gpu.steps() == 1300);
  CHECK(got.epochs[0].training.samples == 2600);
  if (mt::cpu::best_isa() == mt::Isa::baseline) return;
  CHECK(got.epochs[0].training.loss == expected.epochs[0].training.loss);
  CHECK(got.epochs[0].training.accuracy == expected.epochs[0].training.accuracy);
  CHECK(gpu.parameters() == cpu.parameters());
}

TEST_CASE("a queued step whose loss is not finite stops the run where the CPU stops", "[bad input]") {
  const auto data = mt::synthetic_regression({.samples = 100, .features = 6, .seed = 1});
  const mt::Sequential deep{mt::Dense{6, 8}, mt::ReLU{}, mt::Dense{8, 1}};
  const mt::TrainerOptions options{.epochs = 50, .batch_size = 8};
  mt::Trainer gpu{mt::Cuda{0}, deep, mt::MeanSquaredError{}, mt::SGD{.learning_rate = 1e6}, options};
  mt::Trainer cpu{mt::Cpu{}, deep, mt::MeanSquaredError{}, mt::SGD{.learning_rate = 1e6}, options};
  CHECK_THROWS_AS(gpu.fit(data), mt::NumericError);
  CHECK_THROWS_AS(cpu.fit(data), mt::NumericError);
  CHECK(gpu.steps() == cpu.steps());
  CHECK(gpu.accumulated() == 0);
}
