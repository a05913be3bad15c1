// A device that is not exact: whoever computes a product, it is the product, and who that is is decided once.

#include <minitrain/cuda.hpp>

#include "cuda/layer_oracle.hpp"

#include <minitrain/trainer.hpp>

#include <algorithm>

namespace mt = minitrain;

namespace {

using mt::Math;
using test::in;
using test::on;

constexpr Math modes[] = {Math::fp32, Math::tf32, Math::bf16, Math::fp16};

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("Products that cuBLASLt may compute are those of rounded operands", "[math]") {
  bool relu = false;
  for (const Math math : modes) {
    for (const test::Sizes& s : {test::Sizes{1, 1, 2}, test::Sizes{9, 17, 2}, test::Sizes{17, 9, 34},
                                 test::Sizes{16, 8, 12}, test::Sizes{0, 3, 2}}) {
      test::check_layer({.math = math, .exact = false}, s, relu, true);
      relu = !relu;
    }
    test::check_layer({.math = math, .exact = false}, {5, 4, 7}, relu, false);
  }
}

TEST_CASE("Who computes a product is decided once for each shape", "[math]") {
  using namespace minitrain;
  const Cuda device(CudaOptions{.exact = false});
  const auto scope = device.arithmetic_scope();
  CHECK(describe_choices(device) == "products: none chosen yet\n");
  const auto w = on(device, test::uniform({12, 20}, 2)), b = on(device, test::uniform({20}, 3));
  const auto forward = [&](std::size_t rows) {
    const auto x = on(device, test::uniform({rows, 12}, 1));
    Tensor<float, Cuda> y(device, {rows, 20});
    dense_forward(device, in(x), in(w), in(b), {ActivationKind::relu}, y.view());
    test::Results results;
    results.add("y", device, y.view());
    return results;
  };
  const auto first = forward(8);
  const std::string text = describe_choices(device);
  CHECK_THAT(text, test::ContainsSubstring("y = x*W 8x20x12, bias, relu: "));
  CHECK_THAT(text, test::ContainsSubstring("own kernel"));
  first.check_equal(forward(8));
  CHECK(describe_choices(device) == text);
  forward(9);
  CHECK(lines(describe_choices(device)) == 2);
  CHECK(describe_choices(Cuda{0}) == "products: own kernels\n");
}

TEST_CASE("A trainer that is not exact learns, and tells what it has chosen", "[math]") {
  const auto data = mt::synthetic_classification({.samples = 192, .features = 6, .classes = 3, .seed = 5});
  for (const Math math : modes) {
    mt::Trainer trainer{mt::Cuda(mt::CudaOptions{.math = math, .exact = false}),
                        mt::Sequential{mt::Dense{6, 16}, mt::ReLU{}, mt::Dense{16, 3}},
                        mt::SoftmaxCrossEntropy{},
                        mt::Adam{.learning_rate = 0.02},
                        {.epochs = 4, .batch_size = 64, .micro_batch_size = 32, .seed = 3}};
    const double before = trainer.evaluate(data).loss;
    trainer.fit(data);
    CHECK(trainer.evaluate(data).loss < 0.7 * before);
    // Both layers forward; the weights of both fresh and added to; the input of the second.
    for (const char* product : {"y = x*W 32x16x6, bias, relu", "y = x*W 32x3x16, bias:", "dW = x'*dy 6x16x32, bias",
                                "dW = x'*dy 16x3x32, added, bias", "dx = dy*W' 32x16x3, relu gradient"}) {
      CHECK_THAT(trainer.explain(), test::ContainsSubstring(product));
    }
    CHECK_THAT(trainer.explain(), test::ContainsSubstring("cuBLASLt allowed"));
    CHECK_THAT(trainer.explain(), test::ContainsSubstring("a split may change last bits"));
  }
}
