// Every operation of the CUDA device, timed by events on its stream:
//
//   cuda_kernels_benchmark [--tiny] [Google Benchmark's options]
//
// Names end in the number of samples and the shape. Bytes are those that must move, each once; FLOPS are floating-point
// operations of matrix products, two for each product. of_ceiling is the least time that the GPU needs for either, by
// what it reached in this run (a copy inside its memory, cuBLAS's sgemm of 4096 × 4096 matrices), over the time taken;
// operands that fit into the caches move faster than the copy, so small shapes can exceed 1. --tiny shrinks every
// shape, for an emulator.
#include <minitrain/cuda.hpp>
#include <minitrain/nn/init.hpp>

#include "cuda/event_timer.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string_view>
#include <vector>

namespace mt = minitrain;

namespace {

using mt::Cuda, mt::Shape;
using Tensor = std::shared_ptr<mt::Tensor<float, Cuda>>;
using Const = mt::View<const float, Cuda>;

/// An operation and what it costs. `run` keeps the operands that it names; `kept` those it has only views of.
struct Work {
  double bytes = 0, flops = 0;
  std::function<void()> run;
  std::vector<std::shared_ptr<void>> kept{};
};

class Suite {
 public:
  explicit Suite(bool tiny)
      : tiny_(tiny),
        ceilings_(bench::measure_ceilings(device_, tiny ? 1 << 16 : std::size_t{1} << 28, tiny ? 16 : 4096)) {
    benchmark::AddCustomContext("device", device_.name());
    benchmark::AddCustomContext("copy_bytes_per_second", std::to_string(ceilings_.bytes_per_second));
    benchmark::AddCustomContext("sgemm_flops", std::to_string(ceilings_.flops));
  }

  const Cuda& device() const { return device_; }
  std::size_t size(std::size_t n) const { return tiny_ ? (n + 255) / 256 + 1 : n; }

  /// Uniform on [-1, 1).
  Tensor values(std::size_t rows, std::size_t columns) const {
    auto t = std::make_shared<mt::Tensor<float, Cuda>>(device_, Shape{rows, columns});
    fill_initial(device_, {mt::InitialValues::Kind::uniform, 1, 1, 0}, t->view());
    return t;
  }

  /// Registers what make(samples, columns...) gives, for each number of samples.
  template <class Make, class... Columns>
  void add(const std::string& name, const std::vector<std::size_t>& samples, Make make, Columns... columns) {
    for (const std::size_t rows : samples) {
      std::string full = name + "/" + std::to_string(size(rows));
      ((full += "/" + std::to_string(size(columns))), ...);
      const auto measured = [this, make, rows, columns...](benchmark::State& state) {
        measure(state, make(size(rows), size(columns)...));
      };
      benchmark::RegisterBenchmark(full.c_str(), measured)->UseManualTime()->Unit(benchmark::kMicrosecond);
    }
  }

 private:
  /// A call takes microseconds and a pair of events, too: so many calls between two events as take a while.
  void measure(benchmark::State& state, const Work& work) const {
    bench::EventTimer timer(device_);
    work.run();
    timer.start();
    work.run();
    const double once = std::max(timer.stop(), 1e-7);
    const auto calls = static_cast<benchmark::IterationCount>(std::clamp(2e-4 / once, 1.0, 200.0));
    while (state.KeepRunningBatch(calls)) {
      timer.start();
      for (benchmark::IterationCount i = 0; i < calls; ++i) work.run();
      state.SetIterationTime(timer.stop());
    }
    const auto count = static_cast<double>(state.iterations());
    const double least =
        std::max(work.bytes / ceilings_.bytes_per_second, ceilings_.flops > 0 ? work.flops / ceilings_.flops : 0.0);
    state.SetBytesProcessed(static_cast<std::int64_t>(count * work.bytes));
    state.counters["of_ceiling"] = benchmark::Counter(count * least, benchmark::Counter::kIsRate);
    if (work.flops > 0) state.counters["FLOPS"] = benchmark::Counter(count * work.flops, benchmark::Counter::kIsRate);
  }

