// Gradients of every layer and loss, and that the check itself can fail.

#include <minitrain/testing/gradient_check.hpp>
#include <minitrain/trainer.hpp>

#include "../contract/scale_layer.hpp"
#include "support/catch.hpp"

#include <limits>

namespace mt = minitrain;

namespace {

template <class Model, class Loss>
void check(const Model& model, const Loss& loss, std::size_t batch, double limit = 1e-8) {
  const auto report = mt::testing::gradient_check(model, loss, {.batch = batch, .seed = 2});
  CAPTURE(report.worst, report.entries, report.kinks, batch);
  CHECK(report.fault == "");
  CHECK(report.entries > 0);
  CHECK(report.kinks <= report.entries / 10);
  CHECK(report.largest_relative_error < limit);
}

// Scale with the signs of its parameters' gradient wrong.
struct WrongScale : Scale {
  template <class T, class Device>
  void backward(const Device& device, const mt::BackwardPass<T, Device>& pass) const {
    Scale::backward(device, pass);
    for (auto& value : pass.gradients[0]) value = -value;
  }
};

// The right gradient for the parameters, half of it for the input.
struct HalfInputGradient : Scale {
  template <class T, class Device>
  void backward(const Device& device, const mt::BackwardPass<T, Device>& pass) const {
    Scale::backward(device, pass);
    for (auto& value : pass.dx) value *= T(0.5);
  }
};

// A gradient entry that is not a number, before others that are right.
struct NotANumber : Scale {
  template <class T, class Device>
  void backward(const Device& device, const mt::BackwardPass<T, Device>& pass) const {
    Scale::backward(device, pass);
    pass.gradients[0][0] = std::numeric_limits<T>::quiet_NaN();
  }
};

// Right sums for one micro-batch, which forget the ones before (adds = false) or round otherwise than one by one.
template <bool adds>
struct SumsByItself : Scale {
  template <class T, class Device>
  void backward(const Device&, const mt::BackwardPass<T, Device>& pass) const {
    for (std::size_t j = 0; j < columns; ++j) {
      T sum = 0;
      for (std::size_t b = 0; b < pass.x.rows(); ++b) {
        sum += pass.x(b, j) * pass.dy(b, j);
        if (!pass.dx.empty()) pass.dx(b, j) = pass.parameters[0][j] * pass.dy(b, j);
      }
      pass.gradients[0][j] = adds ? pass.gradients[0][j] + sum : sum;
    }
  }
};

// Does not ask whether dx is wanted.
struct WritesEmptyInputGradient : Scale {
  template <class T, class Device>
  void backward(const Device& device, const mt::BackwardPass<T, Device>& pass) const {
    Scale::backward(device, pass);
    for (std::size_t b = 0; b < pass.x.rows(); ++b) {
      for (std::size_t j = 0; j < columns; ++j) {
        pass.dx.data()[b * columns + j] = pass.parameters[0][j] * pass.dy(b, j);
      }
    }
  }
};

// Its gradient is right only when dx is wanted.
struct ForgetsWithoutInputGradient : Scale {
  template <class T, class Device>
  void backward(const Device& device, const mt::BackwardPass<T, Device>& pass) const {
    if (!pass.dx.empty()) Scale::backward(device, pass);
  }
};

// Leaves dx as it was where it believes it to be zero.
struct LeavesInputGradient : Scale {
  template <class T, class Device>
  void backward(const Device& device, const mt::BackwardPass<T, Device>& pass) const {
    Scale::backward(
        device, mt::BackwardPass<T, Device>{
                    pass.x, pass.y, pass.kept, pass.dy, {}, pass.parameters, pass.gradients, pass.layer, pass.pass});
  }
};

// Adds to dx, which is zero before the first backward only.
struct AddsToInputGradient : Scale {
  template <class T, class Device>
  void backward(const Device&, const mt::BackwardPass<T, Device>& pass) const {
    for (std::size_t b = 0; b < pass.x.rows(); ++b) {
      for (std::size_t j = 0; j < columns; ++j) {
        pass.gradients[0][j] += pass.x(b, j) * pass.dy(b, j);
        if (!pass.dx.empty()) pass.dx(b, j) += pass.parameters[0][j] * pass.dy(b, j);
      }
    }
  }
};

// y = x·(mask of the sample), the sample counted from the first of the micro-batch: not from the first of the step.
struct CountsRowsFromMicroBatch {
  std::size_t columns = 0;

