// Matrix products in tf32, bf16 and fp16: those of the rounded operands, summed in fp32, in an order that no split at
// whole granules changes.

#include <minitrain/cuda.hpp>

#include "cuda/layer_oracle.hpp"
#include "cuda/weight_gradients.hpp"

#include <minitrain/trainer.hpp>

namespace mt = minitrain;

namespace {

using mt::Math;
using test::back;
using test::granule;
using test::in;
using test::on;
using test::rounded;
using test::Sizes;

constexpr Math modes[] = {Math::tf32, Math::bf16, Math::fp16};

mt::Cuda gpu(Math math) { return mt::Cuda{mt::CudaOptions{.math = math}}; }

}  // namespace

TEST_CASE("Products in tf32, bf16 and fp16 are those of rounded operands", "[math]") {
  bool relu = false;
  for (const Math math : modes) {
    for (const Sizes& s : {Sizes{1, 1, 2}, Sizes{31, 33, 2}, Sizes{33, 31, 257}, Sizes{2, 257, 33}, Sizes{257, 2, 31},
                           Sizes{64, 32, 64}}) {
      test::check_layer({.math = math}, s, relu, !relu);
      relu = !relu;
    }
  }
}

TEST_CASE("Products of every tile are those of rounded operands", "[math]") {
  // As in dense_test.cpp: 64 by 64 from 65 by 65 on, and 128 by 128 from 129 by 129.
  for (const Math math : modes) {
    for (const Sizes& s : {Sizes{66, 20, 70}, Sizes{20, 70, 66}, Sizes{70, 66, 20}, Sizes{129, 9, 132},
                           Sizes{9, 130, 131}, Sizes{130, 132, 9}}) {
      test::check_layer({.math = math}, s, true, true);
    }
  }
}

TEST_CASE("Nothing to multiply is no error in any mode", "[math]") {
  using namespace minitrain;
  for (const Math math : modes) {
    const Cuda device = gpu(math);
    const auto scope = device.arithmetic_scope();
    const auto x = on(device, test::uniform({0, 5}, 1)), w = on(device, test::uniform({5, 3}, 2)),
               b = on(device, test::uniform({3}, 3)), dy = on(device, test::uniform({0, 3}, 4));
    Tensor<float, Cuda> y(device, {0, 3}), dx(device, {0, 5});
    auto dw = on(device, test::uniform({5, 3}, 5)), db = on(device, test::uniform({3}, 6));
    dense_forward(device, in(x), in(w), in(b), {ActivationKind::relu}, y.view());
    dense_backward_input(device, in(dy), in(w), {ActivationKind::relu}, in(x), dx.view());
    dense_backward_weights(device, in(x), in(dy), dw.view(), db.view(), true);
    CHECK(back(device, dw) == test::uniform({5, 3}, 5));
    CHECK(back(device, db) == test::uniform({3}, 6));
    dense_backward_weights(device, in(x), in(dy), dw.view(), db.view(), false);
    CHECK(back(device, dw) == Tensor<float>({5, 3}));
    CHECK(back(device, db) == Tensor<float>({3}));
  }
}

