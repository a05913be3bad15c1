// lamb_update, lars_update, adafactor_update: steps of a tensor that depend on norms of all of it; see
// core/tensor_rules.hpp. Bytes per element: LAMB 28 for the moments, 16 for the norms and 20 for the step; LARS 8 and
// 20; Adafactor 8 for the means, 8 for the norms and 12 for the step. FLOPs per element: about 50, half of them in
// double for the norms. Bound by memory for large tensors, by latency for small ones: five launches for a tensor of
// LAMB, four of LARS, eight of Adafactor.
//
// Sums have the order of core/gradient_norm.hpp (a warp to a chunk of 4,096 elements, or to a row) and of
// ColumnSquares. The rate that follows from them stays on the GPU.
#include "optimizer.cuh"
#include "sums.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::Lane;
using cuda::QueuedScale;

constexpr unsigned tensor_threads = 128;  // of a block: four warps

// --- directions -----------------------------------------------------------------------------------------------------

__device__ inline float element_of(const LambDirection<float>& d, std::size_t i) {
  return cuda::lamb_direction(d, Lane{d.p[i]}, Lane{d.m[i]}, Lane{d.v[i]}).v;
}
__device__ inline float element_of(const FactoredDirection<float>& d, std::size_t i) {
  const std::size_t row = i / d.columns;
  return cuda::factored_direction(d.scale, Lane{d.g[i]}, Lane{d.row_factors[row]},
                                  Lane{d.column_factors[i - row * d.columns]})
      .v;
}
__device__ inline float element_of(const VectorDirection<float>& d, std::size_t i) {
  return cuda::vector_direction(d.scale, Lane{d.g[i]}, Lane{d.v[i]}).v;
}
__device__ inline float element_of(const GradientDirection<float>& d, std::size_t i) { return d.g[i]; }

/// sums[chunk] = Σ p², sums[chunks + chunk] = Σ u²
template <class Direction>
__global__ void __launch_bounds__(tensor_threads)
    direction_squares_kernel(Direction d, const QueuedScale queued, const float* p, std::size_t count,
                             std::size_t chunks, double* sums) {
  if (queued.leaves_all()) return;
  queued.apply(d);
  const std::size_t step = cuda::threads_of_grid() / 32;
  for (std::size_t chunk = cuda::thread_of_grid() / 32; chunk < chunks; chunk += step) {
    const std::size_t begin = chunk * SumOfSquaresOrder::chunk, left = count - begin;
    const std::size_t size = left < SumOfSquaresOrder::chunk ? left : SumOfSquaresOrder::chunk;
    const double pp = cuda::add_terms<8>(
        size, [=](std::size_t i) { return p[begin + i]; }, cuda::AddSquare{});
    const double uu = cuda::add_terms<8>(
        size, [=](std::size_t i) { return element_of(d, begin + i); }, cuda::AddSquare{});
    if (threadIdx.x % 32 == 0) {
      sums[chunk] = pp;
      sums[chunks + chunk] = uu;
    }
  }
}

template <class Rate>
__global__ void __launch_bounds__(32) direction_rate_kernel(const Rate r, const QueuedScale queued, double scale,
                                                            const double* sums, std::size_t chunks, double* rate) {
  if (queued.leaves_all()) return;
  const double pp = cuda::add_terms<8>(
      chunks, [=](std::size_t i) { return sums[i]; }, cuda::AddTerm{});
  const double uu = cuda::add_terms<8>(
      chunks, [=](std::size_t i) { return sums[chunks + i]; }, cuda::AddTerm{});
  if (threadIdx.x == 0) *rate = cuda::rate_of(r, pp, uu, queued.scale_or(scale));
}

/// `rate`: null, or what the kernel above has found.
template <class Direction, bool Moves>
__global__ void __launch_bounds__(cuda::quad_threads)
    along_kernel(Direction d, AlongFactors<float> f, const QueuedScale queued, const double* rate, std::size_t count,
                 float* parameters, float* moments) {
  if (queued.leaves_all()) return;
  queued.apply(d);
  if (rate != nullptr) f.rate = static_cast<float>(*rate);
  const std::size_t step = cuda::threads_of_grid();
  for (std::size_t i = cuda::thread_of_grid(); i < count; i += step) {
    Lane p{parameters[i]}, m{0.0f};
    if constexpr (Moves) m = Lane{moments[i]};
    cuda::along_element<Moves>(f, p, Lane{element_of(d, i)}, m);
    parameters[i] = p.v;
    if constexpr (Moves) moments[i] = m.v;
  }
}

// --- the means of Adafactor -----------------------------------------------------------------------------------------

/// What both kinds of means are moved on by.
struct MeansArguments {
  const float* g;
  std::size_t rows, columns;
  double blend, scale, epsilon;
};

