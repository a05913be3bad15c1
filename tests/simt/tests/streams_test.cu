// Streams and events: what runs before what, at once and deferred, whatever the seed.

#include "support.hpp"

#include <thread>

using namespace test;
using Ints = std::vector<int>;

TEST_CASE("the work of a stream runs in order") {
  const OptionScope options(order(GENERATE(0, 1, 5), GENERATE(false, true)));
  const Stream stream(GENERATE(cudaStreamDefault, cudaStreamNonBlocking));
  const Array<int> x(Ints(32, 1));
  launch_affine(x, 2, 1, stream);
  launch_affine(x, 10, 3, stream);
  CHECK(cudaMemsetAsync(x.data(), 0, 4, stream) == cudaSuccess);
  launch_affine(x, 3, 2, stream);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(x.get()[0] == 2);
  CHECK(x.get()[1] == 101);
}

TEST_CASE("deferred work waits until somebody synchronises with its stream") {
  const OptionScope options(order(0, true));
  const Stream one, two;
  const auto before = simt::usage();
  const Array<int> x(Ints(32, 1)), y(Ints(32, 1));
  launch_affine(x, 2, 0, one);
  launch_affine(y, 3, 0, two);
  CHECK(simt::usage().kernels == before.kernels);
  CHECK(simt::usage().operations_waiting == 2);
  CHECK(cudaStreamSynchronize(one) == cudaSuccess);
  CHECK(simt::usage().kernels == before.kernels + 1);
  CHECK(y.get()[0] == 1);  // the legacy stream does not wait for streams that do not block
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(simt::usage().operations_waiting == 0);
  CHECK(x.get()[0] == 2);
  CHECK(y.get()[0] == 3);
}

TEST_CASE("the legacy stream and blocking streams wait for one another") {
  const OptionScope options(order(GENERATE(0, 1, 5), true));
  const Stream blocking(cudaStreamDefault), other(cudaStreamDefault);
  const Array<int> x(Ints(32, 1));
  launch_affine(x, 2, 1, blocking);  // 3
  launch_affine(x, 3, 0, nullptr);   // 9
  launch_affine(x, 5, 2, other);     // 47
  CHECK(cudaStreamSynchronize(other) == cudaSuccess);
  CHECK(x.get()[0] == 47);
}

TEST_CASE("an event orders two streams, by its record of the time the wait was asked for") {
  const OptionScope options(order(GENERATE(0, 1, 5), GENERATE(false, true)));
  const Stream one, two;
  const Event event(cudaEventDisableTiming);
  CHECK(cudaStreamWaitEvent(two, event) == cudaSuccess);  // never recorded: nothing to wait for
  const Array<int> x(Ints(32, 1)), y(Ints(32, 1));
  launch_affine(x, 2, 1, one);
  CHECK(cudaEventRecord(event, one) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(two, event) == cudaSuccess);
  launch_affine(y, 1, 0, one);
  CHECK(cudaEventRecord(event, one) == cudaSuccess);  // another record: the wait is for the first
  launch_affine(x, 10, 0, two);
  CHECK(cudaStreamSynchronize(two) == cudaSuccess);
  CHECK(x.get()[0] == 30);
  CHECK(cudaEventSynchronize(event) == cudaSuccess);
  CHECK(cudaEventQuery(event) == cudaSuccess);
}

TEST_CASE("with other seeds, other streams get on while one is waited for") {
  const auto ran_meanwhile = [](std::uint64_t seed) {
    const OptionScope options(order(seed, true));
    const Stream one, two;
    const Array<int> x(Ints(32, 1)), y(Ints(32, 1));
    const auto before = simt::usage().kernels;
    for (int i = 0; i < 10; ++i) launch_affine(y, 1, 1, two);
    launch_affine(x, 2, 0, one);
    CHECK(cudaStreamSynchronize(one) == cudaSuccess);
    const auto ran = simt::usage().kernels - before;
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(y.get()[0] == 11);
    return ran;
  };
  CHECK(ran_meanwhile(0) == 1);
  CHECK(ran_meanwhile(1) == 11);
  CHECK(ran_meanwhile(5) >= 1);
}

TEST_CASE("queries say not ready, and time passes while somebody asks") {
  const OptionScope options(order(0, true));
  const Stream stream;
  const Event event;
  const Array<int> x(Ints(32, 1));
  CHECK(cudaStreamQuery(stream) == cudaSuccess);
  CHECK(cudaEventQuery(event) == cudaSuccess);
  launch_affine(x, 2, 0, stream);
  CHECK(cudaEventRecord(event, stream) == cudaSuccess);
  int asked = 0;
  while (cudaEventQuery(event) == cudaErrorNotReady) ++asked;
  CHECK(asked == 2);
  CHECK(cudaStreamQuery(stream) == cudaSuccess);
  CHECK(cudaGetLastError() == cudaErrorNotReady);
}

