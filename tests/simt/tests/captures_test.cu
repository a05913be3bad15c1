// Stream capture: what CUDA forbids meanwhile, and how a capture goes wrong.

#include "capture.hpp"

#include <thread>

using namespace test;
using Ints = std::vector<int>;

TEST_CASE("what CUDA forbids in a capture is refused, and spoils the capture") {
  const Stream stream, other;
  const Event event, inside;
  const Array<int> x(Ints(32, 1));
  std::vector<int> pageable(32);
  void* p = nullptr;
  const auto call = GENERATE_COPY(range(0, 14));
  begin(stream);
  launch_affine(x, 2, 1, stream);
  CHECK(cudaEventRecord(inside, stream) == cudaSuccess);
  cudaError_t wanted = cudaErrorStreamCaptureUnsupported, got = cudaSuccess;
  CAPTURE(call);
  switch (call) {
    case 0:
      got = cudaStreamSynchronize(stream);
      break;
    case 1:
      got = cudaDeviceSynchronize();
      break;
    case 2:
      got = cudaStreamQuery(stream);
      break;
    case 3:
      got = cudaMalloc(&p, 16);
      break;
    case 4:
      got = cudaFree(nullptr);
      break;
    case 5:
      got = cudaMallocAsync(&p, 16, stream);
      break;
    case 6:
      got = cudaMallocHost(&p, 16);
      break;
    case 7:
      got = cudaMemcpy(pageable.data(), x.data(), 128, cudaMemcpyDeviceToHost);
      break;
    case 8:
      got = cudaMemcpyAsync(pageable.data(), x.data(), 128, cudaMemcpyDeviceToHost, stream);
      break;
    case 9:
      got = cudaEventQuery(event);
      break;
    case 10:
      got = cudaStreamSynchronize(other);
      break;
    case 11:
      got = cudaEventSynchronize(inside);
      wanted = cudaErrorCapturedEvent;
      break;
    case 12:
      CHECK(cudaEventRecord(event, other) == cudaSuccess);
      got = cudaStreamWaitEvent(stream, event);
      wanted = cudaErrorStreamCaptureIsolation;
      break;
    case 13:
      got = cudaStreamWaitEvent(nullptr, inside);
      wanted = cudaErrorStreamCaptureImplicit;
      break;
  }
  CHECK(got == wanted);
  CHECK(status_of(stream) == cudaStreamCaptureStatusInvalidated);
  CHECK(cudaMemsetAsync(x.data(), 0, 4, stream) == cudaErrorStreamCaptureInvalidated);
  CHECK_THROWS_AS(launch_affine(x, 2, 1, stream), minitrain::DeviceError);
  CHECK(end(stream) == cudaErrorStreamCaptureInvalidated);
  launch_affine(x, 2, 1, stream);  // the stream is itself again
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(x.get()[0] == 3);
}

TEST_CASE("a capture may not be mixed up") {
  const Stream stream, other;
  const Array<int> x(Ints(32, 1));
  SECTION("begun twice, or on the legacy stream") {
    CHECK(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeRelaxed) == cudaErrorStreamCaptureUnsupported);
    begin(stream);
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed) == cudaErrorIllegalState);
    const Captured captured(stream);
    CHECK(end(stream) == cudaErrorIllegalState);
  }
  SECTION("ended in another stream, or with work that was not joined") {
    const Event event;
    const bool elsewhere = GENERATE(false, true);
    begin(stream);
    CHECK(cudaEventRecord(event, stream) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(other, event) == cudaSuccess);
    launch_affine(x, 2, 1, other);
    if (elsewhere) {
      CHECK(end(other) == cudaErrorStreamCaptureUnmatched);
    } else {
      CHECK(end(stream) == cudaErrorStreamCaptureUnjoined);
    }
    CHECK(status_of(stream) == cudaStreamCaptureStatusNone);
    CHECK(status_of(other) == cudaStreamCaptureStatusNone);
  }
  SECTION("two captures joined") {
    const Event event;
    begin(stream);
    begin(other);
    CHECK(cudaEventRecord(event, stream) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(other, event) == cudaErrorStreamCaptureMerge);
    CHECK(end(stream) == cudaErrorStreamCaptureInvalidated);
    CHECK(end(other) == cudaErrorStreamCaptureInvalidated);
  }
  SECTION("the legacy stream used while a blocking stream captures") {
    const Stream blocking(cudaStreamDefault);
    begin(blocking, cudaStreamCaptureModeRelaxed);
    CHECK(cudaMemsetAsync(x.data(), 0, 4, nullptr) == cudaErrorStreamCaptureImplicit);
    CHECK(end(blocking) == cudaErrorStreamCaptureInvalidated);
    begin(stream, cudaStreamCaptureModeRelaxed);  // this one does not block
    CHECK(cudaMemsetAsync(x.data(), 0, 4, nullptr) == cudaSuccess);
    const Captured captured(stream);
  }
  SECTION("ended by another thread") {
    begin(stream);
    std::thread([&] { CHECK(end(stream) == cudaErrorStreamCaptureWrongThread); }).join();
    const Captured captured(stream);
    begin(stream, cudaStreamCaptureModeRelaxed);
    cudaGraph_t graph = nullptr;
    std::thread([&] { CHECK(cudaStreamEndCapture(stream, &graph) == cudaSuccess); }).join();
    CHECK(cudaGraphDestroy(graph) == cudaSuccess);
  }
  static_cast<void>(cudaGetLastError());
}

TEST_CASE("which unsafe calls a capture forbids depends on its mode and on the thread") {
  const Stream stream;
  const auto allocates = [] {
    void* p = nullptr;
    const auto e = cudaMalloc(&p, 16);
    if (e == cudaSuccess) CHECK(cudaFree(p) == cudaSuccess);
    static_cast<void>(cudaGetLastError());
    return e == cudaSuccess;
  };
  const auto elsewhere = [&] {
    bool ok = false;
    std::thread([&] { ok = allocates(); }).join();
    return ok;
  };
  begin(stream, cudaStreamCaptureModeRelaxed);
  CHECK(allocates());
  CHECK(elsewhere());
  CHECK(cudaDeviceSynchronize() == cudaErrorStreamCaptureUnsupported);  // in any mode
  CHECK(end(stream) == cudaErrorStreamCaptureInvalidated);

  begin(stream, cudaStreamCaptureModeThreadLocal);
  CHECK(elsewhere());
  CHECK_FALSE(allocates());
  CHECK(end(stream) == cudaErrorStreamCaptureInvalidated);

  begin(stream, cudaStreamCaptureModeGlobal);
  CHECK_FALSE(elsewhere());
  CHECK(end(stream) == cudaErrorStreamCaptureInvalidated);

  begin(stream, cudaStreamCaptureModeGlobal);
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  CHECK(cudaThreadExchangeStreamCaptureMode(&mode) == cudaSuccess);
  CHECK(mode == cudaStreamCaptureModeGlobal);
  CHECK(allocates());
  CHECK(cudaThreadExchangeStreamCaptureMode(&mode) == cudaSuccess);
  const Captured captured(stream);
}
