// Matrix products by cuBLASLt, and the kernels around them: operands to 16 bits (6 bytes per element), what an epilogue
// would have done (8 to 12 bytes per element), sums over rows (4 bytes per element, one column a thread, in the order
// of the rows); all bound by memory.
#include "lane.cuh"
#include "library_gemm.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstdint>

namespace minitrain::inline MINITRAIN_ABI::cuda {
namespace {

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const auto code = status == CUBLAS_STATUS_ALLOC_FAILED ? ErrorCode::out_of_memory : ErrorCode::device_unavailable;
  throw DeviceError(
      code, {"cuBLASLt, ", what, ": ", cublasLtGetStatusString(status), ": CudaOptions::exact = true does without it"});
}

/// to[rows, stride] = from[rows, columns], rounded to nearest even; past the columns is left as it was.
template <Math math>
__global__ void __launch_bounds__(256)
    convert_kernel(const float* from, std::size_t rows, std::size_t columns, std::size_t stride, unsigned short* to) {
  const std::size_t count = rows * columns, step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    unsigned short bits;
    if constexpr (math == Math::bf16) {
      bits = __bfloat16_as_ushort(__float2bfloat16_rn(from[i]));
    } else {
      bits = __half_as_ushort(__float2half_rn(from[i]));
    }
    to[i / columns * stride + i % columns] = bits;
  }
}

/// c(i, j) = f(c(i, j) + bias(j)), with f of gemm_arguments.cuh.
__global__ void __launch_bounds__(256)
    finish_kernel(float* c, std::size_t M, std::size_t N, const float* bias, const float* gate, Epilogue epilogue) {
  const std::size_t count = M * N, step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    Lane z{c[i]};
    if (bias != nullptr) z = z + Lane{bias[i % N]};
    if (epilogue == Epilogue::relu) z = max(Lane::zero(), z);
    if (epilogue == Epilogue::gate) z.v = gate[i] > 0.0f ? z.v : 0.0f;
    c[i] = z.v;
  }
}

/// sums(j) += x(0, j) + x(1, j) + ..., one row after the other.
__global__ void __launch_bounds__(64)
    add_rows_kernel(const float* x, std::size_t M, std::size_t N, bool add, float* sums) {
  const std::size_t j = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (j >= N) return;
  Lane sum{add ? sums[j] : 0.0f};
#pragma unroll 8
  for (std::size_t i = 0; i < M; ++i) sum = sum + Lane{x[i * N + j]};
  sums[j] = sum.v;
}

bool is_converted(Math math) { return math == Math::bf16 || math == Math::fp16; }

}  // namespace

std::uint32_t alignment_of(const GemmArguments& g) {
  std::uintptr_t all = 16;
  for (const float* p : {g.a, g.b, static_cast<const float*>(g.c), g.bias, static_cast<const float*>(g.column_sums)}) {
    all |= reinterpret_cast<std::uintptr_t>(p);
  }
  return static_cast<std::uint32_t>(all & (~all + 1));
}

// --- memory --------------------------------------------------------------------------------------------------------

KeptMemory::~KeptMemory() {
  for (const Piece& piece : pieces_) context_->deallocate(piece.data, piece.bytes);
}

void* KeptMemory::at_least(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  const std::size_t largest = pieces_.empty() ? 0 : pieces_.back().bytes;
  if (bytes > largest) {
    const std::size_t wanted = std::max(bytes, 2 * largest);
    pieces_.reserve(pieces_.size() + 1);
    pieces_.push_back({context_->allocate(wanted), wanted});
  }
  return pieces_.back().data;
}

Library::Library(Cuda::Context& context)
    : a(context),
      b(context),
      workspace(context),
      workspace_limit_(std::min(context.available() / 8, std::size_t{32} << 20)) {
  check(cublasLtCreate(&handle_), "its handle");
}

Library::~Library() {
  if (handle_ != nullptr) static_cast<void>(cublasLtDestroy(handle_));
}

// --- a plan --------------------------------------------------------------------------------------------------------

bool LibraryPlan::can_fuse(Product product, const GemmArguments& g) {
  if (product == Product::forward) return g.start == Start::bias || g.epilogue == Epilogue::relu;
  // Its bias gradient overwrites. Its gradient of a ReLU wants a mask of bits that its own forward product has left.
  return product == Product::weights && g.column_sums != nullptr && g.start == Start::zero;
}

