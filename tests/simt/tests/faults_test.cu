// Devices, and what goes wrong with them.

#include "support.hpp"

#include <cstring>

using namespace test;
using Ints = std::vector<int>;

TEST_CASE("a machine without a driver, and one without a device") {
  const bool driver = GENERATE(false, true);
  const simt::FaultScope machine({.devices = 0, .driver_missing = !driver});
  const auto wanted = driver ? cudaErrorNoDevice : cudaErrorInsufficientDriver;
  int n = 7;
  void* p = nullptr;
  cudaStream_t stream = nullptr;
  CHECK(cudaGetDeviceCount(&n) == wanted);
  CHECK(n == 0);
  CHECK(cudaGetLastError() == wanted);
  CHECK(cudaMalloc(&p, 16) == wanted);
  CHECK(cudaSetDevice(0) == wanted);
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == wanted);
  CHECK(cudaDriverGetVersion(&n) == cudaSuccess);
  CHECK(n == (driver ? CUDART_VERSION : 0));
  CHECK(cudaRuntimeGetVersion(&n) == cudaSuccess);
  CHECK(std::strcmp(cudaGetErrorName(cudaErrorNoDevice), "cudaErrorNoDevice") == 0);
  CHECK(std::strcmp(cudaGetErrorString(cudaErrorNoDevice), "no CUDA-capable device is detected") == 0);
}

TEST_CASE("devices have numbers, and streams belong to one of them") {
  const simt::FaultScope machine({.devices = 2});
  int n = 0;
  CHECK(cudaGetDeviceCount(&n) == cudaSuccess);
  CHECK(n == 2);
  CHECK(cudaSetDevice(2) == cudaErrorInvalidDevice);
  CHECK(cudaSetDevice(1) == cudaSuccess);
  const Array<int> x(Ints(32, 1));
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
  CHECK(cudaSetDevice(0) == cudaSuccess);
  CHECK_THROWS_WITH(launch_affine(x, 2, 1, stream), test::ContainsSubstring("cudaErrorInvalidResourceHandle"));
  CHECK(cudaSetDevice(1) == cudaSuccess);
  launch_affine(x, 2, 1, stream);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);
}

TEST_CASE("properties and attributes agree") {
  const simt::FaultScope machine({.compute_major = 8, .compute_minor = 6, .total_memory = 1000, .multiprocessors = 3});
  cudaDeviceProp p{};
  REQUIRE(cudaGetDeviceProperties(&p, 0) == cudaSuccess);
  CHECK(p.major == 8);
  CHECK(p.minor == 6);
  CHECK(p.multiProcessorCount == 3);
  CHECK(p.totalGlobalMem == 1000);
  CHECK(p.sharedMemPerBlockOptin == 99u << 10);
  CHECK(std::strlen(p.name) > 0);
  int value = 0;
  CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0) == cudaSuccess);
  CHECK(value == 99 << 10);
  CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0) == cudaSuccess);
  CHECK(value == 3);
  CHECK(cudaGetDeviceProperties(&p, 1) == cudaErrorInvalidDevice);
}

namespace {

__global__ void scratchpad(float* y) {
  MINITRAIN_DYNAMIC_SHARED(float, memory);
  memory[threadIdx.x] = 1;
  y[threadIdx.x] = memory[threadIdx.x];
}

}  // namespace

TEST_CASE("shared memory ends where the device's does, and more than 48 KiB has to be asked for") {
  const simt::FaultScope machine({.compute_major = 7, .compute_minor = 5});
  const Array<float> y(32);
  cuda::launch(scratchpad, 1, 32, 64u << 10, nullptr, y.data());
  CHECK_THROWS_WITH(cuda::launch(scratchpad, 1, 32, (64u << 10) + 4, nullptr, y.data()),
                    test::ContainsSubstring("cudaErrorInvalidValue"));
  CHECK(cudaFuncSetAttribute(scratchpad, cudaFuncAttributeMaxDynamicSharedMemorySize, 0) == cudaSuccess);
  cudaLaunchConfig_t config{};
  config.gridDim = 1;
  config.blockDim = 32;
  config.dynamicSmemBytes = 50u << 10;
  CHECK(cudaLaunchKernelEx(&config, scratchpad, y.data()) == cudaErrorInvalidValue);
  cudaFuncAttributes attributes{};
  CHECK(cudaFuncGetAttributes(&attributes, scratchpad) == cudaSuccess);
  CHECK(attributes.maxDynamicSharedSizeBytes == 48 << 10);
  int blocks = 0;
  CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, scratchpad, 256, 0) == cudaSuccess);
  CHECK(blocks == 8);
  CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, scratchpad, 256, 40u << 10) == cudaSuccess);
  CHECK(blocks == 1);
}

TEST_CASE("kernels have names, and a launch that fails says which, on what grid") {
  const char* name = nullptr;
  CHECK(cudaFuncGetName(&name, reinterpret_cast<const void*>(scratchpad)) == cudaSuccess);
  CHECK_THAT(cuda::kernel_name(reinterpret_cast<const void*>(scratchpad)), test::ContainsSubstring("scratchpad"));
  const auto said = message_of(
      [] { cuda::launch(scratchpad, dim3(2, 70000), dim3(8, 4), 16, nullptr, static_cast<float*>(nullptr)); });
  CHECK_THAT(said, test::ContainsSubstring("scratchpad(float*), grid (2,70000,1), block (8,4,1), 16 bytes"));
  CHECK_THAT(said, test::ContainsSubstring("invalid configuration argument (cudaErrorInvalidConfiguration)"));
  CHECK(cudaGetLastError() == cudaSuccess);  // it was reported
}

