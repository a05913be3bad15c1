#include <minitrain/data/generated.hpp>
#include <minitrain/data/label_noise.hpp>

#include <cmath>
#include <limits>

#include "data/reading.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

mt::Dataset labelled(std::size_t n, std::size_t classes) {
  return mt::generated({.feature_columns = 1, .classes = classes}, n,
                       [classes](std::uint64_t i, mt::SampleBuffers out) {
                         out.features[0] = static_cast<float>(i);
                         out.labels[0] = static_cast<std::int32_t>(i % classes);
                       });
}

}  // namespace

TEST_CASE("a fraction of the labels is another class, all equally likely") {
  constexpr std::size_t n = 100'000, classes = 5;
  const test::Read noisy = test::read_all(mt::with_label_noise(labelled(n, classes), 0.3, 11));
  std::vector<std::vector<std::size_t>> counts(classes, std::vector<std::size_t>(classes));
  for (std::size_t i = 0; i < n; ++i) {
    REQUIRE(noisy.labels[i] >= 0);
    REQUIRE(noisy.labels[i] < static_cast<std::int32_t>(classes));
    ++counts[i % classes][static_cast<std::size_t>(noisy.labels[i])];
  }
  // 20,000 samples of each class: 14,000 stay, 1,500 go to each other class; five standard deviations.
  for (std::size_t from = 0; from < classes; ++from) {
    for (std::size_t to = 0; to < classes; ++to) {
      INFO(from << " to " << to);
      const double wanted = from == to ? 14'000 : 1'500, deviation = from == to ? 64.8 : 37.3;
      CHECK(std::abs(static_cast<double>(counts[from][to]) - wanted) < 5 * deviation);
    }
  }
  CHECK(noisy.features == test::read_all(labelled(n, classes)).features);
}

TEST_CASE("label noise is a function of seed and sample, whoever reads, in every epoch", "[threads]") {
  const mt::Dataset data = mt::with_label_noise(labelled(500, 4), 0.5, 3);
  CHECK_FALSE(data.source()->varies());
  test::check_readings_agree(data);
  const test::Read first = test::read_all(data, {.seed = 1, .epoch = 0});
  CHECK(first == test::read_all(data, {.seed = 2, .epoch = 9}));
  CHECK(first == test::read_all(mt::with_label_noise(labelled(500, 4), 0.5, 3)));
  CHECK(first.labels != test::read_all(mt::with_label_noise(labelled(500, 4), 0.5, 4)).labels);
  // Which samples is no matter of their labels.
  const test::Read other = test::read_all(mt::with_label_noise(
      mt::generated({.feature_columns = 1, .classes = 4}, 500, [](std::uint64_t, mt::SampleBuffers) {}), 0.5, 3));
  std::size_t differ = 0;
  for (std::size_t i = 0; i < 500; ++i)
    differ += (other.labels[i] != 0) != (first.labels[i] != static_cast<std::int32_t>(i % 4));
  CHECK(differ == 0);
  // More of it changes what was changed, and more.
  const test::Read more = test::read_all(mt::with_label_noise(labelled(500, 4), 0.9, 3));
  std::size_t changed = 0, changed_more = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    const auto label = static_cast<std::int32_t>(i % 4);
    changed += first.labels[i] != label;
    changed_more += more.labels[i] != label;
    if (first.labels[i] != label) CHECK(more.labels[i] == first.labels[i]);
  }
  CHECK(changed > 200);
  CHECK(changed < 300);
  CHECK(changed_more > 420);
}

TEST_CASE("no noise and nothing but noise") {
  const test::Read clean = test::read_all(labelled(1000, 2));
  CHECK(test::read_all(mt::with_label_noise(labelled(1000, 2), 0, 1)) == clean);
  const test::Read wrong = test::read_all(mt::with_label_noise(labelled(1000, 2), 1, 1));
  for (std::size_t i = 0; i < 1000; ++i) REQUIRE(wrong.labels[i] == 1 - clean.labels[i]);
}

TEST_CASE("label noise of no sense is refused") {
  for (const double fraction : {-0.1, 1.1, std::nan(""), std::numeric_limits<double>::infinity()}) {
    test::check_error<mt::OptionError>(
        ErrorCode::invalid_argument, [&] { mt::with_label_noise(labelled(10, 3), fraction, 1); }, "fraction", "0 to 1");
  }
  const mt::Dataset regression{{.samples = 1, .features = {1}, .targets = {1}}};
  test::check_error<mt::DataError>(
      ErrorCode::shape_mismatch, [&] { mt::with_label_noise(regression, 0.1, 1); }, "1 targets, 0 classes", "labels");
  test::check_error<mt::DataError>(
      ErrorCode::shape_mismatch, [&] { mt::with_label_noise(labelled(10, 1), 0.1, 1); }, "1 classes");
}