__global__ void __launch_bounds__(tensor_threads)
    row_means_kernel(const MeansArguments a, const QueuedScale queued, float* means) {
  if (queued.leaves_all()) return;
  const std::size_t step = cuda::threads_of_grid() / 32;
  for (std::size_t row = cuda::thread_of_grid() / 32; row < a.rows; row += step) {
    const float* const g = a.g + row * a.columns;
    const double sum = cuda::add_terms<8>(
        a.columns, [=](std::size_t j) { return g[j]; }, cuda::AddSquare{});
    if (threadIdx.x % 32 != 0) continue;
    means[row] =
        static_cast<float>(cuda::blended_square(static_cast<double>(means[row]), a.blend, sum, queued.scale_or(a.scale),
                                                static_cast<double>(a.columns), a.epsilon));
  }
}

__global__ void __launch_bounds__(32)
    row_factors_kernel(const QueuedScale queued, const float* means, std::size_t rows, float* factors) {
  if (queued.leaves_all()) return;
  const double sum = cuda::add_terms<8>(
      rows, [=](std::size_t i) { return means[i]; }, cuda::AddTerm{});
  const double mean = __ddiv_rn(sum, static_cast<double>(rows));
  for (std::size_t i = threadIdx.x; i < rows; i += 32) {
    factors[i] = static_cast<float>(__dsqrt_rn(__ddiv_rn(mean, static_cast<double>(means[i]))));
  }
}

/// sums[chunk, column] over the rows of the chunk
__global__ void __launch_bounds__(tensor_threads)
    column_squares_kernel(const MeansArguments a, const QueuedScale queued, std::size_t chunks, double* sums) {
  if (queued.leaves_all()) return;
  const std::size_t step = cuda::threads_of_grid(), count = chunks * a.columns;
  for (std::size_t k = cuda::thread_of_grid(); k < count; k += step) {
    const std::size_t chunk = k / a.columns, first = chunk * ColumnSquares::chunk, left = a.rows - first;
    const float* g = a.g + first * a.columns + (k - chunk * a.columns);
    double sum = 0.0;
#pragma unroll 8
    for (std::size_t i = left < ColumnSquares::chunk ? left : ColumnSquares::chunk; i > 0; --i, g += a.columns) {
      const double term = static_cast<double>(*g);
      sum = __fma_rn(term, term, sum);
    }
    sums[k] = sum;
  }
}

__global__ void __launch_bounds__(tensor_threads)
    column_means_kernel(const MeansArguments a, const QueuedScale queued, std::size_t chunks, const double* sums,
                        float* means, float* factors) {
  if (queued.leaves_all()) return;
  const std::size_t step = cuda::threads_of_grid();
  for (std::size_t j = cuda::thread_of_grid(); j < a.columns; j += step) {
    double sum = 0.0;
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) sum = __dadd_rn(sum, sums[chunk * a.columns + j]);
    const double square = cuda::blended_square(static_cast<double>(means[j]), a.blend, sum, queued.scale_or(a.scale),
                                               static_cast<double>(a.rows), a.epsilon);
    means[j] = static_cast<float>(square);
    factors[j] = static_cast<float>(__ddiv_rn(1.0, __dsqrt_rn(square)));
  }
}

// --- launches -------------------------------------------------------------------------------------------------------

/// Working memory of one tensor: sums of chunks, the rate, sums of columns, and factors of rows and columns.
struct Workspace {
  double *sums, *rate, *column_sums;
  float *row_factors, *column_factors;

  Workspace(const Cuda& device, const ParameterTensor& t, bool factored) {
    const std::size_t pairs = 2 * SumOfSquaresOrder::chunks(t.size());
    const std::size_t partial = factored ? ColumnSquares::chunks(t.rows) * t.columns : 0;
    const std::size_t floats = factored ? t.rows + t.columns : 0;
    sums = device.context()->scratch<double>(3, pairs + 1 + partial + (floats + 1) / 2);
    rate = sums + pairs;
    column_sums = rate + 1;
    row_factors = reinterpret_cast<float*>(column_sums + partial);
    column_factors = row_factors + t.rows;
  }
};

/// Finds the rate from norms of p and the direction, and leaves it on the GPU.
template <class Direction, class Rate>
const double* find_rate(const Cuda& device, const Workspace& w, const Direction& d, const Rate& r,
                        const UpdateStep<float, Cuda>& s, const float* p, std::size_t count) {
  const std::size_t chunks = SumOfSquaresOrder::chunks(count);
  const QueuedScale queued{s.queued_scale.data()};
  cuda::launch(direction_squares_kernel<Direction>, cuda::striding_blocks(device, chunks, tensor_threads / 32),
               dim3(tensor_threads), 0, device.context()->stream(), d, queued, p, count, chunks, w.sums);
  cuda::launch(direction_rate_kernel<Rate>, dim3(1), dim3(32), 0, device.context()->stream(), r, queued,
               s.gradient_scale, w.sums, chunks, w.rate);
  return w.rate;
}

template <class Direction>
void run_along(const Cuda& device, const Direction& d, const AlongFactors<float>& f, const UpdateStep<float, Cuda>& s,
               const double* rate, std::size_t count, float* p, float* m) {
  cuda::launch(m != nullptr ? along_kernel<Direction, true> : along_kernel<Direction, false>,
               cuda::striding_blocks(device, count, cuda::quad_threads), dim3(cuda::quad_threads), 0,
               device.context()->stream(), d, f, QueuedScale{s.queued_scale.data()}, rate, count, p, m);
}

