#include <minitrain/cpu/device.hpp>
#include <minitrain/data/dataset.hpp>

#include <cmath>
#include <limits>

#include "data/support.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("a data set from vectors") {
  const mt::Dataset data{{.samples = 3, .features = {1, 2, 3, 4, 5, 6}, .targets = {10, 20, 30}}};
  CHECK(data.size() == 3);
  CHECK_FALSE(data.empty());
  CHECK(data.feature_columns() == 2);
  CHECK(data.target_columns() == 1);
  CHECK(data.classes() == 0);
  CHECK_FALSE(data.is_classification());
  CHECK(data.feature(2, 0) == 5);
  CHECK(data.target(1) == 20);
}

TEST_CASE("a data set from tensors and arrays, float and double") {
  const mt::Tensor<float> x(mt::Shape{2, 3}, {1, 2, 3, 4, 5, 6});
  const mt::Tensor<float> y(mt::Shape{2, 2}, {1, 2, 3, 4});
  const mt::Dataset floats = mt::Dataset::regression(x, y);
  CHECK(floats.size() == 2);
  CHECK(floats.feature_columns() == 3);
  CHECK(floats.target_columns() == 2);
  CHECK(floats.feature(1, 2) == 6);
  CHECK(floats.target(1, 0) == 3);

  const double features[] = {0.1, 0.2, 0.3};
  const double targets[] = {1e-3, 2, 3};
  const mt::Dataset doubles = mt::Dataset::regression({features, mt::Shape{3}}, {targets, mt::Shape{3}});
  CHECK(doubles.feature_columns() == 1);
  CHECK(doubles.feature(0, 0) == 0.1f);
  CHECK(doubles.target(0) == 1e-3f);

  const std::vector<std::int32_t> labels{0, 2};
  const mt::Dataset classes = mt::Dataset::classification(x, labels, 3);
  CHECK(classes.is_classification());
  CHECK(classes.classes() == 3);
  CHECK(classes.target_columns() == 0);
  CHECK(classes.label(1) == 2);
  const double pair[] = {1, 2};
  CHECK(mt::Dataset::classification({pair, mt::Shape{2, 1}}, labels, 3).feature(1, 0) == 2);

  // Images of rank 3 are rows of all their pixels.
  const std::vector<float> pixels(24, 1.0f);
  const std::vector<std::int32_t> two{0, 1};
  CHECK(mt::Dataset::classification({pixels.data(), mt::Shape{2, 3, 4}}, two, 2).feature_columns() == 12);
}

TEST_CASE("bytes stand for scale times byte plus offset") {
  const std::vector<std::uint8_t> bytes{0, 1, 128, 255};
  const std::vector<std::int32_t> labels{1, 0};
  const auto data = mt::Dataset::classification({bytes.data(), mt::Shape{2, 2}}, labels, 2, 1 / 255.0f, -0.5f);
  CHECK(data.feature(0, 0) == -0.5f);
  CHECK(data.feature(1, 1) == static_cast<float>(255 * static_cast<double>(1 / 255.0f) - 0.5));
  CHECK(data.feature(1, 0) == static_cast<float>(128 * static_cast<double>(1 / 255.0f) - 0.5));
  CHECK(data.feature_columns() == 2);
}

TEST_CASE("copies and subsets share the numbers") {
  const mt::Dataset data{{.samples = 4, .features = {0, 1, 2, 3}, .targets = {0, 10, 20, 30}}};
  const mt::Dataset copy = data;
  CHECK(&copy.storage() == &data.storage());
  CHECK(data.rows().empty());
  const mt::Dataset part = data.subset({3, 1, 1});
  CHECK(&part.storage() == &data.storage());
  CHECK(part.size() == 3);
  CHECK(part.feature(0, 0) == 3);
  CHECK(part.target(2) == 10);
  const mt::Dataset smaller = part.subset({2, 0});
  CHECK(smaller.size() == 2);
  CHECK(smaller.row(0) == 1);
  CHECK(smaller.row(1) == 3);
  CHECK(data.size() == 4);
  test::check_error<mt::DataError>(
      ErrorCode::empty_data, [&] { data.subset({}); }, "no samples");
  test::check_error<mt::DataError>(
      ErrorCode::count_mismatch, [&] { part.subset({3}); }, "subset with sample 3, but there are 3: count");
}

TEST_CASE("a default data set is empty") {
  const mt::Dataset data;
  CHECK(data.empty());
  CHECK(data.size() == 0);
  CHECK(data.classes() == 0);
  test::check_error<mt::DataError>(
      ErrorCode::count_mismatch, [&] { data.feature(0, 0); }, "feature of sample 0");
}

