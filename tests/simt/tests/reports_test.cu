// What a report says, and that the machine goes on after one.

#include "support.hpp"

using namespace test;

namespace {

__global__ void half_the_warp(int* x) {
  if (threadIdx.x < 16) x[threadIdx.x] = __shfl_xor_sync(~0u, 1, 1);
  __syncthreads();
}

__global__ void two_lines(int* x) {
  if (threadIdx.x < 16) {
    x[threadIdx.x] = __shfl_xor_sync(~0u, 1, 1);
  } else {
    x[threadIdx.x] = __shfl_xor_sync(~0u, 1, 1);
  }
}

__global__ void two_barriers(int* x) {
  if (threadIdx.x < 32) {
    __syncthreads();
    x[0] = 1;
  } else {
    __syncthreads();
  }
}

__global__ void leaves(int* x) {
  if (threadIdx.x == 40) return;
  __syncthreads();
  x[threadIdx.x] = 1;
}

__global__ void not_in_its_mask(int* x) { x[threadIdx.x] = static_cast<int>(__ballot_sync(1u, 1)); }

__global__ void traps(int* x) {
  if (x[threadIdx.x] != 0) __trap();
}

template <int Bytes>
__global__ void static_shared(int* x) {
  MINITRAIN_SHARED(char, large, [Bytes]);
  large[threadIdx.x] = 1;
  x[threadIdx.x] = large[threadIdx.x];
}

__global__ void calls_the_host(int* x) { x[0] = cudaDeviceSynchronize() == cudaSuccess ? 1 : 0; }

__global__ void bad_copy(const int* x) {
  MINITRAIN_SHARED_ALIGNED(16, int, tile, [64]);
  cuda::ptx::copy_async<16>(tile + 1, x);
}

/// In which the first thread comes first.
simt::Options ascending(bool defer = false) {
  simt::Options o = order(0, defer);
  o.os_threads = 1;
  o.preempt = 0;
  return o;
}

template <class... P, class... A>
std::string said(void (*kernel)(P...), unsigned grid, unsigned block, A... arguments) {
  return message_of([&] {
    cuda::launch(kernel, grid, block, 0, nullptr, arguments...);
    cuda::check(cudaDeviceSynchronize(), "wait");
  });
}

}  // namespace

TEST_CASE("a report names the kernel, the block, the thread and the line") {
  const OptionScope options(ascending(GENERATE(false, true)));
  const Array<int> x(std::vector<int>(64, 1));
  using test::ContainsSubstring;
  const auto half = said(half_the_warp, 1, 32, x.data());
  CHECK_THAT(half,
             ContainsSubstring("deadlock in reports_test.cu:") && ContainsSubstring("half_the_warp, block (0,0,0)"));
  CHECK_THAT(half, ContainsSubstring("16 threads, the first (0,0,0), wait in __shfl_xor_sync with mask 0xffffffff at "
                                     "reports_test.cu:10"));
  CHECK_THAT(half, ContainsSubstring("16 threads, the first (16,0,0), wait in __syncthreads at reports_test.cu:11"));
  const auto lines = said(two_lines, 1, 32, x.data());
  CHECK_THAT(lines, ContainsSubstring("block (0,0,0) thread (16,0,0), in the kernel at reports_test.cu:"));
  CHECK_THAT(lines, ContainsSubstring("at reports_test.cu:18, while lanes 0x0000ffff wait for lane 16 in "
                                      "__shfl_xor_sync with mask 0xffffffff at reports_test.cu:16"));
  CHECK_THAT(
      said(two_barriers, 1, 64, x.data()),
      ContainsSubstring("diverges: it waits in __syncthreads at reports_test.cu:27, thread (0,0,0) in the one at "
                        "reports_test.cu:24"));
  CHECK_THAT(said(leaves, 2, 64, x.data()), ContainsSubstring("block (0,0,0) thread (40,0,0)") &&
                                                ContainsSubstring("returns while 40 threads of its block wait"));
  CHECK_THAT(said(not_in_its_mask, 1, 32, x.data()),
             ContainsSubstring("a warp vote with mask 0x00000001, which leaves out the calling lane 1"));
  CHECK_THAT(said(traps, 1, 32, x.data()),
             ContainsSubstring("thread (0,0,0)") && ContainsSubstring("traps at reports_test.cu:40"));
  CHECK(said(static_shared<48 << 10>, 1, 32, x.data()).empty());
  CHECK_THAT(said(static_shared<(48 << 10) + 1>, 1, 32, x.data()),
             ContainsSubstring("49153 bytes of static shared memory"));
  CHECK_THAT(said(calls_the_host, 1, 32, x.data()), ContainsSubstring("calls the runtime API, which is the host's"));
  CHECK_THAT(said(bad_copy, 1, 32, x.data()), ContainsSubstring("cp.async of 16 bytes is malformed or misaligned"));
  CHECK(said(affine, 1, 32, x.data(), 1, 0).empty());  // the machine goes on
}