  Cuda device_{0};
  bool tiny_;
  bench::Ceilings ceilings_;
};

double bytes_of(std::size_t a, std::size_t b, double floats) {
  return 4.0 * floats * static_cast<double>(a) * static_cast<double>(b);
}

// --- layers ---------------------------------------------------------------------------------------------------------

void add_dense(Suite& s, const std::vector<std::size_t>& samples, std::size_t in, std::size_t out) {
  const mt::Activation relu{mt::ActivationKind::relu};
  const auto flops = [](std::size_t rows, std::size_t n, std::size_t m) {
    return 2.0 * static_cast<double>(rows) * static_cast<double>(n) * static_cast<double>(m);
  };
  const auto forward = [&s, relu, flops](std::size_t rows, std::size_t n, std::size_t m) {
    const Tensor x = s.values(rows, n), w = s.values(n, m), b = s.values(1, m), y = s.values(rows, m);
    const double bytes = bytes_of(rows, n, 1) + bytes_of(n, m, 1) + bytes_of(rows + 1, m, 1);
    return Work{bytes, flops(rows, n, m), [=, &s] {
                  dense_forward(s.device(), Const(*x), Const(*w), {b->data(), Shape{m}}, relu, *y);
                }};
  };
  const auto input = [&s, relu, flops](std::size_t rows, std::size_t n, std::size_t m) {
    const Tensor x = s.values(rows, n), w = s.values(n, m), dy = s.values(rows, m), dx = s.values(rows, n);
    const double bytes = bytes_of(rows, n, 2) + bytes_of(n, m, 1) + bytes_of(rows, m, 1);
    return Work{bytes, flops(rows, n, m),
                [=, &s] { dense_backward_input(s.device(), Const(*dy), Const(*w), relu, Const(*x), *dx); }};
  };
  const auto weights = [&s, flops](std::size_t rows, std::size_t n, std::size_t m) {
    const Tensor x = s.values(rows, n), dy = s.values(rows, m), dw = s.values(n, m), db = s.values(1, m);
    const double bytes = bytes_of(rows, n, 1) + bytes_of(n, m, 2) + bytes_of(rows + 2, m, 1);
    return Work{bytes, flops(rows, n, m), [=, &s] {
                  dense_backward_weights(s.device(), Const(*x), Const(*dy), *dw, {db->data(), Shape{m}}, true);
                }};
  };
  s.add("dense_forward", samples, forward, in, out);
  s.add("dense_backward_input", samples, input, in, out);
  s.add("dense_backward_weights", samples, weights, in, out);
}

/// What reads `inputs` arrays [rows, n] and writes one: f(x, other, y).
template <class F>
void add_rows(Suite& s, const char* name, const std::vector<std::size_t>& samples, std::size_t columns, int inputs,
              F f) {
  const auto make = [&s, inputs, f](std::size_t rows, std::size_t n) {
    const Tensor x = s.values(rows, n), other = s.values(rows, n), y = s.values(rows, n);
    return Work{bytes_of(rows, n, inputs + 1), 0, [=, &s] { f(s.device(), Const(*x), Const(*other), *y); }};
  };
  s.add(name, samples, make, columns);
}

void add_elements(Suite& s, const std::vector<std::size_t>& samples, std::size_t columns) {
  const mt::Activation relu{mt::ActivationKind::relu}, gelu{mt::ActivationKind::gelu};
  const mt::DropoutKey key{.seed = 1};
  using Out = mt::Tensor<float, Cuda>&;
  add_rows(s, "relu_forward", samples, columns, 1,
           [=](const Cuda& d, Const x, Const, Out y) { activation_forward(d, relu, x, y); });
  add_rows(s, "relu_backward", samples, columns, 2,
           [=](const Cuda& d, Const x, Const dy, Out dx) { activation_backward(d, relu, x, x, dy, dx); });
  add_rows(s, "gelu_forward", samples, columns, 1,
           [=](const Cuda& d, Const x, Const, Out y) { activation_forward(d, gelu, x, y); });
  add_rows(s, "gelu_backward", samples, columns, 2,
           [=](const Cuda& d, Const x, Const dy, Out dx) { activation_backward(d, gelu, x, x, dy, dx); });
  add_rows(s, "softmax_forward", samples, columns, 1,
           [](const Cuda& d, Const x, Const, Out y) { softmax_forward(d, x, y); });
  add_rows(s, "softmax_backward", samples, columns, 2,
           [](const Cuda& d, Const y, Const dy, Out dx) { softmax_backward(d, y, dy, dx); });
  add_rows(s, "dropout_forward", samples, columns, 1,
           [=](const Cuda& d, Const x, Const, Out y) { dropout_forward(d, key, 0.5, x, y); });
  add_rows(s, "fill_normal", samples, columns, 0, [](const Cuda& d, Const, Const, Out y) {
    fill_initial(d, {mt::InitialValues::Kind::normal, 1, 1, 0}, y);
  });
}

void add_layer_norm(Suite& s, const std::vector<std::size_t>& samples, std::size_t columns) {
  const auto forward = [&s](std::size_t rows, std::size_t n) {
    const Tensor x = s.values(rows, n), y = s.values(rows, n), gain = s.values(1, n), kept = s.values(rows, 2);
    const Const row(gain->data(), Shape{n});
    return Work{bytes_of(rows, n, 2),
                0,
                [=, &s] { layer_norm_forward(s.device(), 1e-5, Const(*x), row, row, *y, *kept); },
                {gain}};
  };
  const auto backward = [&s](std::size_t rows, std::size_t n) {
    const Tensor x = s.values(rows, n), dy = s.values(rows, n), dx = s.values(rows, n), gain = s.values(1, n);
    const Tensor kept = s.values(rows, 2), sums = s.values(2, n);
    const Const row(gain->data(), Shape{n});
    const mt::cuda::Output dgain(sums->data(), Shape{n}), dshift(sums->data() + n, Shape{n});
    const auto run = [=, &s] {
      layer_norm_backward(s.device(), Const(*x), row, Const(*kept), Const(*dy), *dx, dgain, dshift, true);
    };
    return Work{bytes_of(rows, n, 3), 0, run, {gain, sums}};
  };
  s.add("layer_norm_forward", samples, forward, columns);
  s.add("layer_norm_backward", samples, backward, columns);
}

// --- losses, optimizers, data ---------------------------------------------------------------------------------------

using Loss = mt::LossArguments<float, Cuda>;

/// loss(device, arguments), with targets or, for classes, labels.
template <class F>
void add_loss(Suite& s, const char* name, const std::vector<std::size_t>& samples, std::size_t columns, bool classes,
              F loss) {
  const auto make = [&s, classes, loss](std::size_t rows, std::size_t n) {
    const Tensor y = s.values(rows, n), targets = s.values(classes ? 1 : rows, n), dy = s.values(rows, n);
    const auto labels = std::make_shared<mt::Tensor<std::int32_t, Cuda>>(s.device(), Shape{rows});
    const auto totals = std::make_shared<mt::Tensor<double, Cuda>>(s.device(), Shape{3});
    Loss a;
    a.y = *y;
    if (classes) a.labels = *labels;
    if (!classes) a.targets = *targets;
    a.dy = *dy;
    a.totals = *totals;
    return Work{
        bytes_of(rows, n, classes ? 2 : 3), 0, [=, &s] { loss(s.device(), a); }, {y, targets, dy, labels, totals}};
  };
  s.add(name, samples, make, columns);
}

void add_losses(Suite& s, const std::vector<std::size_t>& samples) {
  add_loss(s, "mean_squared_error", samples, 1, false, [](const Cuda& d, const Loss& a) { mean_squared_error(d, a); });
  add_loss(s, "huber_loss", samples, 1, false, [](const Cuda& d, const Loss& a) { huber_loss(d, 1, a); });
  add_loss(s, "binary_cross_entropy_with_logits", samples, 1, false,
           [](const Cuda& d, const Loss& a) { binary_cross_entropy_with_logits(d, a); });
  add_loss(s, "mean_squared_error", samples, 1024, false,
           [](const Cuda& d, const Loss& a) { mean_squared_error(d, a); });
  for (const std::size_t columns : {10, 1000}) {
    add_loss(s, "softmax_cross_entropy", samples, columns, true,
             [](const Cuda& d, const Loss& a) { softmax_cross_entropy(d, 0, a); });
  }
}

/// `slabs` arrays are read or written for each element: update(device, step).
template <class F>
void add_optimizer(Suite& s, const char* name, std::size_t moments, double slabs, F update) {
  const auto make = [&s, moments, slabs, update](std::size_t count) {
    const Tensor p = s.values(1, count), g = s.values(1, count), m = s.values(moments, count);
    std::vector<mt::View<float, Cuda>> views;
    const Shape shape{count};
    for (std::size_t i = 0; i < moments; ++i) views.push_back({m->data() + i * count, shape});
    const auto run = [=, &s] {
      update(s.device(), mt::UpdateStep<float, Cuda>{.parameters = {p->data(), shape},
                                                     .gradient_sums = {g->data(), shape},
                                                     .moments = views,
                                                     .gradient_scale = 1e-3,
                                                     .learning_rate = 1e-6});
    };
    return Work{bytes_of(1, count, slabs), 0, run, {m}};
  };
  s.add(name, {769, 101'770, 25'175'040}, make);  // of 10-64-1, 784-128-10 and 1024-4096-4096-1024
}

void add_optimizers(Suite& s) {
  using Step = mt::UpdateStep<float, Cuda>;
  add_optimizer(s, "sgd_update", 0, 3, [](const Cuda& d, const Step& step) { sgd_update(d, {}, step); });
  add_optimizer(s, "sgd_momentum_update", 1, 5,
                [](const Cuda& d, const Step& step) { sgd_update(d, {.momentum = 0.9}, step); });
  add_optimizer(s, "adam_update", 2, 7, [](const Cuda& d, const Step& step) { adam_update(d, {}, step); });
}

/// Rows by chance out of 16,384.
template <class S, class T>
void add_gather(Suite& s, const char* name, const std::vector<std::size_t>& samples, std::size_t columns) {
  const auto make = [&s](std::size_t rows, std::size_t n) {
    const std::size_t all = s.size(16'384);
    const auto table = std::make_shared<mt::Tensor<S, Cuda>>(s.device(), Shape{all, n});
    const auto out = std::make_shared<mt::Tensor<T, Cuda>>(s.device(), Shape{rows, n});
    const auto order = std::make_shared<Cuda::RowOrder>(s.device(), all, std::span<const std::uint64_t>(), true);
    order->fill(s.device(), mt::Permutation(all, 1));
    const double bytes = static_cast<double>(rows * n) * static_cast<double>(sizeof(S) + sizeof(T));
    return Work{bytes, 0, [=, &s] {
                  mt::RowSource<S, Cuda> source;
                  source.table = *table;
                  gather(s.device(), source, order->rows(0, rows), out->view());
                }};
  };
  s.add(name, samples, make, columns);
}

/// Of slabs: the norm of a gradient. Of an epoch: its order.
void add_reductions(Suite& s) {
  s.add("sum_of_squares", {769, 101'770, 25'175'040}, [&s](std::size_t count) {
    const Tensor x = s.values(1, count);
    const auto sum = std::make_shared<mt::Tensor<double, Cuda>>(s.device(), Shape{1});
    return Work{bytes_of(1, count, 1), 0,
                [=, &s] { sum_of_squares(s.device(), mt::View<const float, Cuda>(x->view()), sum->view()); }};
  });
  s.add("order", {60'000, 1'000'000}, [&s](std::size_t samples) {
    const auto order = std::make_shared<Cuda::RowOrder>(s.device(), samples, std::span<const std::uint64_t>(), true);
    return Work{8.0 * static_cast<double>(samples), 0,
                [=, &s] { order->fill(s.device(), mt::Permutation(samples, 1)); }};
  });
}

void add_all(Suite& s) {
  const std::vector<std::size_t> samples{32, 512, 4096, 16'384};
  add_dense(s, samples, 10, 64);
  add_dense(s, samples, 64, 1);
  add_dense(s, samples, 784, 128);
  add_dense(s, samples, 128, 10);
  add_dense(s, samples, 4096, 4096);
  for (const std::size_t columns : {128, 4096}) {
    add_elements(s, samples, columns);
    add_layer_norm(s, samples, columns);
  }
  add_losses(s, samples);
  add_optimizers(s);
  add_reductions(s);
  add_gather<float, float>(s, "gather_floats", samples, 10);
  add_gather<float, float>(s, "gather_floats", samples, 784);
  add_gather<std::uint8_t, float>(s, "gather_bytes", samples, 784);
  add_gather<std::int32_t, std::int32_t>(s, "gather_labels", samples, 1);
}

}  // namespace

int main(int argc, char** argv) try {
  const bool tiny = argc > 1 && std::string_view(argv[1]) == "--tiny";
  if (tiny) {
    std::rotate(argv + 1, argv + 2, argv + argc);
    --argc;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Suite suite(tiny);
  add_all(suite);
  benchmark::RunSpecifiedBenchmarks();
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
