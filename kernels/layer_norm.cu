// layer_norm.  Forward y = x̂·gain + shift with x̂ = (x - mean)·rstd, backward dx = rstd·(g - mean(g) - x̂·mean(g·x̂))
// with g = dy·gain, along each row; dgain += Σ dy·x̂, dshift += Σ dy over the samples, in their order.
// Bytes per element: 8 forward, 12 backward and 8 more for dgain and dshift; gain, shift and later passes over a row
// come from the caches. FLOPs per element: 8, 12 and 5.
// Bound by memory for wide layers. Of narrow ones, dgain and dshift are bound by latency: a chain of one fused
// multiply-add per sample.
//
// A half-warp takes a row (rows.cuh). For dgain and dshift a block takes 32 columns: all its warps bring 128 rows into
// shared memory, while one warp continues the chains of dgain over the rows before, and another those of dshift.
#include "rows.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::Lane;
using NormRow = cuda::LayerNormRow<Lane>;

/// x [rows, columns] with its gain, the mean and rstd of each row.
struct NormRows {
  const float* x;
  const float* gain;
  std::size_t rows, columns;

  __device__ static NormRow row(const float* mean_rstd, std::size_t i) {
    return {Lane{mean_rstd[2 * i]}, Lane{mean_rstd[2 * i + 1]}};
  }
};

__global__ void __launch_bounds__(cuda::row_threads)
    layer_norm_kernel(const NormRows a, const float* shift, float* y, float* mean_rstd, float epsilon, float divisor) {
  const unsigned lane = cuda::row_lane();
  cuda::for_each_row(a.rows, a.columns, [&](std::size_t i, std::size_t n) {
    const float* const x = a.x + i * a.columns;
    float* const out = y + i * a.columns;
    Lane sum = Lane::zero();
#pragma unroll 4
    for (std::size_t c = 0; c < n; c += 16) sum = sum + cuda::load_or_zero(x, c + lane, n);
    const Lane mean = cuda::row_sum(sum) / Lane{divisor};
    Lane squares = Lane::zero();
#pragma unroll 4
    for (std::size_t c = 0; c < n; c += 16) {
      const Lane d{c + lane < n ? (Lane{x[c + lane]} - mean).v : 0.0f};
      squares = fma(d, d, squares);
    }
    const Lane variance = cuda::row_sum(squares) / Lane{divisor};
    const NormRow row{mean, Lane::set(1.0f) / sqrt(variance + Lane{epsilon})};
    if (i < a.rows && lane == 0) {
      mean_rstd[2 * i] = row.mean.v;
      mean_rstd[2 * i + 1] = row.rstd.v;
    }
#pragma unroll 4
    for (std::size_t j = lane; j < n; j += 16) out[j] = row.output(Lane{x[j]}, Lane{a.gain[j]}, Lane{shift[j]}).v;
  });
}

__global__ void __launch_bounds__(cuda::row_threads)
    layer_norm_gradient_kernel(const NormRows a, const float* mean_rstd, const float* dy, float* dx, float divisor) {
  const unsigned lane = cuda::row_lane();
  cuda::for_each_row(a.rows, a.columns, [&](std::size_t i, std::size_t n) {
    const float* const x = a.x + i * a.columns;
    const float* const d = dy + i * a.columns;
    float* const out = dx + i * a.columns;
    const NormRow row = i < a.rows ? NormRows::row(mean_rstd, i) : NormRow{Lane::zero(), Lane::zero()};
    Lane sum = Lane::zero(), product = Lane::zero();
#pragma unroll 2
    for (std::size_t c = 0; c < n; c += 16) {
      const std::size_t j = c + lane;
      const Lane g = cuda::load_or_zero(d, j, n), gain = cuda::load_or_zero(a.gain, j, n);
      sum = fma(g, gain, sum);
      product = fma(g * gain, row.normal(cuda::load_or_zero(x, j, n)), product);
    }
    const Lane minus_mean = Lane::zero() - cuda::row_sum(sum) / Lane{divisor};
    const Lane slope = cuda::row_sum(product) / Lane{divisor};
#pragma unroll 2
    for (std::size_t j = lane; j < n; j += 16) {
      out[j] = row.gradient(Lane{x[j]}, Lane{d[j]}, Lane{a.gain[j]}, minus_mean, slope).v;
    }
  });
}

// --- sums over the samples ------------------------------------------------------------------------------------------

constexpr unsigned sums_columns = 32, sums_warps = 8, sums_rows = 128;  // of a block; one column a lane
constexpr unsigned sums_loads = sums_rows / sums_warps;                 // of a thread, for a tile

struct NormTerm {
  Lane gradient, normal;
};

/// What a thread brings for one tile: dy and x of every eighth row, which become dy and x̂ in shared memory. Until then
/// nothing is computed from them, so that nobody waits for them sooner.
struct NormTerms {
  float dy[sums_loads], x[sums_loads], mean[sums_loads], rstd[sums_loads];