void move_means(const Cuda& device, const Workspace& w, const MeansArguments& a, const UpdateStep<float, Cuda>& s,
                float* row_means, float* column_means) {
  const QueuedScale queued{s.queued_scale.data()};
  const std::size_t chunks = ColumnSquares::chunks(a.rows);
  const auto stream = device.context()->stream();
  cuda::launch(row_means_kernel, cuda::striding_blocks(device, a.rows, tensor_threads / 32), dim3(tensor_threads), 0,
               stream, a, queued, row_means);
  cuda::launch(row_factors_kernel, dim3(1), dim3(32), 0, stream, queued, row_means, a.rows, w.row_factors);
  cuda::launch(column_squares_kernel, cuda::striding_blocks(device, chunks * a.columns, tensor_threads),
               dim3(tensor_threads), 0, stream, a, queued, chunks, w.column_sums);
  cuda::launch(column_means_kernel, cuda::striding_blocks(device, a.columns, tensor_threads), dim3(tensor_threads), 0,
               stream, a, queued, chunks, w.column_sums, column_means, w.column_factors);
}

}  // namespace

void lamb_update(const Cuda& device, const LambRule& rule, const UpdateStep<float, Cuda>& step) {
  if (step.parameters.empty()) return;
  cuda::run_form(device, LambMomentsForm{}, lamb_factors<float>(rule, step.gradient_scale), step);
  for_each_tensor(step, [&](const ParameterTensor& t) {
    float* const p = step.parameters.data() + t.offset;
    const auto d = lamb_direction<float>(rule, t, step.step, p, step.moments[0].data() + t.offset,
                                         step.moments[1].data() + t.offset);
    const double usual = step.learning_rate * t.learning_rate_factor;
    const double* rate = nullptr;
    if (rule.adapts_vectors || !t.is_vector()) {
      rate = find_rate(device, Workspace(device, t, false), d, LambRate{usual}, step, p, t.size());
    }
    run_along(device, d, lamb_along<float>(usual), step, rate, t.size(), p, nullptr);
  });
}

void lars_update(const Cuda& device, const LarsRule& rule, const UpdateStep<float, Cuda>& step) {
  for_each_tensor(step, [&](const ParameterTensor& t) {
    float* const p = step.parameters.data() + t.offset;
    const float* const g = step.gradient_sums.data() + t.offset;
    const double usual = step.learning_rate * t.learning_rate_factor;
    const double* rate = nullptr;
    if (rule.adapts_vectors || !t.is_vector()) {
      const LarsRate r{usual, rule.trust, rule.epsilon, t.decay_of(rule.weight_decay)};
      rate = find_rate(device, Workspace(device, t, false), GradientDirection<float>{g}, r, step, p, t.size());
    }
    const auto f = lars_factors<float>(rule, t, usual, step.gradient_scale);
    const auto run = [&](auto form) {
      MomentPointers<float> moments{};
      if constexpr (decltype(form)::moments > 0) moments.slab[0] = step.moments[0].data() + t.offset;
      cuda::run_form(device, form, f, QueuedScale{step.queued_scale.data()}, rate, t.size(), p, g, moments);
    };
    if (rule.momentum == 0) return run(LarsForm<Momentum::none>{});
    if (rule.nesterov) return run(LarsForm<Momentum::nesterov>{});
    run(LarsForm<Momentum::classic>{});
  });
}

void adafactor_update(const Cuda& device, const AdafactorRule& rule, const UpdateStep<float, Cuda>& step) {
  AdafactorPlace place;
  const auto scale = static_cast<float>(step.gradient_scale);
  for_each_tensor(step, [&](const ParameterTensor& t) {
    float* const p = step.parameters.data() + t.offset;
    const float* const g = step.gradient_sums.data() + t.offset;
    float* const m = rule.beta1 > 0 ? step.moments[3].data() + t.offset : nullptr;
    const Workspace w(device, t, !t.is_vector());
    const auto go = [&](const auto& direction) {
      const double* const rate = find_rate(device, w, direction, adafactor_rate(rule, t), step, p, t.size());
      run_along(device, direction, adafactor_along<float>(rule, t, step.learning_rate, 0), step, rate, t.size(), p, m);
    };
    if (t.is_vector()) {
      float* const v = step.moments[2].data() + place.vector;
      const AdafactorVectorFactors<float> f{static_cast<float>(rule.blend), static_cast<float>(rule.epsilon1), scale};
      cuda::run_form(device, AdafactorVectorForm{}, f, QueuedScale{step.queued_scale.data()}, nullptr, t.size(), p, g,
                     MomentPointers<float>{{v}});
      go(VectorDirection<float>{g, v, scale});
    } else {
      move_means(device, w, {g, t.rows, t.columns, rule.blend, step.gradient_scale, rule.epsilon1}, step,
                 step.moments[0].data() + place.row, step.moments[1].data() + place.column);
      go(FactoredDirection<float>{g, w.row_factors, w.column_factors, t.columns, scale});
    }
    place.pass(t);
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI
