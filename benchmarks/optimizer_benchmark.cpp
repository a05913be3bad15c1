// One optimizer step over a slab of parameters, a matrix of 256 columns or fewer. Bytes are those that must move: p and
// g are read and p is written, state is read and written; optimizers that look at norms go through memory more often.

#include <minitrain/trainer.hpp>

#include <benchmark/benchmark.h>

#include <vector>

namespace mt = minitrain;

namespace {

template <class O>
void step(benchmark::State& state, const O& optimizer) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::size_t columns = count % 256 == 0 ? 256 : 1;
  const mt::cpu::FlushDenormals flush;
  const mt::Cpu device{{.threads = 1}};
  const std::vector<mt::ParameterTensor> tensors{
      {.name = "0.weight", .rows = count / columns, .columns = columns, .rank = 2}};
  mt::Tensor<float> p({count}), g({count});
  for (std::size_t i = 0; i < count; ++i) {
    p[i] = 0.01f * (static_cast<float>(i % 23) - 11);
    g[i] = static_cast<float>(i % 17) - 8;
  }
  std::vector<mt::Tensor<float>> slabs;
  std::vector<mt::View<float>> moments;
  std::size_t scalars = 3 * count;
  for (std::size_t i = 0; i < optimizer.moments(); ++i) {
    const mt::MomentLayout layout = mt::detail::layout_of(optimizer, i, tensors);
    slabs.emplace_back(mt::Shape{layout.scalars_in(count, sizeof(float))});
    scalars += 2 * slabs.back().size();
  }
  for (auto& slab : slabs) moments.push_back(slab);
  mt::UpdateStep<float> update{.parameters = p,
                               .gradient_sums = g,
                               .moments = moments,
                               .gradient_scale = 1.0 / 32,
                               .learning_rate = optimizer.learning_rate,
                               .step = 0,
                               .tensors = tensors};
  for (auto _ : state) {
    ++update.step;
    optimizer.update(device, update);
    benchmark::DoNotOptimize(p.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(scalars * sizeof(float)));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void sgd(benchmark::State& state) { step(state, mt::SGD{}); }
void sgd_momentum(benchmark::State& state) { step(state, mt::SGD{.momentum = 0.9}); }
void adam(benchmark::State& state) { step(state, mt::Adam{}); }
void adamw(benchmark::State& state) { step(state, mt::AdamW{}); }
void adamw8bit(benchmark::State& state) { step(state, mt::AdamW8bit{}); }
void rmsprop(benchmark::State& state) { step(state, mt::RMSprop{}); }
void adagrad(benchmark::State& state) { step(state, mt::Adagrad{}); }
void lamb(benchmark::State& state) { step(state, mt::LAMB{}); }
void lars(benchmark::State& state) { step(state, mt::LARS{}); }
void adafactor(benchmark::State& state) { step(state, mt::Adafactor{}); }
void ema_of_adamw(benchmark::State& state) { step(state, mt::EMA<mt::AdamW>{}); }
void lookahead_of_adamw(benchmark::State& state) { step(state, mt::Lookahead<mt::AdamW>{}); }

}  // namespace

// A 10-64-1 network, a 784-128-10 network, and more than the caches hold.
BENCHMARK(sgd)->Arg(769)->Arg(101'770)->Arg(10'000'000);
BENCHMARK(sgd_momentum)->Arg(769)->Arg(101'770)->Arg(10'000'000);
BENCHMARK(adam)->Arg(769)->Arg(101'770)->Arg(10'000'000);
BENCHMARK(adamw)->Arg(769)->Arg(101'770)->Arg(10'000'000);
// A layer of 784 inputs and 256 outputs, and a larger one.
BENCHMARK(adamw)->Arg(784 * 256)->Arg(39'000 * 256);
BENCHMARK(adamw8bit)->Arg(784 * 256)->Arg(39'000 * 256);
BENCHMARK(rmsprop)->Arg(784 * 256)->Arg(39'000 * 256);
BENCHMARK(adagrad)->Arg(784 * 256)->Arg(39'000 * 256);
BENCHMARK(lamb)->Arg(784 * 256)->Arg(39'000 * 256);
BENCHMARK(lars)->Arg(784 * 256)->Arg(39'000 * 256);
BENCHMARK(adafactor)->Arg(784 * 256)->Arg(39'000 * 256);
BENCHMARK(ema_of_adamw)->Arg(784 * 256)->Arg(39'000 * 256);
BENCHMARK(lookahead_of_adamw)->Arg(784 * 256)->Arg(39'000 * 256);