  std::size_t input_columns() const { return columns; }
  std::string name() const { return "CountsRowsFromMicroBatch"; }
  mt::Shape output_shape(const mt::Shape& x) const { return x; }
  template <class T, class Device>
  void forward(const Device&, const mt::ForwardPass<T, Device>& pass) const {
    scale(pass.x, pass.y);
  }
  template <class T, class Device>
  void backward(const Device&, const mt::BackwardPass<T, Device>& pass) const {
    if (!pass.dx.empty()) scale(pass.dy, pass.dx);
  }
  template <class In, class Out>
  static void scale(const In& in, const Out& out) {
    for (std::size_t b = 0; b < in.rows(); ++b) {
      for (std::size_t j = 0; j < in.columns(); ++j) out(b, j) = in(b, j) * static_cast<double>(b % 3);
    }
  }
};

// Computes in float whatever it is asked for.
struct ScaleInFloat : Scale {
  template <class T, class Device>
  void forward(const Device&, const mt::ForwardPass<T, Device>& pass) const {
    for (std::size_t b = 0; b < pass.x.rows(); ++b) {
      for (std::size_t j = 0; j < columns; ++j) {
        pass.y(b, j) = static_cast<float>(pass.parameters[0][j]) * static_cast<float>(pass.x(b, j));
      }
    }
  }
};

}  // namespace

TEST_CASE("gradients of every layer agree with central differences", "[gradient]") {
  const mt::MeanSquaredError mse;
  for (const std::size_t batch : {1, 2, 5}) {
    for (const std::size_t width : {1, 2, 15, 16, 17, 33}) {
      CAPTURE(batch, width);
      const mt::Dense in{3, width}, out{width, 2};
      check(mt::Sequential{mt::Dense{width, 1}}, mse, batch);
      check(mt::Sequential{mt::Dense{3, width, false}, out}, mse, batch);
      check(mt::Sequential{in, mt::ReLU{}, out}, mse, batch);
      check(mt::Sequential{in, mt::LeakyReLU{0.2}, out}, mse, batch);
      check(mt::Sequential{in, mt::Tanh{}, out}, mse, batch);
      check(mt::Sequential{in, mt::Sigmoid{}, out}, mse, batch);
      check(mt::Sequential{in, mt::GELU{}, out}, mse, batch);
      check(mt::Sequential{in, mt::SiLU{}, out}, mse, batch);
      check(mt::Sequential{in, mt::Softmax{}, out}, mse, batch);
      check(mt::Sequential{in, mt::Dropout{0.4}, out}, mse, batch);
      if (width > 2) check(mt::Sequential{in, mt::LayerNorm{width}, out}, mse, batch, 1e-7);
      check(mt::Sequential{in, mt::Tanh{}, mt::Dropout{0.2}, mt::Dense{width, width}, mt::GELU{}, out}, mse, batch);
      check(mt::Sequential{in, mt::Tanh{}, mt::Tanh{}, mt::ReLU{}, out, mt::Sigmoid{}}, mse, batch);
    }
  }
}

TEST_CASE("gradients of every loss agree with central differences", "[gradient]") {
  for (const std::size_t batch : {1, 3, 8}) {
    for (const std::size_t outputs : {2, 3, 16, 17, 33}) {
      CAPTURE(batch, outputs);
      const mt::Sequential model{mt::Dense{4, 7}, mt::Tanh{}, mt::Dense{7, outputs}};
      check(model, mt::MeanSquaredError{}, batch);
      check(model, mt::Huber{.delta = 0.7}, batch);
      check(model, mt::BinaryCrossEntropy{}, batch);
      check(model, mt::SoftmaxCrossEntropy{}, batch);
      check(model, mt::SoftmaxCrossEntropy{.label_smoothing = 0.2}, batch);
      std::vector<double> weights;
      for (std::size_t k = 0; k < outputs; ++k) weights.push_back(0.5 + 0.3 * static_cast<double>(k % 4));
      check(model, mt::SoftmaxCrossEntropy{.label_smoothing = 0.1, .class_weights = weights}, batch);
    }
  }
}

