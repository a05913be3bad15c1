#include <minitrain/cpu/optimizer.hpp>

#include "cuda/support.hpp"

#include <array>
#include <cmath>

using namespace test;

namespace {

constexpr std::size_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 33, 64, 257, 1027};
constexpr SgdRule sgd_rules[] = {
    {}, {.weight_decay = 0.1}, {.momentum = 0.9}, {.momentum = 0.9, .nesterov = true, .weight_decay = 0.1}};
constexpr AdamRule adam_rules[] = {
    {}, {.weight_decay = 0.1}, {.weight_decay = 0.1, .decoupled = true}, {.beta1 = 0, .beta2 = 0.5, .epsilon = 1e-300}};
constexpr RmspropRule rmsprop_rules[] = {{},
                                         {.momentum = 0.9, .weight_decay = 0.1},
                                         {.centered = true},
                                         {.epsilon = 1e-300, .momentum = 0.5, .centered = true}};
constexpr AdagradRule adagrad_rules[] = {{},
                                         {.learning_rate_decay = 0.1, .initial_accumulator = 1, .weight_decay = 0.1}};

/// Slabs of `size` elements after `first` others: parameters, gradient sums and three moments.
struct HostSlabs {
  std::size_t first, size;
  Tensor<float> p, g, m, v, b;

  HostSlabs(std::size_t first_, std::size_t size_, bool special)
      : first(first_),
        size(size_),
        p(uniform(shape(), 1)),
        g(special ? mixed(matrix(), 2) : uniform(shape(), 2)),
        m(special ? mixed(matrix(), 3) : uniform(shape(), 3)),
        v(uniform(shape(), 4)),
        b(uniform(shape(), 5)) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::pow(10.0f, 5 * v[i]);
    if (special) {
      for (std::size_t i = 0; i < v.size(); i += 3) v[i] = std::abs(odd_numbers[i / 3 % std::size(odd_numbers)]);
      if (v.size() > 40) v[40] = infinity, v[37] = not_a_number, v[35] = std::numeric_limits<float>::max();
    }
  }
  Shape shape() const { return Shape{first + size}; }
  Shape matrix() const { return Shape{first + size, 1}; }  // rows of one, for mixed()
};

/// The same on a device, and a step of it.
template <class Device>
struct Slabs {
  const Device& device;
  Tensor<float, Device> p, g, m, v, b;
  std::array<View<float, Device>, 2> moments;
  std::array<View<float, Device>, 3> squares_first;
  UpdateStep<float, Device> step;

  Slabs(const Device& device_, const HostSlabs& host)
      : device(device_),
        p(on(device, host.p)),
        g(on(device, host.g)),
        m(on(device, host.m)),
        v(on(device, host.v)),
        b(on(device, host.b)) {
    const auto part = [&](auto& t) { return View<float, Device>(t.data() + host.first, Shape{host.size}); };
    moments = {part(m), part(v)};
    squares_first = {part(v), part(m), part(b)};
    step.parameters = part(p);
    step.gradient_sums = part(g);
    step.moments = moments;
    step.gradient_scale = 1.0 / 3;
    step.learning_rate = 0.01;
    step.step = 0;
  }
  Slabs(const Slabs&) = delete;

  void add_to(Results& results) {
    results.add("p", device, in(p));
    results.add("m", device, in(m));
    results.add("v", device, in(v));
    results.add("b", device, in(b));
  }
  /// All rules, one after the other; `after` each.
  template <class After>
  void run_all(After after) {
    for (const SgdRule& rule : sgd_rules) {
      ++step.step;
      sgd_update(device, rule, step);
      after();
    }
    for (const AdamRule& rule : adam_rules) {
      ++step.step;
      adam_update(device, rule, step);
      after();
    }
    step.moments = squares_first;
    for (const RmspropRule& rule : rmsprop_rules) {
      ++step.step;
      rmsprop_update(device, rule, step);
      after();
    }
    step.step = 0;
    for (const AdagradRule& rule : adagrad_rules) {
      ++step.step;
      adagrad_update(device, rule, step);
      after();
    }
  }
};

/// What StepQueue::scale() of a queued step holds.
Tensor<double, Cuda> queue_state(const Cuda& gpu, double scale, double failed) {
  return on(gpu, Tensor<double>(Shape{2}, {scale, failed}));
}

template <class F>
void for_each_slab(F f) {
  for (const bool special : {false, true}) {
    for (const std::size_t size : sizes) {
      for (const std::size_t first : {0, 1, 4}) {  // aligned for groups of four elements, not, and again
        CAPTURE(special, size, first);
        f(HostSlabs(first, size, special));
      }
    }
  }
  for (const std::size_t first : {0, 1}) f(HostSlabs(first, many_blocks * 1024 + 7, false));
}

}  // namespace

TEST_CASE("Optimizer steps on the GPU have the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for_each_slab([&](const HostSlabs& host) {
    check_same_bits(gpu, [&](const auto& device, Results& results) {
      Slabs slabs(device, host);
      slabs.run_all([&] { slabs.add_to(results); });
    });
  });
}

TEST_CASE("Queued optimizer steps have the bits of others", "[exactness]") {
  const Cuda gpu{0};
  const auto state = queue_state(gpu, 1.0 / 3, 0);
  for_each_slab([&](const HostSlabs& host) {
    check_same_bits(gpu, [&](const auto& device, Results& results) {
      Slabs slabs(device, host);
      if constexpr (std::is_same_v<std::decay_t<decltype(device)>, Cuda>) {
        slabs.step.queued_scale = in(state);
        slabs.step.gradient_scale = 1000;  // not to be read
      }
      slabs.run_all([&] { slabs.add_to(results); });
    });
  });
}

TEST_CASE("Queued optimizer steps after a loss that is not finite change nothing") {
  const Cuda gpu{0};
  const auto state = queue_state(gpu, 1.0 / 3, 1);
  Slabs slabs(gpu, HostSlabs(0, 1027, false));
  Results before, after;
  slabs.add_to(before);
  slabs.step.queued_scale = in(state);
  slabs.run_all([] {});
  slabs.add_to(after);
  before.check_equal(after);
}
