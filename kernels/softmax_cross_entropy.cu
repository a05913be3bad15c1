// softmax_cross_entropy.  loss Q·log s - Σ_c q_c·z'_c, dy_c = Q·exp(z'_c)/s - q_c; see cpu/softmax_cross_entropy.hpp.
// Bytes per element: 8, and 12 per row for its results, written and read again. FLOPs per element: about 25, and 20
// more where many classes need the exponential twice. Bound by memory; small batches by latency: the
// totals, which one thread adds in the order of the rows, and two launches where rows need more than one block.
//
// Up to 15 classes: a thread takes a row, all classes in order; 128 rows travel through shared memory, so that global
// memory sees neighbours. More classes: a half-warp takes a row (rows.cuh). Where the sums over a row run decides their
// bits, so the border is the CPU's.
#include "rows.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::Lane;

/// Logits [rows, classes] against labels [rows], and where the rows leave their results.
struct SoftmaxLossRows {
  const float* logits;
  const std::int32_t* labels;
  const float* class_weights;  // null: all 1
  float* dy;                   // null: no gradient wanted
  float* loss;
  float* weight;
  float* right;
  std::size_t rows, classes;
  SoftmaxFactors<float> factors;
  const float* spread_weight;  // null: the one in `factors`

  __device__ SoftmaxFactors<float> all_factors() const {
    SoftmaxFactors<float> f = factors;
    if (spread_weight != nullptr) f.spread_weight = *spread_weight;
    return f;
  }
  __device__ Lane weight_of(std::size_t c) const { return {class_weights == nullptr ? 1.0f : class_weights[c]}; }
};

/// One warp: spread·(w_0 + w_1 + ...), as the host computes it for the CPU.
template <class T>
__global__ void __launch_bounds__(32)
    spread_weight_kernel(T spread, const T* class_weights, std::size_t classes, T* out) {
  const T sum = cuda::add_in_order(
      T(0), classes, [&](std::size_t c) { return class_weights[c]; }, [](T weight) { return weight; });
  if (threadIdx.x == 0) *out = __fmul_rn(spread, sum);
}

/// Whether one of n outputs is NaN: their row is answered wrong, whatever its label. To be asked where the sum over the
/// row is NaN, as infinities make it too.
__device__ inline bool has_nan(const float* z, std::size_t n) {
  bool found = false;
  for (std::size_t c = 0; c < n; ++c) found = found || z[c] != z[c];
  return found;
}

// --- few classes ----------------------------------------------------------------------------------------------------

constexpr std::size_t few_classes = 15;     // as on the CPU
constexpr unsigned few_classes_rows = 128;  // of a block

/// The block's part of a matrix of `n` columns, to or from shared memory with rows of n | 1, which lie in different
/// banks. i·inverse >> 16 is i / n: exact below 65536 / n, and there are 128·n.
template <class Move>
__device__ inline void for_each_of_tile(unsigned rows, unsigned n, unsigned inverse, Move move) {
  for (unsigned i = threadIdx.x; i < rows * n; i += few_classes_rows) move(i, i + (n % 2 == 0 ? i * inverse >> 16 : 0));
}

/// One row: its logits from `z`, its results, and the gradient to `z`.
__device__ inline void few_classes_row(const SoftmaxLossRows& a, std::size_t row, unsigned n, float* z) {
  const SoftmaxFactors<float> f = a.all_factors();
  const auto label = static_cast<std::size_t>(a.labels[row]);
  const Lane weight = a.weight_of(label);
  Lane m = Lane::set(-MathConstants<float>::infinity);
  std::size_t best = 0;
  for (unsigned c = 0; c < n; ++c) {
    const Lane candidate{z[c]};
    const bool better = greater(candidate, m);
    m = select(better, candidate, m);
    best = better ? c : best;
  }
  Lane sum = Lane::zero(), spread = Lane::zero(), label_logit = Lane::zero();
  for (unsigned c = 0; c < n; ++c) {
    const Lane shifted = Lane{z[c]} - m;
    const Lane e = exp(shifted);
    sum = sum + e;
    if (f.spread != 0.0f) spread = fma(a.weight_of(c), shifted, spread);
    label_logit = select(c == label, shifted, label_logit);
    z[c] = e.v;
  }
  Lane loss, scale;
  cuda::softmax_loss(f, weight, sum, label_logit, spread, loss, scale);
  a.loss[row] = loss.v;
  a.weight[row] = weight.v;
  a.right[row] = best == label && (equal(sum, sum) || !has_nan(a.logits + row * n, n)) ? 1.0f : 0.0f;
  if (a.dy == nullptr) return;
  for (unsigned c = 0; c < n; ++c) {
    const Lane d = cuda::softmax_gradient(f, Lane{z[c]}, scale, a.weight_of(c));
    z[c] = c == label ? cuda::softmax_label_gradient(f, d, weight).v : d.v;
  }
}

__global__ void __launch_bounds__(few_classes_rows)
    few_classes_kernel(const SoftmaxLossRows a, unsigned inverse, const cuda::RowResults results, double* totals) {
  MINITRAIN_SHARED(float, tile, [few_classes_rows * few_classes]);
  const auto n = static_cast<unsigned>(a.classes);
  for (std::size_t first = static_cast<std::size_t>(blockIdx.x) * few_classes_rows; first < a.rows;
       first += cuda::threads_of_grid()) {
    const std::size_t left = a.rows - first;
    const unsigned rows = left < few_classes_rows ? static_cast<unsigned>(left) : few_classes_rows;
    const float* const logits = a.logits + first * n;
    for_each_of_tile(rows, n, inverse, [&](unsigned i, unsigned at) { tile[at] = logits[i]; });
    __syncthreads();
    if (threadIdx.x < rows) few_classes_row(a, first + threadIdx.x, n, tile + threadIdx.x * (n | 1u));
    __syncthreads();
    if (a.dy != nullptr) {
      float* const dy = a.dy + first * n;
      for_each_of_tile(rows, n, inverse, [&](unsigned i, unsigned at) { dy[i] = tile[at]; });
      __syncthreads();  // before the tile is filled again
    }
  }
  cuda::add_results_of_one_block(results, totals);
}