TEST_CASE("a last softmax and the cross-entropy are one operation", "[gradient]") {
  check(mt::Sequential{mt::Dense{4, 7}, mt::Tanh{}, mt::Dense{7, 3}, mt::Softmax{}}, mt::SoftmaxCrossEntropy{}, 5);
}

TEST_CASE("a user's layer passes, and a wrong one does not", "[gradient]") {
  const mt::SoftmaxCrossEntropy loss;
  check(mt::Sequential{mt::Dense{4, 8}, Scale{8}, mt::ReLU{}, mt::Dense{8, 2}}, loss, 5);
  const auto wrong = mt::testing::gradient_check(mt::Sequential{mt::Dense{4, 8}, WrongScale{8}, mt::Dense{8, 2}}, loss);
  CHECK(wrong.largest_relative_error > 1);
  CHECK(wrong.worst.starts_with("1.scale["));
  const auto half =
      mt::testing::gradient_check(mt::Sequential{mt::Dense{4, 8}, HalfInputGradient{8}, mt::Dense{8, 2}}, loss);
  CHECK(half.largest_relative_error > 1e-3);
}

TEST_CASE("a gradient that is not a number counts as infinity", "[gradient]") {
  const mt::Sequential model{mt::Dense{4, 8}, NotANumber{8}, mt::Dense{8, 2}};
  const auto report = mt::testing::gradient_check(model, mt::SoftmaxCrossEntropy{});
  CHECK(report.largest_relative_error == std::numeric_limits<double>::infinity());
  CHECK(report.worst == "1.scale[0]");
}

TEST_CASE("a layer that does not add to the gradient fails", "[gradient]") {
  for (const std::size_t batch : {1, 2, 5}) {
    CAPTURE(batch);
    const mt::Sequential model{mt::Dense{4, 8}, SumsByItself<false>{8}, mt::Dense{8, 2}};
    const auto report = mt::testing::gradient_check(model, mt::SoftmaxCrossEntropy{}, {.batch = batch});
    CHECK(report.largest_relative_error == std::numeric_limits<double>::infinity());
    CHECK(report.worst.starts_with("1.scale["));
    CHECK_THAT(report.fault, test::ContainsSubstring("add to the gradients"));
  }
}

TEST_CASE("a layer that shows the split into micro-batches fails", "[gradient]") {
  const mt::MeanSquaredError loss;
  const mt::Dense in{4, 8}, out{8, 2};
  const auto sums = mt::testing::gradient_check(mt::Sequential{in, SumsByItself<true>{8}, out}, loss, {.batch = 9});
  CHECK(sums.largest_relative_error == std::numeric_limits<double>::infinity());
  CHECK(sums.worst.starts_with("1.scale["));
  CHECK_THAT(sums.fault, test::ContainsSubstring("micro-batches"));

  const auto rows = mt::testing::gradient_check(mt::Sequential{in, CountsRowsFromMicroBatch{8}, out}, loss);
  CHECK(rows.largest_relative_error == std::numeric_limits<double>::infinity());
  CHECK(rows.worst.starts_with("0.weight["));
  CHECK_THAT(rows.fault, test::ContainsSubstring("micro-batches"));

  const auto input = mt::testing::gradient_check(mt::Sequential{CountsRowsFromMicroBatch{4}}, loss, {.batch = 5});
  CHECK(input.worst.starts_with("input["));
  CHECK_THAT(input.fault, test::ContainsSubstring("micro-batches"));

  // With one sample there is no split to show.
  check(mt::Sequential{in, SumsByItself<true>{8}, out}, loss, 1);
}