  __device__ void load(const NormRows& a, const float* mean_rstd, const float* gradient, std::size_t first,
                       std::size_t column) {
#pragma unroll
    for (unsigned k = 0; k < sums_loads; ++k) {
      const std::size_t i = first + threadIdx.y + k * sums_warps;
      const bool here = i < a.rows && column < a.columns;
      dy[k] = here ? gradient[i * a.columns + column] : 0.0f;
      x[k] = here ? a.x[i * a.columns + column] : 0.0f;
      mean[k] = here ? mean_rstd[2 * i] : 0.0f;
      rstd[k] = here ? mean_rstd[2 * i + 1] : 0.0f;
    }
  }
  __device__ void store(float (*gradients)[sums_columns], float (*normals)[sums_columns]) const {
#pragma unroll
    for (unsigned k = 0; k < sums_loads; ++k) {
      gradients[threadIdx.y + k * sums_warps][threadIdx.x] = dy[k];
      normals[threadIdx.y + k * sums_warps][threadIdx.x] = NormRow{Lane{mean[k]}, Lane{rstd[k]}}.normal(Lane{x[k]}).v;
    }
  }
};

__global__ void __launch_bounds__(sums_columns* sums_warps)
    layer_norm_sums_kernel(const NormRows a, const float* mean_rstd, const float* dy, bool add, float* dgain,
                           float* dshift) {
  MINITRAIN_SHARED(float, gradients, [sums_rows][sums_columns]);
  MINITRAIN_SHARED(float, normals, [sums_rows][sums_columns]);
  const unsigned lane = threadIdx.x;
  const std::size_t column = static_cast<std::size_t>(blockIdx.x) * sums_columns + lane;
  const bool gains = threadIdx.y == 0, sums = threadIdx.y < 2 && column < a.columns;
  float* const out = gains ? dgain : dshift;
  Lane sum{sums && add ? out[column] : 0.0f};
  NormTerms terms;
  terms.load(a, mean_rstd, dy, 0, column);
  const auto take = [&](NormTerm& term, int k) { term = {Lane{gradients[k][lane]}, Lane{normals[k][lane]}}; };
  const auto add_term = [&](const NormTerm& term, int) {
    sum = gains ? fma(term.gradient, term.normal, sum) : sum + term.gradient;
  };
  for (std::size_t first = 0; first < a.rows; first += sums_rows) {
    terms.store(gradients, normals);
    __syncthreads();
    terms.load(a, mean_rstd, dy, first + sums_rows, column);
    const int rows = static_cast<int>(a.rows - first < sums_rows ? a.rows - first : sums_rows);
    if (sums && rows == static_cast<int>(sums_rows)) {
      cuda::pipelined<8, NormTerm>(rows, take, add_term);
    } else if (sums) {
      for (int k = 0; k < rows; ++k) {
        NormTerm term;
        take(term, k);
        add_term(term, k);
      }
    }
    __syncthreads();  // before the tile is filled again
  }
  if (sums) out[column] = sum.v;
}

}  // namespace

void layer_norm_forward(const Cuda& device, double epsilon, cuda::Input x, cuda::Input gain, cuda::Input shift,
                        cuda::Output y, cuda::Output mean_rstd) {
  const NormRows rows{x.data(), gain.data(), y.rows(), y.columns()};
  if (rows.rows == 0) return;
  cuda::launch(layer_norm_kernel, cuda::row_blocks(device, rows.rows), dim3(cuda::row_threads), 0,
               device.context()->stream(), rows, shift.data(), y.data(), mean_rstd.data(), static_cast<float>(epsilon),
               static_cast<float>(static_cast<double>(rows.columns)));
}

void layer_norm_backward(const Cuda& device, cuda::Input x, cuda::Input gain, cuda::Input mean_rstd, cuda::Input dy,
                         cuda::Output dx, cuda::Output dgain, cuda::Output dshift, bool add) {
  const NormRows rows{x.data(), gain.data(), x.rows(), gain.size()};
  if (rows.columns == 0) return;
  const cuda::Stream stream = device.context()->stream();
  cuda::launch(layer_norm_sums_kernel, dim3(cuda::blocks_for(rows.columns, sums_columns, 0x7fffffff)),
               dim3(sums_columns, sums_warps), 0, stream, rows, mean_rstd.data(), dy.data(), add, dgain.data(),
               dshift.data());
  if (dx.empty()) return;
  cuda::launch(layer_norm_gradient_kernel, cuda::row_blocks(device, rows.rows), dim3(cuda::row_threads), 0, stream,
               rows, mean_rstd.data(), dy.data(), dx.data(), static_cast<float>(static_cast<double>(rows.columns)));
}

}  // namespace minitrain::inline MINITRAIN_ABI
