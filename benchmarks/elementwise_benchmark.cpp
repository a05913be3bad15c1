// Activations, softmax, layer norm and dropout on rows x columns floats, one thread. Bytes are those read and written
// by one pass: x and y forward; dy, dx and what the derivative is computed from backward. The sizes: in the first-level
// cache, in the second, in memory. Arguments: rows, columns, instruction set (1: AVX2, 2: AVX-512).

#include <minitrain/core/random.hpp>
#include <minitrain/cpu/dropout.hpp>
#include <minitrain/cpu/elementwise.hpp>
#include <minitrain/cpu/layer_norm.hpp>
#include <minitrain/cpu/softmax.hpp>

#include <benchmark/benchmark.h>

namespace mt = minitrain;

namespace {

struct Arrays {
  mt::Shape shape;
  mt::Tensor<float> x, y, dy, dx, gain, shift, kept, dgain, dshift;

  explicit Arrays(const benchmark::State& state)
      : shape{static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1))},
        x(shape),
        y(shape),
        dy(shape),
        dx(shape),
        gain({shape[1]}),
        shift({shape[1]}),
        kept({shape[0], 2}),
        dgain({shape[1]}),
        dshift({shape[1]}) {
    const mt::Random random(1, mt::RandomPurpose::test);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<float>(8 * random.uniform(2 * i) - 4);
      dy[i] = static_cast<float>(random.uniform(2 * i + 1));
    }
    for (float& value : gain) value = 1;
  }
};

/// `arrays` counts those of [rows, columns] that one pass reads and writes.
template <class Operation>
void run(benchmark::State& state, int arrays, Operation operation) {
  const mt::cpu::FlushDenormals flush;
  const auto isa = static_cast<mt::Isa>(state.range(2));
  if (isa > mt::cpu::best_isa()) return state.SkipWithError("not on this processor");
  const mt::Cpu device({.threads = 1, .isa = isa});
  Arrays a(state);
  for (auto _ : state) {
    operation(device, a);
    benchmark::DoNotOptimize(a.y.data());
    benchmark::DoNotOptimize(a.dx.data());
    benchmark::ClobberMemory();
  }
  const auto elements = static_cast<std::int64_t>(a.x.size());
  state.SetItemsProcessed(state.iterations() * elements);
  state.SetBytesProcessed(state.iterations() * elements * arrays * static_cast<std::int64_t>(sizeof(float)));
}

mt::View<const float> in(const mt::Tensor<float>& t) { return t.view(); }

template <mt::ActivationKind Kind>
void forward(benchmark::State& state) {
  run(state, 2, [](const mt::Cpu& device, Arrays& a) { mt::activation_forward(device, {Kind}, in(a.x), a.y.view()); });
}
template <mt::ActivationKind Kind>
void backward(benchmark::State& state) {
  run(state, 3, [](const mt::Cpu& device, Arrays& a) {
    mt::activation_backward(device, {Kind}, in(a.x), in(a.x), in(a.dy), a.dx.view());
  });
}
void softmax(benchmark::State& state) {
  run(state, 2, [](const mt::Cpu& device, Arrays& a) { mt::softmax_forward(device, in(a.x), a.y.view()); });
}
void softmax_backward(benchmark::State& state) {
  run(state, 3, [](const mt::Cpu& device, Arrays& a) { mt::softmax_backward(device, in(a.x), in(a.dy), a.dx.view()); });
}
void layer_norm(benchmark::State& state) {
  run(state, 2, [](const mt::Cpu& device, Arrays& a) {
    mt::layer_norm_forward(device, 1e-5, in(a.x), in(a.gain), in(a.shift), a.y.view(), a.kept.view());
  });
}
void layer_norm_backward(benchmark::State& state) {
  run(state, 3, [](const mt::Cpu& device, Arrays& a) {
    mt::layer_norm_backward(device, in(a.x), in(a.gain), in(a.kept), in(a.dy), a.dx.view(), a.dgain.view(),
                            a.dshift.view(), true);
  });
}
void dropout(benchmark::State& state) {
  run(state, 2, [](const mt::Cpu& device, Arrays& a) {
    mt::dropout_forward(device, {.seed = 1, .layer = 2, .step = 3}, 0.5, in(a.x), a.y.view());
  });
}

void sizes(benchmark::internal::Benchmark* b) {
  for (const int isa : {1, 2}) {
    for (const int rows : {32, 1024, 131072}) b->Args({rows, 64, isa});
  }
}
void row_sizes(benchmark::internal::Benchmark* b) {
  for (const int isa : {1, 2}) {
    b->Args({512, 10, isa})->Args({32, 64, isa})->Args({128, 257, isa})->Args({1024, 1024, isa});
  }
}

}  // namespace

BENCHMARK(forward<mt::ActivationKind::relu>)->Apply(sizes);
BENCHMARK(forward<mt::ActivationKind::leaky_relu>)->Apply(sizes);
BENCHMARK(forward<mt::ActivationKind::tanh>)->Apply(sizes);
BENCHMARK(forward<mt::ActivationKind::sigmoid>)->Apply(sizes);
BENCHMARK(forward<mt::ActivationKind::gelu>)->Apply(sizes);
BENCHMARK(forward<mt::ActivationKind::silu>)->Apply(sizes);
BENCHMARK(backward<mt::ActivationKind::relu>)->Apply(sizes);
BENCHMARK(backward<mt::ActivationKind::leaky_relu>)->Apply(sizes);
BENCHMARK(backward<mt::ActivationKind::tanh>)->Apply(sizes);
BENCHMARK(backward<mt::ActivationKind::sigmoid>)->Apply(sizes);
BENCHMARK(backward<mt::ActivationKind::gelu>)->Apply(sizes);
BENCHMARK(backward<mt::ActivationKind::silu>)->Apply(sizes);
BENCHMARK(softmax)->Apply(row_sizes);
BENCHMARK(softmax_backward)->Apply(row_sizes);
BENCHMARK(layer_norm)->Apply(row_sizes);
BENCHMARK(layer_norm_backward)->Apply(row_sizes);
BENCHMARK(dropout)->Apply(row_sizes);
