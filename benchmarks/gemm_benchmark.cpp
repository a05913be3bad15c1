// The matrix product alone, on one thread unless the name ends in the number of threads. FLOPS are floating-point
// operations per second, two for each product.

#include <minitrain/cpu/dense.hpp>

#include <benchmark/benchmark.h>

namespace mt = minitrain;

namespace {

struct Operands {
  Operands(const benchmark::State& state)
      : M(static_cast<std::size_t>(state.range(0))),
        N(static_cast<std::size_t>(state.range(1))),
        K(static_cast<std::size_t>(state.range(2))),
        a({M * K}),
        b({K * N}),
        c({M * N}) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(37 * i % 101) / 64 - 0.75f;
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(53 * i % 103) / 64 - 0.75f;
  }
  void report(benchmark::State& state) const {
    state.counters["FLOPS"] = benchmark::Counter(2.0 * static_cast<double>(M) * static_cast<double>(N) *
                                                     static_cast<double>(K) * static_cast<double>(state.iterations()),
                                                 benchmark::Counter::kIsRate);
  }
  std::size_t M, N, K;
  mt::Tensor<float> a, b, c;
};

void run(benchmark::State& state, Operands& o, mt::GemmProblem<float> p, const mt::CpuOptions& options) {
  const mt::cpu::FlushDenormals flush;
  const mt::Cpu device(options);
  p.M = o.M, p.N = o.N, p.K = o.K;
  p.a = o.a.data(), p.b = o.b.data(), p.c = o.c.data();
  p.c_row = o.N;
  for (auto _ : state) {
    gemm(device, p);
    benchmark::DoNotOptimize(o.c.data());
    benchmark::ClobberMemory();
  }
  o.report(state);
}

/// C = A·B, the forward pass: A is x, B is W.
void forward(benchmark::State& state, const mt::CpuOptions& options) {
  Operands o(state);
  run(state, o, {.a_row = o.K, .a_column = 1, .b_row = o.N, .b_column = 1}, options);
}

/// C = A·Bᵀ, the gradient by the input: A is dy, B is W.
void input_gradient(benchmark::State& state, const mt::CpuOptions& options) {
  Operands o(state);
  run(state, o, {.a_row = o.K, .a_column = 1, .b_row = 1, .b_column = o.K}, options);
}

/// C += Aᵀ·B, the gradient by the weights: A is x, B is dy.
void weight_gradient(benchmark::State& state, const mt::CpuOptions& options) {
  Operands o(state);
  run(state, o, {.a_row = 1, .a_column = o.M, .b_row = o.N, .b_column = 1, .start = mt::GemmStart::add}, options);
}

/// A layer with one output: y[M] = x[M, K]·w[K].
void one_output(benchmark::State& state) {
  Operands o(state);
  const mt::cpu::FlushDenormals flush;
  const mt::Cpu device({.threads = 1});
  const mt::View<const float> x(o.a.data(), {o.M, o.K}), w(o.b.data(), {o.K, 1}), none;
  const mt::View<float> y(o.c.data(), {o.M, 1});
  for (auto _ : state) {
    dense_forward(device, x, w, none, {}, y);
    benchmark::DoNotOptimize(o.c.data());
    benchmark::ClobberMemory();
  }
  o.report(state);
}

constexpr mt::CpuOptions one{.threads = 1}, two{.threads = 2}, avx2{.threads = 1, .isa = mt::Isa::avx2};

// M, N, K of the layers of the workloads: 10-64-1 and 100-16-2 and 784-128-10 by batches, 1024-4096-4096-1024 by 256.
void forward_shapes(benchmark::internal::Benchmark* b) {
  for (const auto& shape : {std::array{32, 64, 10},
                            {512, 64, 10},
                            {32, 16, 100},
                            {32, 128, 784},
                            {1024, 128, 784},
                            {32, 10, 128},
                            {64, 64, 64},
                            {256, 256, 256},
                            {1024, 1024, 1024},
                            {256, 4096, 4096}}) {
    b->Args({shape[0], shape[1], shape[2]});
  }
}
void input_gradient_shapes(benchmark::internal::Benchmark* b) {
  for (const auto& shape :
       {std::array{32, 128, 10}, {1024, 128, 10}, {64, 64, 64}, {1024, 1024, 1024}, {256, 4096, 4096}}) {
    b->Args({shape[0], shape[1], shape[2]});
  }
}
void weight_gradient_shapes(benchmark::internal::Benchmark* b) {
  for (const auto& shape : {std::array{10, 64, 32},
                            {100, 16, 32},
                            {784, 128, 32},
                            {784, 128, 1024},
                            {128, 10, 32},
                            {1024, 1024, 1024},
                            {4096, 4096, 256}}) {
    b->Args({shape[0], shape[1], shape[2]});
  }
}

}  // namespace

BENCHMARK_CAPTURE(forward, 1, one)->Apply(forward_shapes);
BENCHMARK_CAPTURE(input_gradient, 1, one)->Apply(input_gradient_shapes);
BENCHMARK_CAPTURE(weight_gradient, 1, one)->Apply(weight_gradient_shapes);
BENCHMARK(one_output)->Args({32, 1, 64})->Args({512, 1, 10});
BENCHMARK_CAPTURE(forward, 2, two)->Args({1024, 1024, 1024})->Args({256, 4096, 4096})->UseRealTime();
BENCHMARK_CAPTURE(forward, avx2, avx2)->Args({32, 64, 10})->Args({256, 256, 256})->Args({1024, 1024, 1024});
