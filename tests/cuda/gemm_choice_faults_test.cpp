// What a device that is not exact does when cuBLASLt knows no way, when there is no memory to try, and in a capture.

#include "cuda/layer_oracle.hpp"

#include <simt/faults.hpp>

#include "../../kernels/context.cuh"

namespace mt = minitrain;

namespace {

using mt::Math;
using test::in;
using test::on;

/// One layer of fixed data, forward.
struct Layer {
  mt::Cuda device;
  mt::Tensor<float, mt::Cuda> x = on(device, test::uniform({24, 12}, 1)), w = on(device, test::uniform({12, 20}, 2)),
                              b = on(device, test::uniform({20}, 3)), y{device, {24, 20}};

  explicit Layer(const mt::CudaOptions& options) : device(options) {}
  void forward() { dense_forward(device, in(x), in(w), in(b), {mt::ActivationKind::relu}, y.view()); }
  test::Results results() const {
    test::Results r;
    r.add("y", device, y.view());
    return r;
  }
};

}  // namespace

TEST_CASE("What cuBLASLt knows no way for is computed by others", "[math]") {
  for (const auto known : {simt::Algorithms::none, simt::Algorithms::without_epilogue, simt::Algorithms::all}) {
    const simt::FaultScope machine({.cublaslt = known});
    for (const Math math : {Math::fp32, Math::tf32, Math::bf16, Math::fp16}) {
      test::check_layer({.math = math, .exact = false}, {20, 10, 6}, true, true);
    }
    Layer layer({.exact = false});
    layer.forward();
    const std::string text = describe_choices(layer.device);
    // Our own kernel, and two algorithms each with and without an epilogue.
    const char* tried = known == simt::Algorithms::none ? " 1 tried" : known == simt::Algorithms::all ? " 5 " : " 3 ";
    CHECK_THAT(text, test::ContainsSubstring(tried));
    if (known == simt::Algorithms::none) {
      CHECK_THAT(text, test::ContainsSubstring(": own kernel"));
      Layer exact({.exact = true});
      exact.forward();
      exact.results().check_equal(layer.results());
    }
    if (known == simt::Algorithms::without_epilogue) CHECK(text.find("fused") == std::string::npos);
  }
}

TEST_CASE("A choice that has been made is not made again", "[math]") {
  Layer exact({.exact = true}), layer({.math = Math::bf16, .exact = false});
  const auto kernels_of = [](Layer& l) {
    const std::size_t before = simt::usage().kernels;
    l.forward();
    l.device.synchronize();
    return simt::usage().kernels - before;
  };
  CHECK(kernels_of(exact) == 1);
  CHECK(kernels_of(layer) > 7);  // each candidate seven times
  CHECK(kernels_of(layer) <= 4);
  CHECK(simt::usage().events == 2 * 4);  // of the two contexts: those of the trial are gone
}

TEST_CASE("Without memory to try others a product is computed all the same, and all memory comes back", "[math]") {
  const simt::Usage before = simt::usage();
  for (std::size_t n = 1; n < 8; ++n) {
    Layer exact({.math = Math::fp16}), layer({.math = Math::fp16, .exact = false});
    exact.forward();
    const simt::FaultScope full({.fail_allocation = n});
    CHECK_NOTHROW(layer.forward());
    if (describe_choices(layer.device).find(": own kernel") != std::string::npos) {
      exact.results().check_equal(layer.results());
    }
  }
  CHECK(simt::usage().device_blocks == before.device_blocks);
  CHECK(simt::usage().streams == before.streams);
  CHECK(simt::usage().events == before.events);
}

TEST_CASE("In a capture nothing is timed: what was chosen before, or our own kernel", "[math]") {
  using namespace minitrain;
  Layer layer({.math = Math::bf16, .exact = false}), fresh({.math = Math::bf16, .exact = false});
  layer.forward();
  const auto expected = layer.results();
  for (Layer* l : {&layer, &fresh}) {
    const cudaStream_t stream = cuda::stream_of(l->device);
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    const std::string choices = describe_choices(l->device);
    REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
    l->forward();
    REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
    CHECK(describe_choices(l->device) == choices);
    REQUIRE(cudaGraphInstantiate(&executable, graph, 0) == cudaSuccess);
    fill_zero(l->device, l->y.view());
    REQUIRE(cudaGraphLaunch(executable, stream) == cudaSuccess);
    if (l == &layer) {
      l->results().check_equal(expected);
    } else {
      Layer exact({.math = Math::bf16});
      exact.forward();
      l->results().check_equal(exact.results());
    }
    CHECK(cudaGraphExecDestroy(executable) == cudaSuccess);
    CHECK(cudaGraphDestroy(graph) == cudaSuccess);
  }
}
