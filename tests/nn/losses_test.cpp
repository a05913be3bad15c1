#include "support/catch.hpp"

#include <minitrain/nn/losses.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace mt = minitrain;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class L>
void check_refused(const L& loss, std::size_t outputs, mt::ErrorCode code, const std::string& part) {
  CAPTURE(part);
  try {
    loss.check(outputs);
    FAIL_CHECK("not refused");
  } catch (const mt::Error& error) {
    CHECK(error.code() == code);
    CHECK_THAT(error.what(), test::ContainsSubstring(L::name()));
    CHECK_THAT(error.what(), test::ContainsSubstring(part));
  }
}

mt::SoftmaxCrossEntropy weighted(std::vector<double> weights) {
  return {.label_smoothing = 0, .class_weights = std::move(weights)};
}

/// A loss of the user's, as nn/loss.hpp shows it.
struct MeanAbsoluteError {
  static constexpr bool uses_labels = false;
  static const char* name() { return "MeanAbsoluteError"; }
  void check(std::size_t) const {}
  template <class T, class Device>
  void operator()(const Device&, const mt::LossArguments<T, Device>& a) const {
    const T columns = static_cast<T>(a.y.columns());
    for (std::size_t row = 0; row < a.y.rows(); ++row) {
      double sum = 0;
      for (std::size_t j = 0; j < a.y.columns(); ++j) {
        const T error = a.y(row, j) - a.targets(row, j);
        sum += std::abs(error) / columns;
        if (!a.dy.empty()) a.dy(row, j) = static_cast<T>((error > 0) - (error < 0)) / columns;
      }
      a.totals[0] += sum;
      a.totals[1] += 1;
    }
  }
};

static_assert(mt::LossSpec<MeanAbsoluteError>);
static_assert(!mt::LossSpec<int>);
static_assert(mt::SoftmaxCrossEntropy::uses_labels && !mt::MeanSquaredError::uses_labels);

}  // namespace

TEST_CASE("losses that fit a model are accepted") {
  CHECK_NOTHROW(mt::MeanSquaredError{}.check(1));
  CHECK_NOTHROW(mt::Huber{.delta = 2}.check(1));
  CHECK_NOTHROW(mt::BinaryCrossEntropy{}.check(1));
  CHECK_NOTHROW(mt::SoftmaxCrossEntropy{}.check(2));
  CHECK_NOTHROW(weighted({0, 1, 2.5}).check(3));
}

TEST_CASE("a loss of the user's adds to the totals and writes dy") {
  const float y[] = {1, 2, 3, 4}, targets[] = {1, 4, 0, 4};
  float dy[4] = {9, 9, 9, 9};
  double totals[] = {1, 2, 3};
  const mt::Shape shape{2, 2};
  MeanAbsoluteError{}(0,
                      mt::LossArguments<float, int>{{y, shape}, {targets, shape}, {}, {dy, shape}, {}, {totals, {3}}});
  CHECK(totals[0] == 1 + 1 + 1.5);
  CHECK(totals[1] == 4);
  CHECK(totals[2] == 3);
  CHECK(std::vector<float>(dy, dy + 4) == std::vector<float>{0, -0.5f, 0.5f, 0});
}

TEST_CASE("Huber refuses a delta that is not finite and positive") {
  for (const double bad : {not_a_number, infinity, 0.0, -1.0}) {
    check_refused(mt::Huber{.delta = bad}, 1, mt::ErrorCode::invalid_argument, "delta is");
  }
}

TEST_CASE("SoftmaxCrossEntropy refuses models and options that do not fit") {
  using mt::ErrorCode;
  const mt::SoftmaxCrossEntropy plain;
  CHECK_THROWS_AS(plain.check(1), mt::ShapeError);
  check_refused(plain, 1, ErrorCode::shape_mismatch, "use BinaryCrossEntropy with one output");
  CHECK_THROWS_AS(weighted({1, 1}).check(3), mt::ShapeError);
  check_refused(weighted({1, 1}), 3, ErrorCode::count_mismatch, "2 class_weights for a model with 3 outputs");
  for (const double bad : {not_a_number, infinity, 1e300, -1.0}) {
    check_refused(weighted({1, bad}), 2, ErrorCode::invalid_argument, "a class weight is");
  }
  check_refused(weighted({0, 0}), 2, ErrorCode::invalid_argument, "the largest class weight is 0");
  for (const double bad : {not_a_number, infinity, 1.0, -0.1}) {
    check_refused(mt::SoftmaxCrossEntropy{.label_smoothing = bad, .class_weights = {}}, 2, ErrorCode::invalid_argument,
                  "label_smoothing is");
  }
}