TEST_CASE("a data set moved from is empty") {
  mt::Dataset data{{.samples = 2, .features = {1, 2}, .targets = {1, 2}}};
  mt::Dataset part = data.subset({1});
  const mt::Dataset moved = std::move(data), moved_part = std::move(part);
  CHECK(moved.feature_columns() == 1);
  CHECK(moved_part.size() == 1);
  for (const mt::Dataset& from : {data, part, mt::Dataset()}) {
    CHECK(from.empty());
    CHECK(from.feature_columns() == 0);
    CHECK(from.target_columns() == 0);
    CHECK_FALSE(from.is_classification());
    CHECK_FALSE(from.has_answers());
    CHECK(from.rows().empty());
  }
}

TEST_CASE("a data set without answers") {
  const mt::Tensor<float> x(mt::Shape{3, 2}, {1, 2, 3, 4, 5, 6});
  const double doubles[] = {1, 2, 3, 4, 5, 6};
  const mt::Dataset parts{{.samples = 3, .features = {1, 2, 3, 4, 5, 6}}};
  for (const mt::Dataset& data :
       {parts, mt::Dataset::unlabelled(x), mt::Dataset::unlabelled({doubles, mt::Shape{3, 2}})}) {
    CHECK(data.size() == 3);
    CHECK(data.feature_columns() == 2);
    CHECK(data.target_columns() == 0);
    CHECK(data.classes() == 0);
    CHECK_FALSE(data.is_classification());
    CHECK_FALSE(data.has_answers());
    CHECK(data.subset({2}).feature(0, 1) == 6);
    test::check_error<mt::DataError>(
        ErrorCode::count_mismatch, [&] { data.target(0); }, "target of sample 0, but samples have none");
  }
  CHECK(mt::Dataset{{.samples = 2, .bytes = {1, 7}}}.feature(1, 0) == 7);
  CHECK(mt::Dataset{{.samples = 1, .features = {1}, .targets = {1}}}.has_answers());
  CHECK(mt::Dataset{{.samples = 1, .features = {1}, .labels = {0}, .classes = 1}}.has_answers());
  // Classes without labels are not it.
  test::check_error<mt::DataError>(
      ErrorCode::count_mismatch, [] { mt::Dataset data{{.samples = 1, .features = {1}, .classes = 2}}; }, "0 labels");
}

TEST_CASE("bytes whose features would not fit a float are refused") {
  const auto make = [](float scale, float offset) {
    return [=] { mt::Dataset data{{.samples = 1, .bytes = {255}, .scale = scale, .offset = offset}}; };
  };
  const auto code = ErrorCode::non_finite;
  test::check_error<mt::DataError>(code, make(3e38f, 0), "scale 3e+38 and offset 0", "finite");
  test::check_error<mt::DataError>(code, make(-3e38f, 1), "scale -3e+38");
  test::check_error<mt::DataError>(code, make(1e36f, 3.3e38f), "offset 3.3e+38");
  test::check_error<mt::DataError>(code, make(1, infinity), "offset inf");
  CHECK_NOTHROW(make(1e36f, 0)());
  CHECK_NOTHROW(make(-2.6e36f, 3.3e38f)());
}

TEST_CASE("asking for what is not there is an error") {
  const mt::Dataset data{{.samples = 2, .features = {1, 2}, .targets = {1, 2}}};
  const auto code = ErrorCode::count_mismatch;
  test::check_error<mt::DataError>(
      code, [&] { data.feature(2, 0); }, "feature of sample 2, but there are 2");
  test::check_error<mt::DataError>(
      code, [&] { data.feature(0, 1); }, "feature of sample 0, column 1, but there are 1");
  test::check_error<mt::DataError>(
      code, [&] { data.target(0, 1); }, "target of sample 0, column 1");
  test::check_error<mt::DataError>(
      code, [&] { data.label(0); }, "label of sample 0, but samples have none");
}

TEST_CASE("counts that differ are refused with both") {
  const auto code = ErrorCode::count_mismatch;
  const mt::Tensor<float> x(mt::Shape{3, 2}), y(mt::Shape{2});
  const std::vector<std::int32_t> labels{0, 1};
  const auto make = [](mt::DatasetParts parts) { return [parts] { mt::Dataset data(parts); }; };
  test::check_error<mt::DataError>(
      code, [&] { mt::Dataset::regression(x, y); }, "3 rows of features", "2 rows of targets");
  test::check_error<mt::DataError>(
      code, [&] { mt::Dataset::classification(x, labels, 2); }, "3 rows", "2 labels");
  test::check_error<mt::DataError>(code, make({.samples = 2, .features = {1, 2, 3}, .targets = {1, 2}}), "3 features",
                                   "2 samples");
  test::check_error<mt::DataError>(code, make({.samples = 2, .features = {1, 2}, .targets = {1, 2, 3}}), "3 targets");
  test::check_error<mt::DataError>(code, make({.samples = 2, .bytes = {1, 2}, .labels = {0}, .classes = 1}),
                                   "1 labels");
  test::check_error<mt::DataError>(code, make({.samples = 1, .features = {1}, .bytes = {1}, .targets = {1}}), "floats");
  test::check_error<mt::DataError>(code, make({.samples = 1, .features = {1}, .labels = {0}}), "set classes");
  test::check_error<mt::DataError>(
      code, make({.samples = 1, .features = {1}, .targets = {1}, .labels = {0}, .classes = 1}), "real targets");
}

TEST_CASE("a label outside of its range is named with its sample") {
  const auto code = ErrorCode::label_out_of_range;
  const mt::Tensor<float> x(mt::Shape{3, 1});
  const auto make = [&](std::vector<std::int32_t> labels) {
    return [&x, labels] { mt::Dataset::classification(x, labels, 10); };
  };
  test::check_error<mt::DataError>(code, make({0, 9, 10}), "sample 2 has label 10", "10 classes", "0 to 9");
  test::check_error<mt::DataError>(code, make({0, -1, 3}), "sample 1 has label -1", "number the classes from 0");
  test::check_error<mt::DataError>(
      code,
      [&] {
        mt::Dataset::classification(x, std::vector<std::int32_t>{1, 1, -1}, 2);
      },
      "sample 2", "write 0 and 1 for -1 and 1");
  CHECK_NOTHROW(make({0, 9, 5})());
}

TEST_CASE("nothing at all is refused") {
  const auto code = ErrorCode::empty_data;
  const auto make = [](mt::DatasetParts parts) { return [parts] { mt::Dataset data(parts); }; };
  test::check_error<mt::DataError>(code, make({}), "no samples");
  test::check_error<mt::DataError>(code, make({.samples = 1, .targets = {1}}), "no features");
  test::check_error<mt::DataError>(code, make({.features = {1, 2}, .targets = {1}}), ".samples is 0", "set .samples");
  test::check_error<mt::DataError>(code, make({.bytes = {1, 2}, .labels = {0}, .classes = 1}), "set .samples");
  test::check_error<mt::DataError>(
      code,
      [] {
        mt::Dataset::regression(mt::Tensor<float>(mt::Shape{2, 3}), mt::Tensor<float>(mt::Shape{2, 0}));
      },
      "no targets", "unlabelled()");
  test::check_error<mt::DataError>(
      code,
      [] {
        mt::Dataset::regression(mt::Tensor<float>(mt::Shape{0, 3}), mt::Tensor<float>(mt::Shape{0}));
      },
      "no samples");
}

TEST_CASE("NaN and infinity are refused by name, or kept") {
  const auto code = ErrorCode::non_finite;
  const mt::Tensor<float> x(mt::Shape{2, 2}, {1, 2, 3, nan_value}), y(mt::Shape{2}, {1, -infinity});
  const mt::Tensor<float> good(mt::Shape{2}, {1, 2});
  test::check_error<mt::DataError>(
      code, [&] { mt::Dataset::regression(x, good); }, "feature 1 of sample 1", "nan");
  test::check_error<mt::DataError>(
      code, [&] { mt::Dataset::regression(good, y); }, "target 0 of sample 1", "-inf");
  const double large[] = {1, 1e300};
  test::check_error<mt::DataError>(
      code,
      [&] {
        mt::Dataset::regression({large, mt::Shape{2}}, {large, mt::Shape{2}});
      },
      "feature 0 of sample 1 is 1e+300, which does not fit a float");
  const double infinite[] = {1, HUGE_VAL};
  test::check_error<mt::DataError>(
      code,
      [&] {
        mt::Dataset::unlabelled({infinite, mt::Shape{2}});
      },
      "feature 0 of sample 1 is inf", "keep");
  CHECK(mt::Dataset::unlabelled({infinite, mt::Shape{2}}, mt::NonFinite::keep).feature(1, 0) == infinity);
  // It rounds down to the largest float.
  const double largest[] = {3.4028235e38};
  CHECK(mt::Dataset::unlabelled({largest, mt::Shape{1}}).feature(0, 0) == std::numeric_limits<float>::max());
  CHECK(mt::Dataset::regression(good, y, mt::NonFinite::keep).target(1) == -infinity);
  const std::vector<std::uint8_t> bytes{1, 2};
  const std::vector<std::int32_t> labels{0, 1};
  test::check_error<mt::DataError>(
      code,
      [&] {
        mt::Dataset::classification({bytes.data(), mt::Shape{2}}, labels, 2, nan_value);
      },
      "scale");
}
