// cuBLASLt: D = f(alpha·op(A)·op(B) + beta·C), column-major, exact products summed in double and rounded once. What the
// descriptors say is checked by the call; that the memory is there, when the stream comes to it.

#include <cublasLt.h>

#include "call.hpp"

#include <simt/kernel.hpp>

#include <bit>
#include <cstring>

using namespace simt::runtime;
using simt::Algorithms;
using simt::engine::device_memory;

struct cublasLtContext {};

struct cublasLtMatmulDescOpaque {
  cublasComputeType_t compute;
  std::int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;
};
struct cublasLtMatrixLayoutOpaque {
  cudaDataType_t type;
  std::uint64_t rows, columns, leading;

  std::size_t element() const { return type == CUDA_R_32F ? 4 : 2; }
  std::size_t bytes() const { return ((columns - 1) * leading + rows) * element(); }
};
struct cublasLtMatmulPreferenceOpaque {
  std::uint64_t workspace = 0;
  std::uint32_t reductions = 7, alignment[4] = {256, 256, 256, 256};
};

namespace {

constexpr std::uint64_t algorithm_mark = 0x6d61746d756cull;

bool is_bias_read(std::uint32_t e) { return e == CUBLASLT_EPILOGUE_BIAS || e == CUBLASLT_EPILOGUE_RELU_BIAS; }
bool is_relu(std::uint32_t e) { return e == CUBLASLT_EPILOGUE_RELU || e == CUBLASLT_EPILOGUE_RELU_BIAS; }

template <class T>
cublasStatus_t make(T** out, T value) {
  if (out == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *out = new T(value);
  return CUBLAS_STATUS_SUCCESS;
}
template <class T>
cublasStatus_t destroy(T* object) {
  if (object == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  delete object;
  return CUBLAS_STATUS_SUCCESS;
}
template <class T>
cublasStatus_t set(T& field, const void* value, std::size_t bytes) {
  if (bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&field, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

/// What a product is, with the descriptors' values of the time of the call.
struct Product {
  cublasLtMatmulDescOpaque about;
  cublasLtMatrixLayoutOpaque a, b, c, d;
  const void *a_data = nullptr, *b_data = nullptr, *c_data = nullptr;
  void* d_data = nullptr;
  float alpha = 0, beta = 0;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;

  std::uint64_t depth() const { return about.transpose_a == CUBLAS_OP_T ? a.rows : a.columns; }

  cublasStatus_t check() const {
    for (const auto* m : {&a, &b, &c, &d}) {
      if (m->rows == 0 || m->columns == 0 || m->leading < m->rows) return CUBLAS_STATUS_INVALID_VALUE;
    }
    const auto rows = about.transpose_a == CUBLAS_OP_T ? a.columns : a.rows;
    const auto columns = about.transpose_b == CUBLAS_OP_T ? b.rows : b.columns;
    const auto other = about.transpose_b == CUBLAS_OP_T ? b.columns : b.rows;
    if (depth() != other || d.rows != rows || d.columns != columns || c.rows != rows || c.columns != columns) {
      return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (a.type != b.type || c.type != CUDA_R_32F || d.type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (a.type != CUDA_R_32F && about.compute != CUBLAS_COMPUTE_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    const bool has_bias = is_bias_read(about.epilogue) || about.epilogue == CUBLASLT_EPILOGUE_BGRADA;
    if (has_bias && about.bias == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
  }

  float operand(const cublasLtMatrixLayoutOpaque& m, const std::vector<std::byte>& data, std::uint64_t i,
                std::uint64_t j) const {
    const std::byte* const p = data.data() + (j * m.leading + i) * m.element();
    if (m.type == CUDA_R_32F) {
      float x;
      std::memcpy(&x, p, 4);
      return about.compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? simt::round_to_tf32(x) : x;
    }
    std::uint16_t bits;
    std::memcpy(&bits, p, 2);
    return m.type == CUDA_R_16F ? simt::half_to_float(bits) : std::bit_cast<float>(std::uint32_t{bits} << 16);
  }

  static void need(const void* p, std::size_t bytes, const char* what) {
    if (device_memory().contains_live(p, bytes)) return;
    throw simt::error(std::string("simt: cublasLtMatmul: ") + what + " is not in one piece of live device memory");
  }
  static std::vector<std::byte> read(const void* p, std::size_t bytes, const char* what) {
    need(p, bytes, what);
    std::vector<std::byte> data(bytes);
    device_memory().copy(data.data(), p, bytes);
    return data;
  }

  void run() const {
    const auto a_bytes = read(a_data, a.bytes(), "A"), b_bytes = read(b_data, b.bytes(), "B");
    need(d_data, d.bytes(), "D");
    std::vector<std::byte> c_bytes, bias;
    if (beta != 0) c_bytes = read(c_data, c.bytes(), "C");
    if (is_bias_read(about.epilogue)) bias = read(about.bias, d.rows * 4, "the bias");
    if (workspace_bytes > 0) {  // what it held is gone
      need(workspace, workspace_bytes, "the workspace");
      device_memory().fill(workspace, 0xff, workspace_bytes);
    }
    const auto op_a = [&](std::uint64_t i, std::uint64_t k) {
      return about.transpose_a == CUBLAS_OP_T ? operand(a, a_bytes, k, i) : operand(a, a_bytes, i, k);
    };
    const auto op_b = [&](std::uint64_t k, std::uint64_t j) {
      return about.transpose_b == CUBLAS_OP_T ? operand(b, b_bytes, j, k) : operand(b, b_bytes, k, j);
    };
    const auto float_at = [](const std::vector<std::byte>& data, std::uint64_t i) {
      float x;
      std::memcpy(&x, data.data() + i * 4, 4);
      return x;
    };
    for (std::uint64_t j = 0; j < d.columns; ++j) {
      std::vector<float> column(d.rows);
      for (std::uint64_t i = 0; i < d.rows; ++i) {
        double sum = 0;
        for (std::uint64_t k = 0; k < depth(); ++k) sum += static_cast<double>(op_a(i, k)) * op_b(k, j);
        sum *= alpha;
        if (beta != 0) sum += static_cast<double>(beta) * float_at(c_bytes, j * c.leading + i);
        if (!bias.empty()) sum += float_at(bias, i);
        if (is_relu(about.epilogue) && !(sum > 0)) sum = 0;  // NaN too
        column[i] = static_cast<float>(sum);
      }
      device_memory().copy(static_cast<float*>(d_data) + j * d.leading, column.data(), d.rows * 4);
    }
    if (about.epilogue != CUBLASLT_EPILOGUE_BGRADA) return;
    need(about.bias, d.rows * 4, "the bias gradient");
    std::vector<float> sums(d.rows);
    for (std::uint64_t i = 0; i < d.rows; ++i) {
      double sum = 0;
      for (std::uint64_t k = 0; k < depth(); ++k) sum += op_a(i, k);
      sums[i] = static_cast<float>(sum);
    }
    device_memory().copy(about.bias, sums.data(), d.rows * 4);
  }
};

}  // namespace

const char* cublasLtGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "success";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "the library was not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "the resource allocation failed";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an unsupported value or parameter was passed to the function";
    case CUBLAS_STATUS_ARCH_MISMATCH:
      return "the function requires an architectural feature absent from the architecture of the device";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "the GPU program failed to execute";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "the requested functionality is not supported";
  }
  return "unknown";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const cudaError_t e = call(Needs::device, [](Runtime&) { return cudaSuccess; });
  return e == cudaSuccess ? make(handle, cublasLtContext{}) : CUBLAS_STATUS_NOT_INITIALIZED;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) { return destroy(handle); }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* out, cublasComputeType_t compute, cudaDataType_t scale) {
  if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  return make(out, cublasLtMatmulDescOpaque{compute});
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) { return destroy(desc); }

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  if (desc == nullptr || value == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return set(desc->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return set(desc->transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return set(desc->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return set(desc->bias, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* out, cudaDataType_t type, std::uint64_t rows,
                                          std::uint64_t columns, std::int64_t leading) {
  if (leading < 0) return CUBLAS_STATUS_INVALID_VALUE;
  return make(out, cublasLtMatrixLayoutOpaque{type, rows, columns, static_cast<std::uint64_t>(leading)});
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) { return destroy(layout); }

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* out) {
  return make(out, cublasLtMatmulPreferenceOpaque{});
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) { return destroy(p); }

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    std::size_t bytes) {
  if (p == nullptr || value == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return set(p->workspace, value, bytes);
  if (attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) return set(p->reductions, value, bytes);
  const int matrix = attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
  return matrix < 0 || matrix > 3 ? CUBLAS_STATUS_INVALID_VALUE : set(p->alignment[matrix], value, bytes);
}

// Two algorithms, which compute the same: one without a workspace, and one with. data: mark, workspace, the alignment
// of A, B, C and D that it was chosen for.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[], int* found) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (found != nullptr) *found = 0;
  for (const void* p : {static_cast<const void*>(desc), static_cast<const void*>(a), static_cast<const void*>(b),
                        static_cast<const void*>(c), static_cast<const void*>(d), static_cast<const void*>(preference),
                        static_cast<const void*>(results), static_cast<const void*>(found)}) {
    if (p == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (wanted < 1) return CUBLAS_STATUS_INVALID_VALUE;
  Product product{.about = *desc, .a = *a, .b = *b, .c = *c, .d = *d};
  if (const auto status = product.check(); status != CUBLAS_STATUS_SUCCESS) return status;
  const Algorithms known = simt::faults().cublaslt;
  if (known == Algorithms::none ||
      (known == Algorithms::without_epilogue && desc->epilogue != CUBLASLT_EPILOGUE_DEFAULT)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  for (const std::uint64_t workspace : {0, 4096}) {
    if (workspace > preference->workspace || *found == wanted) continue;
    auto& result = results[(*found)++];
    result = {};
    result.state = CUBLAS_STATUS_SUCCESS;
    result.workspaceSize = workspace;
    result.algo.data[0] = algorithm_mark;
    result.algo.data[1] = workspace;
    for (int m = 0; m < 4; ++m) result.algo.data[2 + m] = preference->alignment[m];
  }
  return *found > 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              std::size_t workspace_bytes, cudaStream_t stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (desc == nullptr || a_layout == nullptr || b_layout == nullptr || c_layout == nullptr || d_layout == nullptr ||
      alpha == nullptr || beta == nullptr || a == nullptr || b == nullptr || c == nullptr || d == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  Product product{.about = *desc,
                  .a = *a_layout,
                  .b = *b_layout,
                  .c = *c_layout,
                  .d = *d_layout,
                  .a_data = a,
                  .b_data = b,
                  .c_data = c,
                  .d_data = d};
  std::memcpy(&product.alpha, alpha, sizeof(float));
  std::memcpy(&product.beta, beta, sizeof(float));
  if (const auto status = product.check(); status != CUBLAS_STATUS_SUCCESS) return status;
  if (algorithm != nullptr) {
    if (algorithm->data[0] != algorithm_mark || workspace_bytes < algorithm->data[1]) {
      return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (algorithm->data[1] > 0 && workspace == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    const void* const pointers[] = {a, b, c, d};
    for (int m = 0; m < 4; ++m) {
      if (reinterpret_cast<std::uintptr_t>(pointers[m]) % algorithm->data[2 + m] != 0) {
        return CUBLAS_STATUS_INVALID_VALUE;
      }
    }
    product.workspace = workspace;
    product.workspace_bytes = algorithm->data[1];
  }
  const cudaError_t e = call(Needs::device, [&](Runtime& r) {
    return r.submit(stream, cudaGraphNodeTypeKernel, [&r, product] {
      product.run();
      ++r.kernels;
    });
  });
  return e == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
