// Loss and gradient of one micro-batch of B rows and C columns. Items are elements.

#include <minitrain/cpu/loss.hpp>
#include <minitrain/nn/losses.hpp>

#include <benchmark/benchmark.h>

namespace mt = minitrain;

namespace {

template <class L>
void run(benchmark::State& state, const L& loss) {
  const auto rows = static_cast<std::size_t>(state.range(0)), columns = static_cast<std::size_t>(state.range(1));
  const mt::cpu::FlushDenormals flush;
  const mt::Cpu device{{.threads = 1}};
  mt::Tensor<float> y({rows, columns}), targets({rows, columns}), dy({rows, columns});
  mt::Tensor<std::int32_t> labels({rows});
  mt::Tensor<double> totals({3});
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(37 * i % 101) / 16 - 3;
  for (std::size_t row = 0; row < rows; ++row) labels[row] = static_cast<std::int32_t>(row % columns);
  const mt::LossArguments<float> arguments{y, targets, labels, dy, {}, totals};
  for (auto _ : state) {
    loss(device, arguments);
    benchmark::DoNotOptimize(dy.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * state.range(1));
}

void mean_squared_error(benchmark::State& state) { run(state, mt::MeanSquaredError{}); }
void huber(benchmark::State& state) { run(state, mt::Huber{}); }
void binary_cross_entropy(benchmark::State& state) { run(state, mt::BinaryCrossEntropy{}); }
void softmax_cross_entropy(benchmark::State& state) { run(state, mt::SoftmaxCrossEntropy{}); }

}  // namespace

BENCHMARK(mean_squared_error)->Args({32, 1})->Args({32, 10})->Args({128, 100});
BENCHMARK(huber)->Args({32, 1})->Args({32, 10})->Args({128, 100});
BENCHMARK(binary_cross_entropy)->Args({32, 1})->Args({32, 10})->Args({128, 100});
BENCHMARK(softmax_cross_entropy)->Args({32, 2})->Args({32, 10})->Args({512, 10})->Args({128, 100})->Args({32, 1000});