LibraryPlan::LibraryPlan(Library& library, Math math, Product product, const GemmArguments& g, bool fused)
    : library_(&library), math_(math) {
  const bool a_transposed = product == Product::weights, b_transposed = product == Product::input;
  a_ = {a_transposed ? g.K : g.M, a_transposed ? g.M : g.K, g.lda};
  b_ = {b_transposed ? g.N : g.K, b_transposed ? g.K : g.N, g.ldb};
  if (is_converted(math)) {  // into rows that begin at multiples of 16 bytes
    a_.stride = (a_.columns + 7) / 8 * 8;
    b_.stride = (b_.columns + 7) / 8 * 8;
  }
  const cudaDataType_t type = math == Math::bf16 ? CUDA_R_16BF : math == Math::fp16 ? CUDA_R_16F : CUDA_R_32F;

  cublasLtMatmulDesc_t about = nullptr;
  check(cublasLtMatmulDescCreate(&about, math == Math::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                 CUDA_R_32F),
        "a product");
  about_.reset(about);
  const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
    check(cublasLtMatmulDescSetAttribute(about, attribute, &value, sizeof value), "a property of a product");
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, static_cast<std::int32_t>(b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N));
  set(CUBLASLT_MATMUL_DESC_TRANSB, static_cast<std::int32_t>(a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N));
  const void* extra = nullptr;
  if (fused && product == Product::weights) {
    epilogue_ = CUBLASLT_EPILOGUE_BGRADA;
    extra = g.column_sums;
  } else if (fused) {
    const bool relu = g.epilogue == Epilogue::relu, bias = g.start == Start::bias;
    epilogue_ = bias ? relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_RELU;
    if (bias) extra = g.bias;
  }
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(epilogue_));
  if (extra != nullptr) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, extra);

  const auto layout = [](Layout& owner, cudaDataType_t of, std::size_t rows, std::size_t columns, std::size_t stride) {
    cublasLtMatrixLayout_t made = nullptr;
    check(cublasLtMatrixLayoutCreate(&made, of, rows, columns, static_cast<std::int64_t>(stride)), "a matrix");
    owner.reset(made);
  };
  layout(a_layout_, type, b_.columns, b_.rows, b_.stride);
  layout(b_layout_, type, a_.columns, a_.rows, a_.stride);
  layout(c_layout_, CUDA_R_32F, g.N, g.M, g.N);

  cublasLtMatmulPreference_t made = nullptr;
  check(cublasLtMatmulPreferenceCreate(&made), "a preference");
  const Owned<cublasLtMatmulPreference_t, &cublasLtMatmulPreferenceDestroy> preference(made);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check(cublasLtMatmulPreferenceSetAttribute(made, attribute, &value, sizeof value), "a preference");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(library.workspace_limit()));
  // Partial sums of a split over k in fp32, added in an order of their own: two runs have the same bits.
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
         static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  const std::uint32_t aligned = alignment_of(g), operands = is_converted(math) ? 16 : aligned;
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, operands);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, operands);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, aligned);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, aligned);

  cublasLtMatmulHeuristicResult_t found[3];
  int count = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(library.handle(), about, a_layout_.get(), b_layout_.get(), c_layout_.get(),
                                     c_layout_.get(), made, static_cast<int>(std::size(found)), found, &count);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return;  // it knows no way
  check(status, "its algorithms");
  for (int i = 0; i < count; ++i) {
    if (found[i].state == CUBLAS_STATUS_SUCCESS) algorithms_.push_back({found[i].algo, found[i].workspaceSize});
  }
}

const void* LibraryPlan::converted(const Cuda& device, const float* from, const Operand& m, KeptMemory& memory) const {
  if (!is_converted(math_)) return from;
  auto* const to = static_cast<unsigned short*>(memory.at_least(m.rows * m.stride * sizeof(unsigned short)));
  launch(math_ == Math::bf16 ? convert_kernel<Math::bf16> : convert_kernel<Math::fp16>,
         dim3(blocks_for(m.rows * m.columns, 256)), dim3(256), 0, stream_of(device), from, m.rows, m.columns, m.stride,
         to);
  return to;
}

void LibraryPlan::run(const Cuda& device, const GemmArguments& g, std::size_t algorithm) const {
  const Algorithm& way = algorithms_[algorithm];
  const void* const a = converted(device, g.a, a_, library_->a);
  const void* const b = converted(device, g.b, b_, library_->b);
  if (fused() && epilogue_ != CUBLASLT_EPILOGUE_RELU) {
    const void* const extra = epilogue_ == CUBLASLT_EPILOGUE_BGRADA ? g.column_sums : g.bias;
    check(cublasLtMatmulDescSetAttribute(about_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, &extra, sizeof extra),
          "the bias");
  }
  const float alpha = 1.0f, beta = g.start == Start::add ? 1.0f : 0.0f;
  void* const workspace = library_->workspace.at_least(way.workspace);
  check(cublasLtMatmul(library_->handle(), about_.get(), &alpha, b, a_layout_.get(), a, b_layout_.get(), &beta, g.c,
                       c_layout_.get(), g.c, c_layout_.get(), &way.choice, workspace, way.workspace, stream_of(device)),
        "a product");
  if (!fused()) finish(device, g);
}

void LibraryPlan::finish(const Cuda& device, const GemmArguments& g) const {
  if (g.start == Start::bias || g.epilogue != Epilogue::none) {
    launch(finish_kernel, dim3(blocks_for(g.M * g.N, 256)), dim3(256), 0, stream_of(device), g.c, g.M, g.N,
           g.start == Start::bias ? g.bias : nullptr, g.gate, g.epilogue);
  }
  if (g.column_sums != nullptr) {
    launch(add_rows_kernel, dim3(blocks_for(g.N, 64)), dim3(64), 0, stream_of(device), g.b, g.K, g.N,
           g.start == Start::add, g.column_sums);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda
