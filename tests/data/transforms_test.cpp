#include <minitrain/data/combine.hpp>
#include <minitrain/data/generated.hpp>
#include <minitrain/data/transforms.hpp>

#include <cmath>
#include <limits>

#include "data/reading.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

std::vector<float> row(const mt::Dataset& set, std::size_t sample) {
  std::vector<float> result;
  for (std::size_t j = 0; j < set.feature_columns(); ++j) result.push_back(set.feature(sample, j));
  return result;
}

mt::Dataset rows(std::size_t n, std::vector<float> features) {
  return mt::Dataset{{.samples = n, .features = std::move(features), .non_finite = mt::NonFinite::keep}};
}

}  // namespace

TEST_CASE("Normalize has one mean for all columns, for runs of them, or for each") {
  const mt::Dataset data = rows(1, {1, 2, 3, 4, 5, 6});
  CHECK(row(mt::transform(data, mt::Normalize{.mean = 1, .deviation = 2}), 0) ==
        std::vector<float>{0, 0.5, 1, 1.5, 2, 2.5});
  CHECK(row(mt::transform(data, mt::Normalize{}), 0) == row(data, 0));
  // Channels: two means for columns 0 to 2 and 3 to 5, three deviations for pairs.
  CHECK(row(mt::transform(data, mt::Normalize{.mean = {1, 4}, .deviation = {1, 2, 4}}), 0) ==
        std::vector<float>{0, 1, 1, 0, 0.25, 0.5});
  CHECK(row(mt::transform(data, mt::Normalize{.mean = {1, 2, 3, 4, 5, 7}, .deviation = {0.5}}), 0) ==
        std::vector<float>{0, 0, 0, 0, 0, -2});
  CHECK(row(mt::transform(rows(1, {0.7f}), mt::Normalize{.mean = 0.1307, .deviation = 0.3081}), 0)[0] ==
        static_cast<float>((static_cast<double>(0.7f) - 0.1307) / 0.3081));
  CHECK_FALSE(mt::transform(data, mt::Normalize{}).source()->varies());

  const auto attach = [&](mt::Normalize normalize) { return [=] { mt::transform(data, normalize); }; };
  test::check_error<mt::ShapeError>(ErrorCode::shape_mismatch, attach({.mean = {1, 2, 3, 4}}), "4 means for 6 columns");
  test::check_error<mt::ShapeError>(ErrorCode::shape_mismatch, attach({.deviation = std::vector<double>{}}),
                                    "0 deviations for 6 columns");
  test::check_error<mt::OptionError>(ErrorCode::invalid_argument, attach({.deviation = {1, 0}}),
                                     "0 among the deviations");
  test::check_error<mt::OptionError>(ErrorCode::invalid_argument, attach({.mean = std::nan("")}),
                                     "nan among the means");
  test::check_error<mt::OptionError>(ErrorCode::invalid_argument, attach({.deviation = HUGE_VAL}), "inf among");
}

TEST_CASE("Standardize takes the numbers of the training set to any set") {
  // Columns of mean 2.5 and deviation sqrt(1.25), constant, and large with a small deviation.
  const mt::Dataset train = rows(4, {1, 7, 16777216, 2, 7, 16777218, 3, 7, 16777216, 4, 7, 16777218});
  const mt::Standardize scale = mt::fit_standardize(train);
  CHECK(scale.mean == std::vector<double>{2.5, 7, 16777217});
  CHECK(scale.deviation == std::vector<double>{std::sqrt(1.25), 1, 1});
  CHECK(row(mt::transform(train, scale), 3) == std::vector<float>{static_cast<float>(1.5 / std::sqrt(1.25)), 0, 1});
  CHECK(row(mt::transform(rows(1, {2.5, 9, 1}), scale), 0) == std::vector<float>{0, 2, -16777216});
  CHECK_FALSE(mt::transform(train, scale).source()->varies());
  CHECK(mt::fit_standardize(rows(1, {5})).deviation == std::vector<double>{1});
  // A constant that no binary fraction is stays constant.
  CHECK(mt::fit_standardize(rows(1000, std::vector<float>(1000, 0.1f))).deviation == std::vector<double>{1});

  test::check_error<mt::ShapeError>(
      ErrorCode::shape_mismatch, [&] { mt::transform(rows(1, {1}), scale); }, "fitted to 3 columns", "there are 1");
  test::check_error<mt::DataError>(
      ErrorCode::empty_data, [] { mt::fit_standardize(mt::Dataset()); }, "no samples");
  std::vector<float> bad(600, 1.0f);
  bad[521] = std::numeric_limits<float>::quiet_NaN();
  test::check_error<mt::DataError>(
      ErrorCode::non_finite, [&] { mt::fit_standardize(rows(300, bad)); }, "feature 1 of sample 260 is nan");
}

TEST_CASE("Standardize of a set that is read equals that of the same set in memory, bit for bit", "[exactness]") {
  constexpr std::size_t n = 1000, columns = 7;
  const mt::Random random(5, mt::RandomPurpose::test);
  std::vector<float> features(n * columns);
  for (std::size_t i = 0; i < features.size(); ++i) features[i] = static_cast<float>(100 + random.uniform(i));
  const mt::Dataset memory = rows(n, features);
  const mt::Dataset read = mt::generated({.feature_columns = columns}, n, [&](std::uint64_t i, mt::SampleBuffers out) {
    std::copy_n(features.data() + i * columns, columns, out.features);
  });
  const mt::Standardize a = mt::fit_standardize(memory), b = mt::fit_standardize(read),
                        c = mt::fit_standardize(mt::concat({mt::take(memory, 300), mt::slice(read, 300, 700)}));
  CHECK(a.mean == b.mean);
  CHECK(a.deviation == b.deviation);
  CHECK(a.mean == c.mean);
  CHECK(a.deviation == c.deviation);
  CHECK(test::read_all(mt::transform(memory, a)) == test::read_all(mt::transform(read, b)));
  // And they are right.
  const test::Read done = test::read_all(mt::transform(memory, a));
  for (std::size_t j = 0; j < columns; ++j) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const auto x = static_cast<double>(std::bit_cast<float>(done.features[i * columns + j]));
      sum += x, squares += x * x;
    }
    CHECK(std::abs(sum / n) < 1e-6);
    CHECK(std::abs(squares / n - 1) < 1e-6);
  }
}