TEST_CASE("early exits may be allowed") {
  auto o = order(0);
  o.allow_early_exit = true;
  const OptionScope options(o);
  const Array<int> x(std::vector<int>(64, 0));
  CHECK(said(leaves, 1, 64, x.data()).empty());
  CHECK(x.get()[40] == 0);
  CHECK(x.get()[41] == 1);
}

TEST_CASE("a fault may stick instead of being thrown, as on a device") {
  auto o = order(0, GENERATE(false, true));
  o.faults_stick = true;
  const OptionScope options(o);
  const simt::FaultScope machine({});
  const Array<int> x(std::vector<int>(64, 1));
  cuda::launch(traps, 1, 32, 0, nullptr, x.data());
  CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
  CHECK_THROWS_AS(cuda::launch(traps, 1, 32, 0, nullptr, x.data()), minitrain::DeviceError);
}

TEST_CASE("work behind a fault is dropped, on all streams") {
  const OptionScope options(order(0, true));
  const Stream one, two;
  const Event event;
  const Array<int> x(std::vector<int>(64, 1));
  void* p = nullptr;
  const auto before = simt::usage().device_blocks;
  REQUIRE(cudaMallocAsync(&p, 16, two) == cudaSuccess);
  CHECK(cudaFreeAsync(p, two) == cudaSuccess);
  cuda::launch(traps, 1, 32, 0, one, x.data());
  launch_affine(x, 2, 0, one);
  launch_affine(x, 2, 0, two);
  CHECK(cudaEventRecord(event, two) == cudaSuccess);
  CHECK_THROWS_AS(static_cast<void>(cudaStreamSynchronize(one)), simt::error);
  CHECK(simt::usage().operations_waiting == 0);
  CHECK(simt::usage().device_blocks == before);  // what gives memory back is not dropped
  CHECK(cudaEventQuery(event) == cudaSuccess);
  CHECK(x.get()[0] == 1);
}

namespace {

__global__ void neighbours(unsigned char* bytes, unsigned short* words, bool clash) {
  const unsigned i = threadIdx.x;
  bytes[i] = static_cast<unsigned char>(i);
  words[i] = static_cast<unsigned short>(i);
  if (clash && i == 7) bytes[5] = 1;
}

__global__ void part_of_a_word(float* x, unsigned char* part) {
  if (threadIdx.x == 0) x[3] = 1;
  if (threadIdx.x == 1) *part = reinterpret_cast<const unsigned char*>(x + 3)[2];
}

}  // namespace

#if defined(__SANITIZE_THREAD__)
TEST_CASE("races are told to the byte") {
  const OptionScope options(ascending());
  const Array<unsigned char> bytes(33);
  const Array<unsigned short> words(33);
  const Array<float> x(4);
  CHECK(said(neighbours, 1, 33, bytes.data(), words.data(), false).empty());
  CHECK_THAT(said(neighbours, 1, 33, bytes.data(), words.data(), true),
             test::ContainsSubstring("races with the write of thread 5"));
  CHECK_THAT(said(part_of_a_word, 1, 2, x.data(), bytes.data()),
             test::ContainsSubstring("races with the write of thread 0"));
}
#endif
