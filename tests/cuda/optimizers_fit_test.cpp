// Whole runs with each optimizer: the parameters and the state that a run on the GPU ends with are those of the CPU, to
// the bit, whether its steps are launched or replayed.

#include "optim/optimizer_run.hpp"

#include <minitrain/trainer.hpp>

#include "cuda/support.hpp"

using namespace test;

namespace {

const std::vector<Shape> shapes{{5, 6}, {3}, {1, 257}, {0}, {33, 257}, {600, 2}, {1, 1}};
const Sequential model{Dense{6, 35}, ReLU{}, LayerNorm{35}, Dense{35, 3, false}};

template <class Device, class O>
std::vector<float> trained(const Device& device, const O& optimizer) {
  const Dataset data = synthetic_classification({.samples = 150, .features = 6, .classes = 3, .seed = 5});
  Trainer trainer{device, model, SoftmaxCrossEntropy{}, optimizer, {.epochs = 3, .batch_size = 32, .seed = 4}};
  trainer.fit(data);
  const Tensor<float> p = trainer.parameters();
  return {p.begin(), p.end()};
}

/// Three steps on tensors of odd sizes, with everything that is there afterwards; `stopped`: queued after a step whose
/// loss was not finite.
template <class Device, class O>
std::vector<float> stepped(const Device& device, const O& optimizer, bool stopped = false) {
  OptimizerRun<float, Device, O> run(device, optimizer, shapes);
  [[maybe_unused]] Tensor<double, Device> scale(device, Shape{2});
  if constexpr (std::is_same_v<Device, Cuda>) {
    const double state[] = {1.0 / 8, stopped ? 1.0 : 0.0};
    copy_from_host(device, state, scale.view());
    run.queue(in(scale));
  }
  if (!stopped) run.fixture_steps(3);
  if (stopped) run.fixture_steps(1);
  return run.everything();
}

template <class O>
void check_on_both(const O& optimizer) {
  if (cpu::best_isa() == Isa::baseline) return;
  const Cpu host{{.threads = 1}};
  const Cuda gpu{0};
  INFO("optimizer " << std::string(std::string_view(optimizer.name())));
  CHECK(same_bits(trained(gpu, optimizer), trained(host, optimizer)));
  {
    const auto scope = host.arithmetic_scope();
    CHECK(same_bits(stepped(gpu, optimizer), stepped(host, optimizer)));
  }
  if (O::takes_queued_scale) {
    OptimizerRun<float, Cuda, O> untouched(gpu, optimizer, shapes);
    CHECK(same_bits(stepped(gpu, optimizer, true), untouched.everything()));
  }
}

}  // namespace

TEST_CASE("A run on the GPU has the CPU's bits with RMSprop, Adagrad and groups", "[exactness]") {
  check_on_both(AdamW{});
  check_on_both(RMSprop{.momentum = 0.5, .weight_decay = 0.1});
  check_on_both(RMSprop{.centered = true});
  check_on_both(Adagrad{.lr_decay = 0.1, .initial_accumulator_value = 0.1});
  check_on_both(without_decay_on_biases(AdamW{.weight_decay = 0.1}));
  check_on_both(groups(SGD{.momentum = 0.9}, {{.match = "0.", .learning_rate_factor = 0.5}}));
}

TEST_CASE("A run on the GPU has the CPU's bits with LAMB, LARS and Adafactor", "[exactness]") {
  check_on_both(LAMB{.weight_decay = 0.1});
  check_on_both(LAMB{.adapt_biases = false});
  check_on_both(LARS{.learning_rate = 1, .weight_decay = 0.1});
  check_on_both(LARS{.learning_rate = 0.1, .momentum = 0, .adapt_biases = false});
  check_on_both(LARS{.learning_rate = 0.1, .nesterov = true});
  check_on_both(Adafactor{});
  check_on_both(without_decay_on_biases(Adafactor{.beta1 = 0.9, .weight_decay = 0.1}));
}

TEST_CASE("A run on the GPU has the CPU's bits with moments of one byte", "[exactness]") {
  check_on_both(AdamW8bit{});
  check_on_both(Adam8bit{.weight_decay = 0.1});
  check_on_both(without_decay_on_biases(EMA<AdamW8bit>{}));
}

TEST_CASE("A run on the GPU has the CPU's bits with averages and slow weights", "[exactness]") {
  check_on_both(EMA<AdamW>{.decay = 0.9});
  check_on_both(EMA<SGD>{.optimizer = {.momentum = 0.5}, .bias_correction = true});
  check_on_both(Lookahead<Adam>{.k = 2});
  check_on_both(without_decay_on_biases(EMA<Lookahead<AdamW>>{.optimizer = {.k = 3}}));
}
