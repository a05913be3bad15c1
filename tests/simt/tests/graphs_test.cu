// Graphs: captured work that runs again and again, in any order that its dependencies allow.

#include "capture.hpp"

using namespace test;
using Ints = std::vector<int>;

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