TEST_CASE("Operands are rounded to nearest even, to infinity where the mode ends, and NaN stays NaN", "[math]") {
  using namespace minitrain;
  std::vector<float> values{0.0f,     1.0f,          -1.5f,          65504.0f,        65519.0f,
                            65520.0f, -65520.0f,     70000.0f,       0x1p-14f,        0x1p-24f,
                            0x1p-25f, 0x3p-25f,      0x5p-25f,       0x1.8p-26f,      1e30f,
                            -1e-30f,  3.4028235e38f, test::infinity, -test::infinity, test::not_a_number};
  for (const int bits : {7, 10}) {  // ties, and numbers just beside them, above even and odd neighbours
    for (const int n : {2, 3}) {
      const float tie = 1.0f + static_cast<float>(2 * n + 1) * std::ldexp(1.0f, -bits - 1);
      for (const float x : {tie, std::nextafter(tie, 0.0f), std::nextafter(tie, 2.0f), -tie}) values.push_back(x);
    }
  }
  values.push_back(std::bit_cast<float>(0x7f800001u));  // a NaN whose bits are all below what is kept
  const std::size_t count = values.size();
  for (const Math math : modes) {
    const Cuda device = gpu(math);
    const auto scope = device.arithmetic_scope();
    Tensor<float> x({count, 1}), w({1, 2});
    std::copy(values.begin(), values.end(), x.data());
    w[0] = w[1] = 1.0f;
    const auto x_there = on(device, x), w_there = on(device, w);
    const Tensor<float, Cuda> none(device, {0});
    Tensor<float, Cuda> y(device, {count, 2});
    dense_forward(device, in(x_there), in(w_there), in(none), {ActivationKind::identity}, y.view());
    const auto got = back(device, y);
    for (std::size_t i = 0; i < count; ++i) {
      CAPTURE(to_string(math), values[i]);
      if (std::isnan(values[i])) {
        CHECK(std::isnan(got(i, 0)));
        CHECK(std::isnan(got(i, 1)));
      } else {
        CHECK(got(i, 0) == static_cast<float>(rounded(math, values[i])));
        CHECK(got(i, 1) == got(i, 0));
      }
    }
  }
}

TEST_CASE("Weight gradients do not depend on a split at whole granules, nor on the run", "[math]") {
  using namespace minitrain;
  for (const Math math : modes) {
    const Cuda device = gpu(math);
    const auto scope = device.arithmetic_scope();
    for (const std::size_t outputs : {5, 40}) {
      const std::size_t rows = 75;
      const test::Results whole = test::weight_gradients_in_parts(device, outputs, rows);
      for (const std::size_t part : {rows, granule(math), 2 * granule(math), std::size_t{48}}) {
        CAPTURE(to_string(math), outputs, part);
        whole.check_equal(test::weight_gradients_in_parts(device, outputs, part));
      }
    }
  }
}

TEST_CASE("A trainer learns in every mode, and micro-batches of whole granules do not show", "[math]") {
  const auto data = mt::synthetic_classification({.samples = 192, .features = 6, .classes = 3, .seed = 5});
  const mt::Sequential model{mt::Dense{6, 16}, mt::ReLU{}, mt::Dense{16, 3}};
  for (const Math math : {Math::fp32, Math::tf32, Math::bf16, Math::fp16}) {
    CAPTURE(mt::to_string(math));
    const auto train = [&](std::size_t micro_batch_size) {
      mt::Trainer trainer{gpu(math),
                          model,
                          mt::SoftmaxCrossEntropy{},
                          mt::Adam{.learning_rate = 0.02},
                          {.epochs = 4, .batch_size = 64, .micro_batch_size = micro_batch_size, .seed = 3}};
      const double before = trainer.evaluate(data).loss;
      trainer.fit(data);
      CHECK(trainer.evaluate(data).loss < 0.7 * before);
      return trainer.parameters();
    };
    const auto whole = train(64);
    CHECK(train(32) == whole);
  }
}

TEST_CASE("A device says what its products are in", "[math]") {
  CHECK(mt::Cuda{}.math() == Math::fp32);
  CHECK(mt::Cuda{}.exact());
  for (const Math math : modes) {
    CHECK(gpu(math).math() == math);
    CHECK(mt::describe_device(gpu(math)).ends_with(std::string("), products in ") + mt::to_string(math)));
  }
  mt::Trainer trainer{gpu(Math::bf16), mt::Sequential{mt::Dense{2, 2}}, mt::SoftmaxCrossEntropy{}, mt::SGD{}};
  CHECK_THAT(trainer.explain(), test::ContainsSubstring("products in bf16"));
  CHECK_THAT(trainer.explain(), test::ContainsSubstring("splits at multiples of 16 change no bit"));
}
