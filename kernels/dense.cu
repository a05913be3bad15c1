// dense.  Forward y = f(x·W + b), backward dx = (dy·Wᵀ)·f'(x), dW += Σ xᵀ·dy, db += Σ dy; sums over samples in their
// order, from what dW and db hold.
// FLOPs 2·B·in·out each; bound as gemm.cuh says. Layers with one output are products of a matrix and a vector: 4 bytes
// of x for every 2 FLOPs, bound by memory.
//
// Products go through gemm.cuh, gemm_mma.cuh where the device rounds their operands, or cuBLASLt (gemm_choice.cu); the
// bias gradient is taken beside the weight gradient. With one output, always in fp32; forward, a half-warp takes a row:
// 16 partial sums and the CPU's tree.
#include "context.cuh"
#include "gemm_arguments.cuh"
#include "lane.cuh"

#include <minitrain/cuda/ops.hpp>

#include <algorithm>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::Lane;

/// y[M] = max(floor, x[M, K]·w[K] + bias), one half-warp a row; partial sum l has the inputs l, l + 16, ...
__global__ void __launch_bounds__(128) dots_kernel(const float* x, const float* w, const float* bias, float floor,
                                                   float* y, std::size_t M, std::size_t K) {
  const std::size_t row = (static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x) / 16;
  const unsigned lane = threadIdx.x % 16;
  Lane sum = Lane::zero();
  if (row < M) {
    for (std::size_t k = 0; k < K; k += 16) {
      const bool here = k + lane < K;
      const Lane a{here ? x[row * K + k + lane] : 0.0f}, b{here ? w[k + lane] : 0.0f};
      sum = fma(a, b, sum);
    }
  }
  for (int step = 8; step > 0; step /= 2) sum = sum + Lane{__shfl_xor_sync(cuda::all_lanes, sum.v, step)};
  if (row >= M || lane != 0) return;
  const Lane z = sum + Lane{bias != nullptr ? *bias : 0.0f};
  y[row] = z.v < floor ? floor : z.v;
}

/// c(i, j) = a(i)·b(j), or 0 where gate(i, j) is not positive.
__global__ void __launch_bounds__(256)
    outer_kernel(const float* a, const float* b, const float* gate, float* c, std::size_t M, std::size_t N) {
  const std::size_t count = M * N, step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    const Lane product = fma(Lane{a[i / N]}, Lane{b[i % N]}, Lane::zero());
    c[i] = gate == nullptr || gate[i] > 0.0f ? product.v : 0.0f;
  }
}

unsigned blocks_for(std::size_t count, std::size_t per_block) { return cuda::blocks_for(count, per_block, 0x7fffffff); }

}  // namespace

void dense_forward(const Cuda& device, cuda::Input x, cuda::Input w, cuda::Input b, const Activation& f,
                   cuda::Output y) {
  const std::size_t rows = y.rows(), in = w.rows(), out = w.columns();
  if (rows == 0) return;
  const bool relu = f.kind == ActivationKind::relu;
  if (out == 1) {
    cuda::launch(dots_kernel, dim3(blocks_for(rows, 8)), dim3(128), 0, device.context()->stream(), x.data(), w.data(),
                 b.empty() ? nullptr : b.data(), relu ? 0.0f : -MathConstants<float>::infinity, y.data(), rows, in);
  } else {
    cuda::gemm(device, cuda::Product::forward,
               {.M = rows,
                .N = out,
                .K = in,
                .a = x.data(),
                .lda = in,
                .b = w.data(),
                .ldb = out,
                .c = y.data(),
                .bias = b.data(),
                .start = b.empty() ? cuda::Start::zero : cuda::Start::bias,
                .epilogue = relu ? cuda::Epilogue::relu : cuda::Epilogue::none});
  }
  if (f.kind != ActivationKind::identity && !relu) activation_forward(device, f, y, y);
}

void dense_backward_input(const Cuda& device, cuda::Input dy, cuda::Input w, const Activation& f, cuda::Input x,
                          cuda::Output dx) {
  const std::size_t rows = dx.rows(), in = w.rows(), out = w.columns();
  if (rows == 0) return;
  const bool relu = f.kind == ActivationKind::relu;
  const float* const gate = relu ? x.data() : nullptr;
  if (out == 1) {
    cuda::launch(outer_kernel, dim3(blocks_for(rows * in, 256)), dim3(256), 0, device.context()->stream(), dy.data(),
                 w.data(), gate, dx.data(), rows, in);
  } else {
    cuda::gemm(device, cuda::Product::input,
               {.M = rows,
                .N = in,
                .K = out,
                .a = dy.data(),
                .lda = out,
                .b = w.data(),
                .ldb = out,
                .c = dx.data(),
                .gate = gate,
                .epilogue = relu ? cuda::Epilogue::gate : cuda::Epilogue::none});
  }
  if (f.kind != ActivationKind::identity && !relu) activation_backward(device, f, {}, x, dx, dx);
}

void dense_backward_weights(const Cuda& device, cuda::Input x, cuda::Input dy, cuda::Output dw, cuda::Output db,
                            bool add) {
  const std::size_t rows = x.rows(), in = dw.rows(), out = dw.columns();
  const cuda::GemmArguments g{.M = in,
                              .N = out,
                              .K = rows,
                              .a = x.data(),
                              .lda = in,
                              .b = dy.data(),
                              .ldb = out,
                              .c = dw.data(),
                              .start = add ? cuda::Start::add : cuda::Start::zero,
                              .column_sums = db.empty() ? nullptr : db.data()};
  if (out == 1) return cuda::gemm_fp32(device, cuda::Product::weights, g);
  cuda::gemm(device, cuda::Product::weights, g);
}

}  // namespace minitrain::inline MINITRAIN_ABI
