// cuBLASLt: products, epilogues, what it refuses, and the order of the stream.

#include <cublasLt.h>
#include <cuda_bf16.h>

#include <utility>

#include "support.hpp"

using namespace test;

namespace {

/// D[2, 2] = op(A)·op(B) with a depth of 3: everything a call takes, to be bent by a test.
struct Call {
  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t about = nullptr;
  cublasLtMatrixLayout_t a_layout = nullptr, b_layout = nullptr, d_layout = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  Array<float> a{std::vector<float>{1, 2, 3, 4, 5, 6}}, b{std::vector<float>{1, 0, -1, 2, 1, 0}},
      d{std::vector<float>{10, 20, 30, 40}}, bias{std::vector<float>{-7, 100}}, workspace{1024};
  float alpha = 1, beta = 0;
  cudaStream_t stream = nullptr;

  explicit Call(cublasComputeType_t compute = CUBLAS_COMPUTE_32F) {
    REQUIRE(cublasLtCreate(&handle) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasLtMatmulDescCreate(&about, compute, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasLtMatrixLayoutCreate(&a_layout, CUDA_R_32F, 2, 3, 2) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasLtMatrixLayoutCreate(&b_layout, CUDA_R_32F, 3, 2, 3) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasLtMatrixLayoutCreate(&d_layout, CUDA_R_32F, 2, 2, 2) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasLtMatmulPreferenceCreate(&preference) == CUBLAS_STATUS_SUCCESS);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    static_cast<void>(cublasLtMatmulPreferenceDestroy(preference));
    for (const auto layout : {a_layout, b_layout, d_layout}) static_cast<void>(cublasLtMatrixLayoutDestroy(layout));
    static_cast<void>(cublasLtMatmulDescDestroy(about));
    static_cast<void>(cublasLtDestroy(handle));
  }

  template <class T>
  cublasStatus_t set(cublasLtMatmulDescAttributes_t attribute, T value) {
    return cublasLtMatmulDescSetAttribute(about, attribute, &value, sizeof value);
  }
  void layout(cublasLtMatrixLayout_t& which, cudaDataType_t type, std::uint64_t rows, std::uint64_t columns,
              std::int64_t leading) {
    static_cast<void>(cublasLtMatrixLayoutDestroy(which));
    REQUIRE(cublasLtMatrixLayoutCreate(&which, type, rows, columns, leading) == CUBLAS_STATUS_SUCCESS);
  }
  std::pair<cublasStatus_t, std::vector<cublasLtMatmulHeuristicResult_t>> algorithms(int wanted = 8) {
    std::vector<cublasLtMatmulHeuristicResult_t> found(8);
    int count = 0;
    const auto status = cublasLtMatmulAlgoGetHeuristic(handle, about, a_layout, b_layout, d_layout, d_layout,
                                                       preference, wanted, found.data(), &count);
    found.resize(static_cast<std::size_t>(count));
    return {status, found};
  }
  cublasStatus_t run(const cublasLtMatmulAlgo_t* algorithm = nullptr, std::size_t workspace_bytes = 0) {
    return cublasLtMatmul(handle, about, &alpha, a.data(), a_layout, b.data(), b_layout, &beta, d.data(), d_layout,
                          d.data(), d_layout, algorithm, workspace.data(), workspace_bytes, stream);
  }
  std::vector<float> result() {
    cuda::check(cudaDeviceSynchronize(), "wait");
    return d.get();
  }

  using Floats = std::vector<float>;
};

}  // namespace

TEST_CASE("cuBLASLt multiplies column-major matrices") {
  using Floats = Call::Floats;
  // A = [1 3 5; 2 4 6], B = [1 2; 0 1; -1 0]
  Call call;
  CHECK(call.run() == CUBLAS_STATUS_SUCCESS);
  CHECK(call.result() == Floats{-4, -4, 5, 8});
  call.alpha = 2, call.beta = -1;
  CHECK(call.run() == CUBLAS_STATUS_SUCCESS);
  CHECK(call.result() == Floats{-4, -4, 5, 8});

  call.layout(call.a_layout, CUDA_R_32F, 3, 2, 3);  // [1 4; 2 5; 3 6], transposed [1 2 3; 4 5 6]
  call.layout(call.b_layout, CUDA_R_32F, 2, 3, 2);  // [1 -1 1; 0 2 0], transposed [1 0; -1 2; 1 0]
  CHECK(call.set(CUBLASLT_MATMUL_DESC_TRANSA, std::int32_t{CUBLAS_OP_T}) == CUBLAS_STATUS_SUCCESS);
  CHECK(call.set(CUBLASLT_MATMUL_DESC_TRANSB, std::int32_t{CUBLAS_OP_T}) == CUBLAS_STATUS_SUCCESS);
  call.alpha = 1, call.beta = 0;
  CHECK(call.run() == CUBLAS_STATUS_SUCCESS);
  CHECK(call.result() == Floats{2, 5, 4, 10});
}

TEST_CASE("cuBLASLt has epilogues") {
  using Floats = Call::Floats;
  Call call;
  CHECK(call.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<void*>(call.bias.data())) == CUBLAS_STATUS_SUCCESS);
  const auto with = [&](cublasLtEpilogue_t epilogue) {
    CHECK(call.set(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(epilogue)) == CUBLAS_STATUS_SUCCESS);
    CHECK(call.run() == CUBLAS_STATUS_SUCCESS);
    return call.result();
  };
  CHECK(with(CUBLASLT_EPILOGUE_RELU) == Floats{0, 0, 5, 8});
  CHECK(with(CUBLASLT_EPILOGUE_BIAS) == Floats{-11, 96, -2, 108});
  CHECK(with(CUBLASLT_EPILOGUE_RELU_BIAS) == Floats{0, 96, 0, 108});
  CHECK(with(CUBLASLT_EPILOGUE_BGRADA) == Floats{-4, -4, 5, 8});
  CHECK(call.bias.get() == Floats{9, 12});  // the rows of A
}

TEST_CASE("cuBLASLt reads tf32, bf16 and fp16") {
  const float odd = 1.0f + 0x1p-11f;  // tf32: to nearest
  const auto one = [&](cublasComputeType_t compute, cudaDataType_t type, const void* a, const void* b) {
    Call call(compute);
    call.layout(call.a_layout, type, 1, 1, 1);
    call.layout(call.b_layout, type, 1, 1, 1);
    call.layout(call.d_layout, CUDA_R_32F, 1, 1, 1);
    CHECK(cublasLtMatmul(call.handle, call.about, &call.alpha, a, call.a_layout, b, call.b_layout, &call.beta,
                         call.d.data(), call.d_layout, call.d.data(), call.d_layout, nullptr, nullptr, 0,
                         nullptr) == CUBLAS_STATUS_SUCCESS);
    return call.result()[0];
  };
  const Array<float> words{std::vector<float>{odd}}, ones{std::vector<float>{1.0f}};
  CHECK(one(CUBLAS_COMPUTE_32F, CUDA_R_32F, words.data(), ones.data()) == odd);
  CHECK(one(CUBLAS_COMPUTE_32F_FAST_TF32, CUDA_R_32F, words.data(), ones.data()) == 1.0f + 0x1p-10f);
  const Array<__nv_bfloat16> brains{std::vector<__nv_bfloat16>{1.5f, -3.0f}};
  CHECK(one(CUBLAS_COMPUTE_32F, CUDA_R_16BF, brains.data(), brains.data() + 1) == -4.5f);
  const Array<unsigned short> halves{std::vector<unsigned short>{0x3e00, 0xc200}};  // 1.5, -3
  CHECK(one(CUBLAS_COMPUTE_32F, CUDA_R_16F, halves.data(), halves.data() + 1) == -4.5f);
}

TEST_CASE("cuBLASLt refuses what does not fit together") {
  Call call;
  CHECK(cublasLtCreate(nullptr) == CUBLAS_STATUS_INVALID_VALUE);
  CHECK(cublasLtDestroy(nullptr) == CUBLAS_STATUS_INVALID_VALUE);
  CHECK(call.set(CUBLASLT_MATMUL_DESC_TRANSA, std::int64_t{0}) == CUBLAS_STATUS_INVALID_VALUE);  // four bytes
  CHECK(call.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_BIAS}) == CUBLAS_STATUS_SUCCESS);
  CHECK(call.run() == CUBLAS_STATUS_INVALID_VALUE);  // without a bias
  CHECK(call.algorithms().first == CUBLAS_STATUS_INVALID_VALUE);
  CHECK(call.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_DEFAULT}) == CUBLAS_STATUS_SUCCESS);
  CHECK(call.algorithms(0).first == CUBLAS_STATUS_INVALID_VALUE);
  call.layout(call.a_layout, CUDA_R_32F, 2, 3, 1);  // columns that overlap
  CHECK(call.run() == CUBLAS_STATUS_INVALID_VALUE);
  call.layout(call.a_layout, CUDA_R_32F, 2, 4, 2);  // another depth
  CHECK(call.run() == CUBLAS_STATUS_INVALID_VALUE);
  call.layout(call.a_layout, CUDA_R_16F, 2, 3, 2);  // another type than B
  CHECK(call.run() == CUBLAS_STATUS_NOT_SUPPORTED);
  call.layout(call.a_layout, CUDA_R_32F, 2, 3, 2);
  const auto handle = std::exchange(call.handle, nullptr);
  CHECK(call.run() == CUBLAS_STATUS_NOT_INITIALIZED);
  call.handle = handle;
  CHECK(call.result() == Call::Floats{10, 20, 30, 40});

  call.layout(call.a_layout, CUDA_R_32F, 2, 3, 100);  // past the end of what is there: when the stream comes to it
  CHECK_THROWS_WITH((static_cast<void>(call.run()), call.result()), ContainsSubstring("A is not in one piece"));
}

TEST_CASE("cuBLASLt proposes algorithms within the workspace, for the alignment asked for") {
  Call call;
  auto [status, found] = call.algorithms();
  CHECK(status == CUBLAS_STATUS_SUCCESS);
  CHECK(found.size() == 1);
  const std::uint64_t bytes = 4096;
  CHECK(cublasLtMatmulPreferenceSetAttribute(call.preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes,
                                             sizeof bytes) == CUBLAS_STATUS_SUCCESS);
  found = call.algorithms().second;
  REQUIRE(found.size() == 2);
  CHECK(call.algorithms(1).second.size() == 1);
  CHECK(call.run(&found[0].algo) == CUBLAS_STATUS_SUCCESS);
  CHECK(call.run(&found[1].algo, 4000) == CUBLAS_STATUS_INVALID_VALUE);
  CHECK(call.run(&found[1].algo, 4096) == CUBLAS_STATUS_SUCCESS);
  CHECK(call.result() == Call::Floats{-4, -4, 5, 8});

  const Array<float> longer(100);
  const auto unaligned = [&](const cublasLtMatmulAlgo_t* algorithm) {
    return cublasLtMatmul(call.handle, call.about, &call.alpha, call.a.data(), call.a_layout, call.b.data(),
                          call.b_layout, &call.beta, longer.data() + 1, call.d_layout, longer.data() + 1, call.d_layout,
                          algorithm, nullptr, 0, nullptr);
  };
  CHECK(unaligned(&found[0].algo) == CUBLAS_STATUS_INVALID_VALUE);
  const std::uint32_t four = 4;
  for (const auto matrix : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    CHECK(cublasLtMatmulPreferenceSetAttribute(call.preference, matrix, &four, sizeof four) == CUBLAS_STATUS_SUCCESS);
  }
  CHECK(unaligned(&call.algorithms().second[0].algo) == CUBLAS_STATUS_SUCCESS);
}

TEST_CASE("cuBLASLt works in the order of its stream, and in a capture") {
  using Floats = Call::Floats;
  for (const std::uint64_t seed : {0, 1, 2}) {
    const OptionScope options(order(seed, true));
    Call call;
    REQUIRE(cudaStreamCreateWithFlags(&call.stream, cudaStreamNonBlocking) == cudaSuccess);
    const Array<float> other{std::vector<float>{2, 2, 2, 2, 2, 2}};
    CHECK(cudaMemcpyAsync(call.a.data(), other.data(), 24, cudaMemcpyDeviceToDevice, call.stream) == cudaSuccess);
    CHECK(call.run() == CUBLAS_STATUS_SUCCESS);
    CHECK(cudaMemsetAsync(call.a.data(), 0, 24, call.stream) == cudaSuccess);
    CHECK(call.result() == Floats{0, 0, 6, 6});

    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    CHECK(cudaStreamBeginCapture(call.stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
    call.beta = 1;  // read by the call
    CHECK(call.run() == CUBLAS_STATUS_SUCCESS);
    call.beta = 0;
    CHECK(cudaStreamEndCapture(call.stream, &graph) == cudaSuccess);
    CHECK(cudaGraphInstantiate(&executable, graph) == cudaSuccess);
    CHECK(cudaMemcpyAsync(call.a.data(), other.data(), 24, cudaMemcpyDeviceToDevice, call.stream) == cudaSuccess);
    for (int launch = 0; launch < 2; ++launch) CHECK(cudaGraphLaunch(executable, call.stream) == cudaSuccess);
    CHECK(call.result() == Floats{0, 0, 18, 18});
    CHECK(cudaGraphExecDestroy(executable) == cudaSuccess);
    CHECK(cudaGraphDestroy(graph) == cudaSuccess);
    CHECK(cudaStreamDestroy(call.stream) == cudaSuccess);
  }
}
