// What a user learns when a GPU is not there, is full or fails: one DeviceError each, and a process that goes on.

#include <minitrain/cuda.hpp>
#include <minitrain/trainer.hpp>
#include <minitrain/with_device.hpp>

#include <simt/faults.hpp>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace mt = minitrain;

namespace {

mt::Dataset labelled(std::size_t samples = 200) {
  return mt::synthetic_classification({.samples = samples, .features = 6, .classes = 3, .seed = 5});
}
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
    check_unavailable("no code for", "compute capability 6.1", "CMAKE_CUDA_ARCHITECTURES=61");
  }
  test::check_error<mt::DeviceError>(
      mt::ErrorCode::device_unavailable, [] { mt::Cuda{3}; }, "device 3 of 1", "0 to 0");
  test::check_error<mt::DeviceError>(
      mt::ErrorCode::device_unavailable, [] { mt::Cuda{-1}; }, "device -1");
  CHECK(mt::Cuda{0}.index() == 0);
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
  CHECK_THROWS_AS(trainer.fit(labelled(100'000)), mt::DeviceError);
  CHECK(trainer.parameters() == parameters);
  CHECK(trainer.fit(labelled()).epochs.size() == 1);
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
}

TEST_CASE("a kernel that fails is an error at the next call, and every call after it", "[bad input]") {
  for (const std::size_t launch : {1, 5, 17, 40}) {
    CAPTURE(launch);
    mt::Trainer trainer{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 32}};
    const simt::FaultScope broken({.fail_launch = launch});
    CHECK_THROWS_AS(trainer.fit(labelled()), mt::DeviceError);
    CHECK_THROWS_AS(trainer.fit(labelled()), mt::DeviceError);
    CHECK_THROWS_AS(trainer.parameters(), mt::DeviceError);
  }
}

TEST_CASE("a device lost in the middle of a run is an error", "[bad input]") {
  mt::Trainer trainer{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.epochs = 2, .batch_size = 32}};
  CHECK_THROWS_AS(
      trainer.fit(labelled(), {.on_epoch = [](const mt::EpochRecord&) { simt::faults().device_lost = true; }}),
      mt::DeviceError);
  simt::faults().device_lost = false;
}

TEST_CASE("two trainers share a GPU", "[train]") {
  mt::Trainer a{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 32, .seed = 1}};
  mt::Trainer b{mt::Cuda{0}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 32, .seed = 1}};
  a.fit(labelled());
  b.fit(labelled());
  CHECK(a.parameters() == b.parameters());
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
