// Stream capture and graphs.

#include "support.hpp"

#include <thread>

using namespace test;
using Ints = std::vector<int>;

namespace {

/// A captured graph in both forms.
struct Captured {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  explicit Captured(cudaStream_t origin) {
    cuda::check(cudaStreamEndCapture(origin, &graph), "cudaStreamEndCapture");
    cuda::check(cudaGraphInstantiate(&executable, graph), "cudaGraphInstantiate");
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  ~Captured() {
    static_cast<void>(cudaGraphExecDestroy(executable));
    static_cast<void>(cudaGraphDestroy(graph));
  }
};

void begin(cudaStream_t stream, cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal) {
  cuda::check(cudaStreamBeginCapture(stream, mode), "cudaStreamBeginCapture");
}

cudaStreamCaptureStatus status_of(cudaStream_t stream) {
  cudaStreamCaptureStatus status{};
  CHECK(cudaStreamIsCapturing(stream, &status) == cudaSuccess);
  return status;
}

/// Ends a capture that has gone wrong, and says how.
cudaError_t end(cudaStream_t stream) {
  cudaGraph_t graph = nullptr;
  const auto e = cudaStreamEndCapture(stream, &graph);
  CHECK(graph == nullptr);
  static_cast<void>(cudaGetLastError());
  return e;
}

}  // namespace

TEST_CASE("a capture runs nothing, its graph runs it again and again") {
  const OptionScope options(order(GENERATE(0, 1, 5), GENERATE(false, true)));
  const Stream stream;
  const Array<int> x(Ints(32, 1)), y(32);
  const Pinned<int> in(32), out(32);
  const auto before = simt::usage();
  int host_calls = 0;
  begin(stream);
  CHECK(status_of(stream) == cudaStreamCaptureStatusActive);
  CHECK(cudaMemcpyAsync(x.data(), in.data(), 128, cudaMemcpyHostToDevice, stream) == cudaSuccess);
  launch_affine(x, 2, 1, stream);
  launch_affine(x, 10, 3, stream);
  CHECK(cudaMemsetAsync(y.data(), 0, 128, stream) == cudaSuccess);
  CHECK(cudaMemcpyAsync(y.data(), x.data(), 64, cudaMemcpyDeviceToDevice, stream) == cudaSuccess);
  CHECK(cudaMemcpyAsync(out.data(), y.data(), 128, cudaMemcpyDeviceToHost, stream) == cudaSuccess);
  CHECK(cudaLaunchHostFunc(
            stream, [](void* p) { ++*static_cast<int*>(p); }, &host_calls) == cudaSuccess);
  CHECK(simt::usage().operations_waiting == 0);
  const Captured captured(stream);
  CHECK(status_of(stream) == cudaStreamCaptureStatusNone);
  CHECK(simt::usage().kernels == before.kernels);

  std::size_t count = 0;
  CHECK(cudaGraphGetNodes(captured.graph, nullptr, &count) == cudaSuccess);
  REQUIRE(count == 7);
  cudaGraphNode_t nodes[7];
  CHECK(cudaGraphGetNodes(captured.graph, nodes, &count) == cudaSuccess);
  cudaGraphNodeType type{};
  CHECK(cudaGraphNodeGetType(nodes[1], &type) == cudaSuccess);
  CHECK(type == cudaGraphNodeTypeKernel);

  for (int i = 0; i < 3; ++i) {  // pinned memory is read at each launch
    for (std::size_t k = 0; k < 32; ++k) in[k] = i;
    CHECK(cudaGraphLaunch(captured.executable, stream) == cudaSuccess);
    CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(out[15] == (2 * i + 1) * 10 + 3);
    CHECK(out[16] == 0);
  }
  CHECK(host_calls == 3);
  CHECK(simt::usage().kernels == before.kernels + 6);
}

TEST_CASE("a graph outlives what it was made of") {
  const Stream stream;
  const Array<int> x(Ints(32, 1));
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  {
    const Stream other;
    begin(other);
    launch_affine(x, 2, 0, other);
    REQUIRE(cudaStreamEndCapture(other, &graph) == cudaSuccess);
  }
  REQUIRE(cudaGraphInstantiate(&executable, graph, 0) == cudaSuccess);
  REQUIRE(cudaGraphDestroy(graph) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaErrorInvalidValue);
  CHECK(cudaGraphUpload(executable, stream) == cudaSuccess);
  CHECK(cudaGraphLaunch(executable, stream) == cudaSuccess);
  CHECK(cudaGraphExecDestroy(executable) == cudaSuccess);
  CHECK(cudaGraphLaunch(executable, stream) == cudaErrorInvalidValue);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(x.get()[0] == 2);
  static_cast<void>(cudaGetLastError());
}

TEST_CASE("events fork a capture into other streams and join them") {
  const Stream origin, branch;
  const Event forked(cudaEventDisableTiming), joined(cudaEventDisableTiming);
  const Array<int> x(Ints(32, 1)), y(Ints(32, 1)), z(Ints(32, 0));
  begin(origin);
  launch_affine(x, 2, 1, origin);  // 3
  CHECK(cudaEventRecord(forked, origin) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(branch, forked) == cudaSuccess);
  CHECK(status_of(branch) == cudaStreamCaptureStatusActive);
  CHECK(cudaMemcpyAsync(y.data(), x.data(), 128, cudaMemcpyDeviceToDevice, branch) == cudaSuccess);
  launch_affine(y, 10, 0, branch);  // 30
  launch_affine(z, 1, 7, origin);
  CHECK(cudaEventRecord(joined, branch) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(origin, joined) == cudaSuccess);
  launch_affine(x, 0, 5, origin);  // must not come before the branch has read it
  const Captured captured(origin);
  CHECK(status_of(branch) == cudaStreamCaptureStatusNone);
  for (const std::uint64_t seed : {0, 1, 2, 3, 4, 5}) {
    const OptionScope options(order(seed));
    CHECK(cudaMemcpy(x.data(), Ints(32, 1).data(), 128, cudaMemcpyHostToDevice) == cudaSuccess);
    CHECK(cudaGraphLaunch(captured.executable, origin) == cudaSuccess);
    CHECK(cudaStreamSynchronize(origin) == cudaSuccess);
    CHECK(y.get()[0] == 30);
    CHECK(x.get()[0] == 5);
  }
  CHECK(z.get()[0] == 42);
}

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

TEST_CASE("cooperative launches and launch errors in a capture") {
  const Stream stream;
  const Array<int> x(Ints(32, 1));
  begin(stream);
  cuda::launch_cooperative(affine, 1, 32, 0, stream, x.data(), 3, 1);
  CHECK_THROWS_AS(cuda::launch(affine, 0, 32, 0, stream, x.data(), 3, 1), minitrain::DeviceError);
  const Captured captured(stream);
  CHECK(cudaGraphLaunch(captured.executable, stream) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(x.get()[0] == 4);
}