TEST_CASE("events tell time") {
  const Stream stream;
  const Event start, end, untimed(cudaEventDisableTiming);
  const Array<int> x(Ints(32, 1));
  float ms = -1;
  CHECK(cudaEventElapsedTime(&ms, start, end) == cudaErrorInvalidResourceHandle);  // never recorded
  {
    const OptionScope options(order(0, true));
    CHECK(cudaEventRecord(start, stream) == cudaSuccess);
    CHECK(cudaEventRecord(untimed, stream) == cudaSuccess);
    launch_affine(x, 2, 0, stream);
    CHECK(cudaEventRecord(end, stream) == cudaSuccess);
    CHECK(cudaEventElapsedTime(&ms, start, end) == cudaErrorNotReady);
    CHECK(cudaEventSynchronize(end) == cudaSuccess);
  }
  CHECK(cudaEventElapsedTime(&ms, start, end) == cudaSuccess);
  CHECK(ms > 0);
  CHECK(cudaEventElapsedTime(&ms, start, untimed) == cudaErrorInvalidResourceHandle);
  static_cast<void>(cudaGetLastError());
}

TEST_CASE("handles that are none are refused") {
  cudaStream_t stream = nullptr;
  cudaEvent_t event = nullptr;
  CHECK(cudaStreamCreateWithFlags(&stream, 17) == cudaErrorInvalidValue);
  REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
  REQUIRE(cudaEventCreate(&event) == cudaSuccess);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);
  CHECK(cudaEventDestroy(event) == cudaSuccess);
  CHECK(cudaStreamDestroy(stream) == cudaErrorInvalidResourceHandle);
  CHECK(cudaStreamSynchronize(stream) == cudaErrorInvalidResourceHandle);
  CHECK(cudaEventRecord(event, nullptr) == cudaErrorInvalidResourceHandle);
  CHECK(cudaStreamWaitEvent(nullptr, event) == cudaErrorInvalidResourceHandle);
  CHECK(cudaGetLastError() == cudaErrorInvalidResourceHandle);
  CHECK(cudaGetLastError() == cudaSuccess);
}

TEST_CASE("a stream that is destroyed finishes its work") {
  const OptionScope options(order(0, true));
  const Array<int> x(Ints(32, 1));
  const auto before = simt::usage().streams;
  {
    const Stream stream;
    launch_affine(x, 2, 0, stream);
  }
  CHECK(x.get()[0] == 1);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(x.get()[0] == 2);
  CHECK(simt::usage().streams == before);
}

TEST_CASE("host functions run in order, and may not call the API") {
  const OptionScope options(order(GENERATE(0, 1, 5), GENERATE(false, true)));
  const Stream stream;
  const Array<int> x(Ints(32, 1));
  struct Seen {
    const Array<int>& x;
    std::size_t kernels = 0;
    cudaError_t said = cudaSuccess;
  } seen{x};
  const auto before = simt::usage().kernels;
  launch_affine(x, 2, 0, stream);
  const auto look = [](void* data) {
    auto& s = *static_cast<Seen*>(data);
    s.kernels = simt::usage().kernels;
    s.said = cudaStreamSynchronize(nullptr);
  };
  CHECK(cudaLaunchHostFunc(stream, look, &seen) == cudaSuccess);
  launch_affine(x, 2, 0, stream);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(seen.kernels == before + 1);
  CHECK(seen.said == cudaErrorNotPermitted);
  static_cast<void>(cudaGetLastError());
}

TEST_CASE("a fault leaves the call that meets it, or the next one when a destructor met it") {
  const OptionScope options(order(0, true));
  const Stream stream;
  int* x = nullptr;
  REQUIRE(cudaMalloc(&x, 4) == cudaSuccess);
  const auto fault = [&](bool meet_in_free) {
    cuda::launch_cooperative(affine, 1, 32, 0, stream, static_cast<int*>(nullptr), 1, 1);
    return message_of([&] {
      if (meet_in_free) {
        CHECK(cudaFree(x) == cudaErrorLaunchFailure);
        static_cast<void>(cudaMalloc(&x, 4));
      } else {
        static_cast<void>(cudaStreamSynchronize(stream));
      }
    });
  };
#if defined(__SANITIZE_THREAD__)  // AddressSanitizer would end the program
  CHECK_THAT(fault(false), test::ContainsSubstring("uses memory that is not the device's"));
  CHECK_THAT(fault(true), test::ContainsSubstring("uses memory that is not the device's"));
#else
  static_cast<void>(fault);
  CHECK(cudaFree(x) == cudaSuccess);
#endif
  CHECK(simt::usage().operations_waiting == 0);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  static_cast<void>(cudaGetLastError());
}

TEST_CASE("two threads of the host use two streams") {
  const Array<int> x(Ints(32, 1)), y(Ints(32, 1));
  const auto work = [](const Array<int>& a) {
    const Stream stream;
    for (int i = 0; i < 50; ++i) launch_affine(a, 1, 1, stream);
    cuda::check(cudaStreamSynchronize(stream), "wait");
  };
  std::thread other([&] { work(y); });
  work(x);
  other.join();
  CHECK(x.get()[0] == 51);
  CHECK(y.get()[31] == 51);
}