TEST_CASE("a first layer gets an empty dx, as in training", "[gradient]") {
  const mt::MeanSquaredError loss;
  check(mt::Sequential{Scale{4}, mt::Dense{4, 2}}, loss, 3);
  check(mt::Sequential{mt::LayerNorm{4}, mt::Dense{4, 2}}, loss, 3, 1e-7);
  check(mt::Sequential{mt::Softmax{}, mt::Dense{4, 2}}, loss, 3);
  check(mt::Sequential{mt::Dropout{0.3}, mt::Dense{4, 2}}, loss, 3);
  check(mt::Sequential{mt::GELU{}, mt::Dense{4, 2}}, loss, 3);

  const auto writes = mt::testing::gradient_check(mt::Sequential{WritesEmptyInputGradient{4}, mt::Dense{4, 2}}, loss);
  CHECK(writes.largest_relative_error == std::numeric_limits<double>::infinity());
  CHECK(writes.worst == "input[0]");
  CHECK_THAT(writes.fault, test::ContainsSubstring("dx.empty()"));

  const auto forgets =
      mt::testing::gradient_check(mt::Sequential{ForgetsWithoutInputGradient{4}, mt::Dense{4, 2}}, loss);
  CHECK(forgets.worst.starts_with("0.scale["));
  CHECK_THAT(forgets.fault, test::ContainsSubstring("when dx is empty"));

  // Behind another layer dx is always wanted.
  check(mt::Sequential{mt::Dense{3, 4}, WritesEmptyInputGradient{4}, mt::Dense{4, 2}}, loss, 3);
}

TEST_CASE("every entry of dx is to be written", "[gradient]") {
  const auto report =
      mt::testing::gradient_check(mt::Sequential{LeavesInputGradient{4}, mt::Dense{4, 2}}, mt::MeanSquaredError{});
  CHECK(report.largest_relative_error == std::numeric_limits<double>::infinity());
  CHECK(report.worst == "input[0]");

  const mt::Sequential model{mt::Dense{3, 4}, AddsToInputGradient{4}, mt::Dense{4, 2}};
  const auto adds = mt::testing::gradient_check(model, mt::MeanSquaredError{});
  CHECK(adds.largest_relative_error == std::numeric_limits<double>::infinity());
  CHECK(adds.worst.starts_with("0.weight["));
  CHECK_THAT(adds.fault, test::ContainsSubstring("write dx anew"));
}

TEST_CASE("a layer that differences say nothing about is refused", "[gradient]") {
  const mt::MeanSquaredError loss;
  try {
    mt::testing::gradient_check(mt::Sequential{mt::Dense{4, 8}, ScaleInFloat{8}, mt::Dense{8, 2}}, loss);
    FAIL("a layer in float was accepted");
  } catch (const mt::NumericError& error) {
    CHECK_THAT(error.what(), test::ContainsSubstring("entries of 0.weight"));
    CHECK_THAT(error.what(), test::ContainsSubstring("computes in float, at random, or has kinks everywhere"));
  }
  // A single entry, and that one left out: nothing was checked.
  CHECK_THROWS_AS(mt::testing::gradient_check(mt::Sequential{ScaleInFloat{1}}, loss, {.batch = 1}), mt::NumericError);
}

TEST_CASE("gradient_check refuses options out of range", "[gradient]") {
  const mt::Sequential model{mt::Dense{4, 3}};
  const mt::SoftmaxCrossEntropy loss;
  CHECK_THROWS_AS(mt::testing::gradient_check(model, loss, {.batch = 0}), mt::OptionError);
  CHECK_THROWS_AS(mt::testing::gradient_check(model, loss, {.classes = 4}), mt::OptionError);
  CHECK(mt::testing::gradient_check(model, loss, {.classes = 3}).largest_relative_error < 1e-8);
  CHECK(mt::testing::gradient_check(model, loss, {.classes = 1}).largest_relative_error < 1e-8);
  try {
    mt::testing::gradient_check(model, loss, {.classes = 4});
  } catch (const mt::OptionError& error) {
    CHECK(error.code() == mt::ErrorCode::invalid_argument);
    CHECK_THAT(error.what(), test::ContainsSubstring("classes is 4"));
  }
}

TEST_CASE("gradient_check refuses what a trainer refuses", "[gradient]") {
  CHECK_THROWS_AS(mt::testing::gradient_check(mt::Sequential{mt::Dense{4, 8}, mt::Dense{7, 2}}, mt::MeanSquaredError{}),
                  mt::ShapeError);
}
