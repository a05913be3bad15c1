// Dense layers on the GPU have the bits of the CPU: every tile, every edge of one, every start and every end of a sum.

#include <minitrain/cpu/dense.hpp>

#include "cuda/support.hpp"
#include "cuda/weight_gradients.hpp"

#include <tuple>

namespace {

using test::in;
using test::on;

struct Sizes {
  std::size_t rows, inputs, outputs;
};

/// Forward, and backward twice, once into fresh gradients and once more on top of them.
template <class Device>
void run_dense(const Device& device, const Sizes& s, const minitrain::Activation& f, bool bias,
               test::Results& results) {
  using namespace minitrain;
  const auto x = on(device, test::mixed({s.rows, s.inputs}, 1)),
             w = on(device, test::uniform({s.inputs, s.outputs}, 2));
  const auto b = on(device, test::uniform({bias ? s.outputs : 0}, 3)),
             dy = on(device, test::mixed({s.rows, s.outputs}, 4));
  Tensor<float, Device> y(device, {s.rows, s.outputs}), dx(device, {s.rows, s.inputs});
  Tensor<float, Device> dw(device, {s.inputs, s.outputs}), db(device, {bias ? s.outputs : 0});
  dense_forward(device, in(x), in(w), in(b), f, y.view());
  results.add("y", device, y.view());
  dense_backward_input(device, in(dy), in(w), f, in(x), dx.view());
  results.add("dx", device, dx.view());
  for (const bool add : {false, true}) {
    dense_backward_weights(device, in(x), in(dy), dw.view(), db.view(), add);
    results.add("dw", device, dw.view());
    results.add("db", device, db.view());
  }
}

void check_dense(const Sizes& s, minitrain::ActivationKind kind, bool bias) {
  CAPTURE(s.rows, s.inputs, s.outputs, static_cast<int>(kind), bias);
  test::check_same_bits(minitrain::Cuda{0}, [&](const auto& device, test::Results& results) {
    run_dense(device, s, {kind}, bias, results);
  });
}

constexpr minitrain::ActivationKind kinds[] = {minitrain::ActivationKind::identity, minitrain::ActivationKind::relu,
                                               minitrain::ActivationKind::tanh};

}  // namespace

TEST_CASE("Dense layers on the GPU have the bits of the CPU", "[exactness]") {
  std::size_t turn = 0;
  for (const std::size_t rows : {0, 1, 2, 31, 33, 70}) {
    for (const std::size_t inputs : {1, 7, 16, 17, 65}) {
      for (const std::size_t outputs : {1, 2, 10, 33, 64}) {
        check_dense({rows, inputs, outputs}, kinds[turn % std::size(kinds)], turn % 2 == 0);
        ++turn;
      }
    }
  }
}

TEST_CASE("Dense layers on the GPU have the bits of the CPU whatever tile they take", "[exactness]") {
  using minitrain::ActivationKind;
  // The tile is the largest that gives three quarters of the multiprocessors one: three of four, the emulator's, 32 by
  // 32 from 33 by 33 on, 64 by 64 from 65 by 65, and 128 by 128 from 129 by 129. Forward has rows by outputs, the
  // gradients inputs by outputs and rows by inputs. Long chains over whole slices of 128 steps and more come last.
  for (const Sizes& s : {Sizes{66, 20, 70}, Sizes{20, 70, 66}, Sizes{70, 66, 20}, Sizes{129, 9, 130},
                         Sizes{9, 130, 131}, Sizes{130, 131, 9}, Sizes{300, 5, 3}, Sizes{5, 300, 3}, Sizes{5, 3, 300},
                         Sizes{256, 20, 30}, Sizes{257, 20, 30}, Sizes{20, 385, 17}, Sizes{300, 70, 1}}) {
    check_dense(s, ActivationKind::relu, true);
  }
  // A GPU has more multiprocessors.
  if (minitrain::Cuda{0}.name().find("mulat") != std::string::npos) return;
  for (const Sizes& s : {Sizes{1500, 20, 1501}, Sizes{20, 1501, 1500}, Sizes{1501, 1500, 20}}) {
    check_dense(s, ActivationKind::relu, true);
  }
}

TEST_CASE("Weight gradients on the GPU do not depend on the split of the batch", "[exactness]") {
  using namespace minitrain;
  const Cuda device{0};
  const auto scope = device.arithmetic_scope();
  for (const std::size_t outputs : {1, 5, 40}) {
    const test::Results whole = test::weight_gradients_in_parts(device, outputs, 75);
    for (const std::size_t part : {1, 16, 31, 64}) {
      CAPTURE(outputs, part);
      whole.check_equal(test::weight_gradients_in_parts(device, outputs, part));
    }
  }
}