// --- many classes ---------------------------------------------------------------------------------------------------

/// The largest of the row. NaN may be passed over.
__device__ inline Lane largest_logit(const float* z, std::size_t n) {
  const Lane first = cuda::load_or_zero(z, 0, n);
  Lane m = first;
#pragma unroll 4
  for (std::size_t j = cuda::row_lane(); j < n; j += 16) m = max(Lane{z[j]}, m);
  return cuda::row_largest(m);
}

/// Whether the label's logit is the largest, and the first such.
__device__ inline bool label_wins(const float* z, std::size_t n, std::size_t label, Lane largest) {
  bool earlier = false;
  if (n > 0) {
    for (std::size_t j = cuda::row_lane(); j < label; j += 16) earlier = earlier || equal(Lane{z[j]}, largest);
  }
  return !cuda::row_any(earlier) && n > 0 && equal(Lane{z[label]}, largest);
}

__device__ inline void many_classes_row(const SoftmaxLossRows& a, const SoftmaxFactors<float>& f, std::size_t row,
                                        std::size_t n) {
  const unsigned lane = cuda::row_lane();
  const float* const z = a.logits + row * a.classes;
  const std::size_t label = n > 0 ? static_cast<std::size_t>(a.labels[row]) : 0;
  const Lane largest = largest_logit(z, n), weight = a.weight_of(label);
  const bool right = label_wins(z, n, label, largest);
  Lane sum = Lane::zero(), spread = Lane::zero();
#pragma unroll 2
  for (std::size_t j = lane; j < n; j += 16) {
    const Lane shifted = Lane{z[j]} - largest;
    sum = sum + exp(shifted);
    if (f.spread != 0.0f) spread = fma(a.weight_of(j), shifted, spread);
  }
  sum = cuda::row_sum(sum);
  if (f.spread != 0.0f) spread = cuda::row_sum(spread);
  if (n == 0) return;
  Lane loss, scale;
  cuda::softmax_loss(f, weight, sum, Lane{z[label]} - largest, spread, loss, scale);
  if (lane == 0) {
    a.loss[row] = loss.v;
    a.weight[row] = weight.v;
    a.right[row] = right && (equal(sum, sum) || !has_nan(z, n)) ? 1.0f : 0.0f;
  }
  if (a.dy == nullptr) return;
  float* const dy = a.dy + row * n;
#pragma unroll 2
  for (std::size_t j = lane; j < n; j += 16) {
    const Lane d = cuda::softmax_gradient(f, exp(Lane{z[j]} - largest), scale, a.weight_of(j));
    dy[j] = j == label ? cuda::softmax_label_gradient(f, d, weight).v : d.v;
  }
}

__global__ void __launch_bounds__(cuda::row_threads)
    many_classes_kernel(const SoftmaxLossRows a, const cuda::RowResults results, double* totals) {
  const SoftmaxFactors<float> f = a.all_factors();
  cuda::for_each_row(a.rows, a.classes, [&](std::size_t row, std::size_t n) { many_classes_row(a, f, row, n); });
  cuda::add_results_of_one_block(results, totals);
}

}  // namespace

void softmax_cross_entropy(const Cuda& device, double label_smoothing, const LossArguments<float, Cuda>& a) {
  const std::size_t rows = a.y.rows(), classes = a.y.columns();
  if (rows == 0) return;
  const cuda::Stream stream = device.context()->stream();
  float* const results = device.context()->scratch<float>(2, 3 * rows + 1);
  const float* const class_weights = a.class_weights.empty() ? nullptr : a.class_weights.data();
  const SoftmaxFactors<float> factors(label_smoothing, classes, static_cast<float>(static_cast<double>(classes)));
  float* spread_weight = nullptr;
  if (class_weights != nullptr && label_smoothing > 0) {
    spread_weight = results + 3 * rows;
    cuda::launch(spread_weight_kernel<float>, dim3(1), dim3(32), 0, stream, factors.spread, class_weights, classes,
                 spread_weight);
  }
  const SoftmaxLossRows work{a.y.data(), a.labels.data(), class_weights,      a.dy.empty() ? nullptr : a.dy.data(),
                             results,    results + rows,  results + 2 * rows, rows,
                             classes,    factors,         spread_weight};
  const cuda::RowResults written{work.loss, work.weight, work.right, rows, 1.0};
  double* const totals = a.totals.data();
  const bool few = classes <= few_classes;
  const dim3 blocks = few ? cuda::striding_blocks(device, rows, few_classes_rows) : cuda::row_blocks(device, rows);
  if (few) {
    const unsigned inverse = classes == 0 ? 0 : 65536u / static_cast<unsigned>(classes) + 1;
    cuda::launch(few_classes_kernel, blocks, dim3(few_classes_rows), 0, stream, work, inverse, written, totals);
  } else {
    cuda::launch(many_classes_kernel, blocks, dim3(cuda::row_threads), 0, stream, work, written, totals);
  }
  cuda::add_results(device, blocks, written, totals);
}

}  // namespace minitrain::inline MINITRAIN_ABI