TEST_CASE("OneHot puts columns in the place of one") {
  const mt::Dataset data = rows(3, {5, 0, 6, 7, 2, 8, 9, 1, 1});
  CHECK(row(mt::transform(data, mt::OneHot{.column = 1, .categories = 3}), 0) == std::vector<float>{5, 1, 0, 0, 6});
  CHECK(row(mt::transform(data, mt::OneHot{.column = 1, .categories = 3}), 1) == std::vector<float>{7, 0, 0, 1, 8});
  CHECK(row(mt::transform(data, mt::OneHot{.column = 2, .categories = 9}, mt::OneHot{.column = 0, .categories = 10}),
            1) == std::vector<float>{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  test::check_error<mt::ShapeError>(
      ErrorCode::shape_mismatch, [&] { mt::transform(data, mt::OneHot{.column = 3, .categories = 3}); }, "column 3",
      "there are 3");
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [&] { mt::transform(data, mt::OneHot{}); }, "0 categories");
  for (const std::size_t categories : {~std::size_t{0}, (std::size_t{1} << 31) + 1}) {
    test::check_error<mt::OptionError>(
        ErrorCode::invalid_argument, [&] { mt::transform(data, mt::OneHot{.categories = categories}); },
        std::to_string(categories) + " categories", "2^31");
  }
  for (const float value : {3.0f, -1.0f, 0.5f, 1e30f, std::numeric_limits<float>::quiet_NaN()}) {
    INFO(value);
    test::check_error<mt::DataError>(
        ErrorCode::label_out_of_range,
        [&] {
          mt::transform(rows(2, {0, value}), mt::OneHot{.categories = 3}).feature(1, 0);
        },
        "sample 1", "column 0 is", "0 to 2");
  }
}

TEST_CASE("GaussianNoise has its deviation, and is another in each epoch") {
  constexpr std::size_t n = 20'000;
  const mt::Dataset zeros = mt::generated({.feature_columns = 3}, n, [](std::uint64_t, mt::SampleBuffers) {});
  const mt::Dataset noisy = mt::transform(zeros, mt::GaussianNoise{.deviation = 2});
  CHECK(noisy.source()->varies());
  const test::Read read = test::read_all(noisy);
  for (std::size_t j = 0; j < 3; ++j) {
    double sum = 0, squares = 0, neighbours = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const auto x = static_cast<double>(std::bit_cast<float>(read.features[3 * i + j]));
      const auto y = static_cast<double>(std::bit_cast<float>(read.features[3 * i + (j + 1) % 3]));
      sum += x, squares += x * x, neighbours += x * y;
    }
    const double root = std::sqrt(static_cast<double>(n));
    CHECK(std::abs(sum / n) < 5 * 2 / root);
    CHECK(std::abs(squares / n - 4) < 5 * 4 * 1.4142 / root);
    CHECK(std::abs(neighbours / n) < 5 * 4 / root);
  }
  CHECK(read.features != test::read_all(noisy, {.epoch = 1}).features);
  CHECK(test::read_all(mt::transform(zeros, mt::GaussianNoise{})) == test::read_all(zeros));
  for (const double deviation : {-1.0, std::nan(""), HUGE_VAL}) {
    test::check_error<mt::OptionError>(
        ErrorCode::invalid_argument, [&] { mt::transform(zeros, mt::GaussianNoise{.deviation = deviation}); },
        "GaussianNoise: deviation", "at least 0");
  }
  // Two in a chain do not draw the same: the variance is the sum, not four times one.
  const test::Read twice =
      test::read_all(mt::transform(zeros, mt::GaussianNoise{.deviation = 1}, mt::GaussianNoise{.deviation = 1}));
  double squares = 0;
  for (const std::uint32_t bits : twice.features) {
    const auto x = static_cast<double>(std::bit_cast<float>(bits));
    squares += x * x / (3 * n);
  }
  CHECK(squares > 1.9);
  CHECK(squares < 2.1);
}

TEST_CASE("CheckFinite names the first number that is not") {
  const float nan_value = std::numeric_limits<float>::quiet_NaN();
  const mt::Dataset data = mt::transform(rows(3, {1, 2, 3, nan_value, nan_value, 6}), mt::CheckFinite{});
  CHECK(data.feature(0, 1) == 2);
  CHECK_FALSE(data.source()->varies());
  test::check_error<mt::DataError>(
      ErrorCode::non_finite, [&] { data.feature(1, 0); }, "sample 1: CheckFinite: feature 1 of sample 1 is nan");
  std::vector<float> x(6);
  mt::SampleBuffers out;
  out.features = x.data();
  const std::uint64_t samples[] = {0, 2, 1};
  test::check_error<mt::DataError>(
      ErrorCode::non_finite, [&] { data.read({}, samples, out); },
      "sample 2: CheckFinite: feature 0 of sample 2 is nan");
  // What a transform makes, and targets.
  const mt::Dataset divided = mt::transform(
      rows(2, {1, 0}), [](std::span<float> v) { v[0] = 1 / v[0]; }, mt::CheckFinite{});
  test::check_error<mt::DataError>(
      ErrorCode::non_finite, [&] { divided.feature(1, 0); },
      "number 2 of 2, sample 1: CheckFinite: feature 0 of sample 1 is inf");
  const mt::Dataset targets{
      {.samples = 1, .features = {1}, .targets = {1, nan_value}, .non_finite = mt::NonFinite::keep}};
  test::check_error<mt::DataError>(
      ErrorCode::non_finite, [&] { mt::transform(targets, mt::CheckFinite{}).target(0, 0); },
      "target 1 of sample 0 is nan");
}