TEST_CASE("a device that is too old has no code for it") {
  const simt::FaultScope machine({.compute_major = 6, .compute_minor = 1});
  const Array<int> x(Ints(32, 1));
  CHECK_THROWS_WITH(launch_affine(x, 2, 1, nullptr), test::ContainsSubstring("cudaErrorNoKernelImageForDevice"));
}

TEST_CASE("memory runs out") {
  const auto used = simt::usage().device_bytes;
  const simt::FaultScope machine({.total_memory = used + 1000});
  const Array<char> most(900);
  void* p = &p;
  CHECK(cudaMalloc(&p, 101) == cudaErrorMemoryAllocation);
  CHECK(p == nullptr);
  CHECK(cudaMallocAsync(&p, 101, nullptr) == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaSuccess);  // it does not stick
  const Array<char> rest(100);
  std::size_t free = 1, total = 0;
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess);
  CHECK(free == 0);
  try {
    const Array<char> more(1);
    FAIL("no memory was left");
  } catch (const minitrain::DeviceError& e) {
    CHECK(e.code() == minitrain::ErrorCode::out_of_memory);
  }
}

TEST_CASE("the n-th allocation fails, and only that") {
  const simt::FaultScope machine({.fail_allocation = 3});
  const auto before = simt::usage();
  const Array<int> one(1);
  const Pinned<int> two(1);
  CHECK_THROWS_WITH(Pinned<int>(1), test::ContainsSubstring("out of memory"));
  const Array<int> four(1);
  CHECK(simt::usage().allocations == before.allocations + 3);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("an error of the n-th kernel comes out later, and sticks") {
  const bool defer = GENERATE(false, true);
  const OptionScope options(order(0, defer));
  const auto before = simt::usage();
  {
    const simt::FaultScope machine({.fail_launch = 2});
    const Stream stream;
    const Event event;
    const Array<int> x(Ints(32, 1)), y(Ints(32, 1));
    launch_affine(x, 2, 1, stream);
    launch_affine(x, 2, 1, stream);  // this one; the call itself succeeds
    if (defer) launch_affine(y, 2, 1, stream);
    CHECK(cudaStreamSynchronize(stream) == cudaErrorIllegalAddress);
    void* p = nullptr;
    CHECK(cudaMalloc(&p, 16) == cudaErrorIllegalAddress);
    CHECK(cudaMemcpy(p, p, 16, cudaMemcpyDefault) == cudaErrorIllegalAddress);
    CHECK(cudaEventRecord(event, stream) == cudaErrorIllegalAddress);
    CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    CHECK(cudaGetLastError() == cudaErrorIllegalAddress);
    CHECK(cudaGetLastError() == cudaErrorIllegalAddress);  // again
    CHECK_THROWS_WITH(launch_affine(y, 2, 1, stream), test::ContainsSubstring("cudaErrorIllegalAddress"));
    CHECK(simt::usage().kernels == before.kernels + 2);
  }
  CHECK(simt::usage().device_blocks == before.device_blocks);  // destructors gave back what they could
  CHECK(simt::usage().streams == before.streams);
  CHECK(simt::usage().events == before.events);
  const Array<int> x(Ints(32, 1));  // the end of the fault made the machine whole
  launch_affine(x, 2, 1, nullptr);
  CHECK(x.get()[0] == 3);
}

TEST_CASE("work from before a fault is done, not counted, not dropped") {
  const OptionScope options(order(0, true));
  const Array<int> x(Ints(32, 1));
  launch_affine(x, 2, 1, nullptr);
  {
    const simt::FaultScope machine({.fail_launch = 1});
    CHECK(x.get()[0] == 3);
  }
  {
    const simt::FaultScope machine({.devices = 2});
    launch_affine(x, 2, 1, nullptr);
  }
  CHECK(x.get()[0] == 7);
}

TEST_CASE("kernels in a graph count too") {
  const simt::FaultScope machine({.fail_launch = 5, .launch_error = cudaErrorLaunchFailure});
  const Stream stream;
  const Array<int> x(Ints(32, 1));
  REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  launch_affine(x, 2, 1, stream);
  launch_affine(x, 2, 1, stream);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
  REQUIRE(cudaGraphInstantiate(&executable, graph) == cudaSuccess);
  for (int i = 0; i < 2; ++i) {
    CHECK(cudaGraphLaunch(executable, stream) == cudaSuccess);
    CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  }
  CHECK(cudaGraphLaunch(executable, stream) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaErrorLaunchFailure);
  CHECK(cudaGraphExecDestroy(executable) == cudaErrorLaunchFailure);  // gone all the same
  CHECK(cudaGraphDestroy(graph) == cudaErrorLaunchFailure);
  CHECK(simt::usage().graphs == 0);
}

TEST_CASE("a device is lost") {
  const auto before = simt::usage();
  {
    const simt::FaultScope machine({});
    const Stream stream;
    const Array<int> x(Ints(32, 1));
    launch_affine(x, 2, 1, stream);
    simt::faults().device_lost = true;
    CHECK(cudaStreamSynchronize(stream) == cudaErrorDevicesUnavailable);
    CHECK_THROWS_AS(launch_affine(x, 2, 1, stream), minitrain::DeviceError);
    CHECK(cudaDeviceReset() == cudaErrorDevicesUnavailable);
  }
  CHECK(simt::usage().device_blocks == before.device_blocks);
}
