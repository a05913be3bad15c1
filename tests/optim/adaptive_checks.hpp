#pragma once
// What every optimizer of the library has to pass.

#include "optim/optimizer_run.hpp"
#include "optim/pytorch_adaptive_fixture.hpp"
#include "support/catch.hpp"

#include <minitrain/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace test {

/// Largest error, relative to max(1, |wanted|).
template <class T, class Wanted>
double worst_error(const std::vector<T>& got, const Wanted& wanted) {
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto w = static_cast<double>(wanted[i]);
    const double error = std::abs(static_cast<double>(got[i]) - w) / std::max(1.0, std::abs(w));
    worst = error <= worst ? worst : error;  // NaN counts
  }
  return worst;
}

/// The steps of a fixture with a matrix [5, 6] and a vector [3], in float64 and float32.
template <class O>
void check_fixture(const O& optimizer, const fixture::Parameters& wanted, double float_tolerance = 1e-6) {
  const std::vector<minitrain::Shape> shapes{{5, 6}, {3}};
  OptimizerRun<double, minitrain::Cpu, O> in_double(minitrain::Cpu{{.threads = 1}}, optimizer, shapes);
  OptimizerRun<float, minitrain::Cpu, O> in_float(minitrain::Cpu{{.threads = 1}}, optimizer, shapes);
  in_double.fixture_steps();
  in_float.fixture_steps();
  CHECK(worst_error(in_double.parameters(), wanted.in_double) < 1e-14 * fixture::steps);
  CHECK(worst_error(in_float.parameters(), wanted.in_float) < float_tolerance);
}

template <class T, class O>
void check_sizes_of(const O& optimizer) {
  using minitrain::Isa;
  for (const std::size_t size : {0u, 1u, 31u, 33u, 257u, 20'001u}) {
    const std::vector<minitrain::Shape> shapes{{size}, {3, size}, {size, 1}, {2, 2}};
    const auto after = [&](const minitrain::CpuOptions& options) {
      OptimizerRun<T, minitrain::Cpu, O> run(minitrain::Cpu{options}, optimizer, shapes);
      run.fixture_steps(3);
      return run.everything();
    };
    const auto wanted = after({.threads = 1});
    CAPTURE(size);
    CHECK(std::all_of(wanted.begin(), wanted.end(), [](T x) { return !(std::abs(x) > T(1e6)); }));
    CHECK(same_bits(after({.threads = 2, .work_per_thread = 1}), wanted));
    CHECK(same_bits(after({.threads = 3, .work_per_thread = 1}), wanted));
    if (minitrain::cpu::best_isa() < Isa::avx2) continue;
    CHECK(same_bits(after({.threads = 1, .isa = Isa::avx2}), wanted));
  }
}

/// Odd sizes, threads and instruction sets; the baseline is near the others.
template <class O>
void check_sizes(const O& optimizer) {
  check_sizes_of<float>(optimizer);
  check_sizes_of<double>(optimizer);
  const std::vector<minitrain::Shape> shapes{{5, 6}, {3}};
  OptimizerRun<double, minitrain::Cpu, O> baseline(minitrain::Cpu{{.threads = 1, .isa = minitrain::Isa::baseline}},
                                                   optimizer, shapes);
  OptimizerRun<double, minitrain::Cpu, O> best(minitrain::Cpu{{.threads = 1}}, optimizer, shapes);
  baseline.fixture_steps(20);
  best.fixture_steps(20);
  CHECK(worst_error(baseline.parameters(), best.parameters()) < 1e-12);
}

template <class O>
void check_refused(const O& optimizer, const std::string& part) {
  CAPTURE(part);
  try {
    optimizer.check();
    FAIL_CHECK("not refused");
  } catch (const minitrain::OptionError& error) {
    CHECK(error.code() == minitrain::ErrorCode::invalid_argument);
    CHECK_THAT(error.what(), ContainsSubstring(part));
  }
}

// --- in a trainer ---------------------------------------------------------------------------------------------------

inline const minitrain::Sequential checked_model{minitrain::Dense{5, 7}, minitrain::ReLU{}, minitrain::LayerNorm{7},
                                                 minitrain::Dense{7, 3, false}};
/// Slabs of that model: 5·7, 7, 7, 7 and 7·3 scalars, each up to a multiple of 16.
constexpr std::size_t slab_bytes() { return (48 + 16 + 16 + 16 + 32) * sizeof(float); }

template <class O>
auto trainer_with(const O& optimizer, std::size_t epochs) {
  return minitrain::Trainer{minitrain::Cpu{{.threads = 1}},
                            checked_model,
                            minitrain::SoftmaxCrossEntropy{},
                            optimizer,
                            {.epochs = epochs, .batch_size = 16, .seed = 7}};
}

/// A run that is saved and gone on with ends as one that never stopped; and nothing that load() refuses changes it.
template <class O>
void check_state_file(const O& optimizer) {
  const auto data = minitrain::synthetic_classification({.samples = 90, .features = 5, .classes = 3, .seed = 2});
  const std::string path = "optimizer_state_test.safetensors";
  auto whole = trainer_with(optimizer, 3);
  whole.fit(data);
  auto first = trainer_with(optimizer, 1);
  first.fit(data);
  first.save(path);
  auto second = trainer_with(optimizer, 2);
  second.load(path);
  second.fit(data);
  CHECK(second.parameters() == whole.parameters());
  auto weights = trainer_with(minitrain::SGD{}, 1);
  weights.load_weights(path);
  CHECK(weights.parameters() == first.parameters());
  std::remove(path.c_str());
}

/// What plan() says of an optimizer's state, which is what is there.
template <class O>
std::size_t state_bytes_of(const O& optimizer) {
  const auto plan = minitrain::plan(checked_model, minitrain::SoftmaxCrossEntropy{}, optimizer, {.batch_size = 16},
                                    minitrain::Cpu{{.threads = 1}});
  const std::string text = trainer_with(optimizer, 1).explain();
  CHECK_THAT(text, ContainsSubstring(minitrain::joined({", optimizer ", plan.moments, ", buffers"})));
  return plan.moments;
}

}  // namespace test
