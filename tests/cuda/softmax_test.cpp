#include <minitrain/cpu/softmax.hpp>

#include "cuda/support.hpp"

using namespace test;

namespace {

void check_softmax(const Cuda& gpu, std::size_t rows, std::size_t columns) {
  CAPTURE(rows, columns);
  const Shape shape{rows, columns};
  const auto hx = mixed(shape, columns, -20, 20), hdy = mixed(shape, columns + 1), plain = uniform(shape, columns);
  check_same_bits(gpu, [&](const auto& device, Results& results) {
    auto x = on(device, hx), dy = on(device, hdy);
    auto y = on(device, hx), dx = on(device, hx), z = on(device, plain);
    softmax_forward(device, in(x), y.view());
    softmax_backward(device, in(y), in(dy), dx.view());
    results.add("y", device, in(y));
    results.add("dx", device, in(dx));
    softmax_backward(device, in(x), in(dy), dx.view());  // of what no softmax gives
    results.add("dx of x", device, in(dx));
    softmax_forward(device, in(z), z.view());
    softmax_backward(device, in(z), in(dy), dy.view());
    results.add("y in place", device, in(z));
    results.add("dx in place", device, in(dy));
  });
}

}  // namespace

TEST_CASE("Softmax on the GPU has the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const std::size_t rows : extents) {
    for (const std::size_t columns : extents) check_softmax(gpu, rows, columns);
  }
  check_softmax(gpu, many_blocks * 8 + 3, 3);
}

TEST_CASE("A softmax row on the GPU does not depend on the rows beside it", "[exactness]") {
  const Cuda gpu{0};
  const auto hx = mixed(Shape{33, 47}, 1), hdy = mixed(Shape{33, 47}, 2);
  auto x = on(gpu, hx), dy = on(gpu, hdy), y = on(gpu, hx), dx = on(gpu, hx), y1 = on(gpu, hx), dx1 = on(gpu, hx);
  softmax_forward(gpu, in(x), y.view());
  softmax_backward(gpu, in(y), in(dy), dx.view());
  for (std::size_t begin = 0; begin < 33; begin += 3) {
    softmax_forward(gpu, in(x).rows(begin, 3), y1.view().rows(begin, 3));
    softmax_backward(gpu, in(y).rows(begin, 3), in(dy).rows(begin, 3), dx1.view().rows(begin, 3));
  }
  Results whole, parts;
  whole.add("y", gpu, in(y));
  whole.add("dx", gpu, in(dx));
  parts.add("y", gpu, in(y1));
  parts.add("dx", gpu, in(dx1));
  whole.check_equal(parts);
}
