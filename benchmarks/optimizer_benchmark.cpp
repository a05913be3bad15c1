// One optimizer step over a slab of parameters. Bytes are those that must move: SGD reads p and g and writes p; with
// momentum also b; Adam also m and v.

#include <minitrain/cpu/optimizer.hpp>
#include <minitrain/optim/adamw.hpp>
#include <minitrain/optim/sgd.hpp>

#include <benchmark/benchmark.h>

#include <vector>

namespace mt = minitrain;

namespace {

template <class O>
void step(benchmark::State& state, const O& optimizer) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const mt::cpu::FlushDenormals flush;
  const mt::Cpu device{{.threads = 1}};
  mt::Tensor<float> p({count}), g({count}), m({count}), v({count});
  for (std::size_t i = 0; i < count; ++i) g[i] = static_cast<float>(i % 17) - 8;
  const std::vector<mt::View<float>> moments{m, v};
  mt::UpdateStep<float> update{p, g, moments, 1.0 / 32, optimizer.learning_rate, 0};
  for (auto _ : state) {
    ++update.step;
    optimizer.update(device, update);
    benchmark::DoNotOptimize(p.data());
    benchmark::ClobberMemory();
  }
  const auto arrays = static_cast<std::int64_t>(3 + 2 * optimizer.moments());
  state.SetBytesProcessed(state.iterations() * state.range(0) * arrays * static_cast<std::int64_t>(sizeof(float)));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void sgd(benchmark::State& state) { step(state, mt::SGD{}); }
void sgd_momentum(benchmark::State& state) { step(state, mt::SGD{.momentum = 0.9}); }
void adam(benchmark::State& state) { step(state, mt::Adam{}); }
void adamw(benchmark::State& state) { step(state, mt::AdamW{}); }

}  // namespace

// A 10-64-1 network, a 784-128-10 network, and more than the caches hold.
BENCHMARK(sgd)->Arg(769)->Arg(101'770)->Arg(10'000'000);
BENCHMARK(sgd_momentum)->Arg(769)->Arg(101'770)->Arg(10'000'000);
BENCHMARK(adam)->Arg(769)->Arg(101'770)->Arg(10'000'000);
BENCHMARK(adamw)->Arg(769)->Arg(101'770)->Arg(10'000'000);
