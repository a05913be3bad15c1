#include <minitrain/data/combine.hpp>
#include <minitrain/data/generated.hpp>
#include <minitrain/data/label_noise.hpp>
#include <minitrain/data/transform.hpp>

#include <limits>
#include <stdexcept>

#include "data/reading.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

/// Features i and -i, target 3·i.
void make_sample(std::uint64_t i, mt::SampleBuffers out) {
  out.features[0] = static_cast<float>(i);
  out.features[1] = -static_cast<float>(i);
  out.targets[0] = 3 * static_cast<float>(i);
}
constexpr mt::SampleShape shape{.feature_columns = 2, .target_columns = 1};
constexpr mt::SampleShape one_feature{.feature_columns = 1};

}  // namespace

TEST_CASE("samples that a function makes") {
  const mt::Dataset data = mt::generated(shape, 100, make_sample);
  CHECK(data.size() == 100);
  CHECK(data.shape() == shape);
  CHECK_FALSE(data.in_memory());
  CHECK_FALSE(data.source()->varies());
  CHECK(data.bytes() == 0);
  CHECK(data.feature(7, 0) == 7);
  CHECK(data.feature(99, 1) == -99);
  CHECK(data.target(20) == 60);  // the features are not asked for, but there is room for them
  CHECK(data.subset({50, 3}).target(1) == 9);
}

TEST_CASE("samples that a function makes many at a time") {
  std::atomic<std::size_t> calls{0};
  const mt::Dataset data = mt::generated({.feature_columns = 2, .classes = 5}, 1000,
                                         [&](std::span<const std::uint64_t> samples, mt::SampleBuffers out) {
                                           ++calls;
                                           for (std::size_t i = 0; i < samples.size(); ++i) {
                                             out.features[2 * i + 1] = static_cast<float>(samples[i]);
                                             out.labels[i] = static_cast<std::int32_t>(samples[i] % 5);
                                           }
                                         });
  const test::Read all = test::read_all(data, {.block = 100});
  CHECK(calls == 10);
  CHECK(all.labels[7] == 2);
  CHECK(all.features[2 * 999 + 1] == std::bit_cast<std::uint32_t>(999.0f));
  CHECK(all.features[2 * 999] == 0);  // left alone, and not what the buffer held
  CHECK(data.label(8) == 3);
  CHECK(data.feature(8, 1) == 8);
}

TEST_CASE("a generated set reads the same in any order, by any thread", "[threads]") {
  test::check_readings_agree(mt::generated(shape, 501, make_sample));
  test::check_readings_agree(mt::generated({.feature_columns = 1, .classes = 3}, 501,
                                           [](std::span<const std::uint64_t> samples, mt::SampleBuffers out) {
                                             for (std::size_t i = 0; i < samples.size(); ++i) {
                                               out.features[i] = static_cast<float>(samples[i] * samples[i]);
                                               out.labels[i] = static_cast<std::int32_t>(samples[i] % 3);
                                             }
                                           }));
}

TEST_CASE("a generated set of ten billion samples, and of 2^63, is read at its end") {
  for (const std::uint64_t n : {std::uint64_t{10'000'000'000}, std::uint64_t{1} << 63}) {
    std::uint64_t asked = 0;
    const mt::Dataset data = mt::generated(one_feature, n, [&](std::uint64_t i, mt::SampleBuffers out) {
      asked = i;
      out.features[0] = static_cast<float>(i % 1000);
    });
    CHECK(data.size() == n);
    CHECK(data.feature(n - 1, 0) == static_cast<float>((n - 1) % 1000));
    CHECK(asked == n - 1);
    test::check_error<mt::DataError>(
        ErrorCode::count_mismatch, [&] { data.feature(n, 0); }, "feature of sample", "there are");
  }
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [] { mt::generated(shape, (std::uint64_t{1} << 63) + 1, make_sample); },
      "9223372036854775809 samples", "1 to 2^63");
}

TEST_CASE("samples too large for any machine are refused by their size") {
  const auto make = [](const mt::SampleShape& wanted, std::uint64_t n = 10) {
    return mt::generated(wanted, n, [](std::uint64_t, mt::SampleBuffers) {});
  };
  const std::size_t most = std::size_t{1} << 40;
  CHECK(make({.feature_columns = most}).feature_columns() == most);
  CHECK(make({.feature_columns = 1, .classes = std::size_t{1} << 31}).classes() == std::size_t{1} << 31);
  for (const mt::SampleShape& wanted : {mt::SampleShape{.feature_columns = std::size_t{1} << 62},
                                        {.feature_columns = most + 1},
                                        {.feature_columns = most, .target_columns = 1},
                                        {.feature_columns = 1, .target_columns = ~std::size_t{0}}}) {
    INFO(wanted.feature_columns << " " << wanted.target_columns);
    test::check_error<mt::DataError>(
        ErrorCode::bad_shape, [&] { make(wanted); }, std::to_string(wanted.feature_columns),
        std::to_string(wanted.target_columns), "at most 1099511627776");
  }
  test::check_error<mt::DataError>(
      ErrorCode::bad_shape, [&] { make({.feature_columns = 1, .classes = (std::size_t{1} << 31) + 1}); }, "2147483649",
      "at most 2147483648");
  test::check_error<mt::DataError>(
      ErrorCode::bad_shape, [&] { mt::zip(make({.feature_columns = most}), make({.feature_columns = 1})); },
      "1099511627777");
}

TEST_CASE("a generated set of nothing is refused") {
  test::check_error<mt::DataError>(
      ErrorCode::empty_data, [] { mt::generated(shape, 0, make_sample); }, "no samples");
  test::check_error<mt::DataError>(
      ErrorCode::empty_data, [] { mt::generated({}, 1, make_sample); }, "no features");
  test::check_error<mt::DataError>(
      ErrorCode::count_mismatch,
      [] { mt::generated({.feature_columns = 1, .target_columns = 1, .classes = 2}, 1, make_sample); },
      "classes and real targets");
}

TEST_CASE("what the user's function throws is nested in an error that names the sample") {
  const mt::Dataset data = mt::generated(one_feature, 10, [](std::uint64_t i, mt::SampleBuffers) {
    if (i == 4) throw std::runtime_error("the database is away");
    if (i == 5) throw 5;
    if (i == 6) throw mt::DataError(ErrorCode::io_error, "a disk");
  });
  const auto read = [&](std::uint64_t sample) { return [&data, sample] { data.feature(sample, 0); }; };
  CHECK_NOTHROW(read(3)());
  const auto code = ErrorCode::function_failed;
  test::check_error<mt::DataError>(code, read(4), "sample 4: the database is away");
  CHECK(test::nested_messages(read(4)) ==
        "generated: the function failed for sample 4: the database is away < the database is away");
  test::check_error<mt::DataError>(code, read(5), "sample 5", "no std::exception");
  CHECK(test::nested_messages(read(5)).find("< other") != std::string::npos);
  test::check_error<mt::DataError>(code, read(6), "sample 6: a disk");

  const mt::Dataset many = mt::generated(
      one_feature, 100, [](std::span<const std::uint64_t>, mt::SampleBuffers) { throw std::bad_alloc(); });
  std::vector<float> x(3);
  mt::SampleBuffers out;
  out.features = x.data();
  const std::uint64_t samples[] = {17, 5, 9};
  test::check_error<mt::DataError>(
      code, [&] { many.read({}, samples, out); }, "3 samples from 17");
}

TEST_CASE("the sample that a function is called for can be seen from outside") {
  std::atomic<std::uint64_t> current{0};
  std::vector<std::uint64_t> seen;
  const mt::Dataset data =
      mt::generated(one_feature, 100, [&](std::uint64_t, mt::SampleBuffers) { seen.push_back(current.load()); });
  mt::Reading reading;
  reading.current = &current;
  std::vector<float> x(3);
  mt::SampleBuffers out;
  out.features = x.data();
  const std::vector<std::uint64_t> samples{17, 5, 9};
  data.read(reading, samples, out);
  CHECK(seen == samples);
}

TEST_CASE("a function is seen at the sample of the set that is read, whatever that is made of") {
  std::atomic<std::uint64_t> current{0};
  std::vector<std::uint64_t> seen, in_transform;
  const mt::Dataset inner =
      mt::generated(one_feature, 5000, [&](std::uint64_t, mt::SampleBuffers) { seen.push_back(current.load()); });
  std::vector<std::uint64_t> backwards(5000);
  for (std::uint64_t i = 0; i < 5000; ++i) backwards[i] = 4999 - i;
  const mt::Dataset reversed = inner.subset(backwards);
  const mt::Dataset other = mt::generated({.feature_columns = 1}, 600, [](std::uint64_t, mt::SampleBuffers) {});
  const mt::Dataset transformed =
      mt::transform(mt::slice(reversed, 40, 600), [&](std::span<float>) { in_transform.push_back(current.load()); });
  const mt::Dataset labelled =
      mt::with_label_noise(mt::zip(transformed, mt::Dataset{{.samples = 600,
                                                             .features = std::vector<float>(600),
                                                             .labels = std::vector<std::int32_t>(600),
                                                             .classes = 2}}),
                           0.5, 1);

  std::vector<std::uint64_t> samples(600);  // more than are read at a time
  for (std::uint64_t i = 0; i < 600; ++i) samples[i] = i * 7 % 600;
  const auto check = [&](const mt::Dataset& data) {
    seen.clear();
    mt::Reading reading;
    reading.current = &current;
    std::vector<float> x(samples.size() * data.feature_columns());
    std::vector<std::int32_t> labels(samples.size());
    mt::SampleBuffers out;
    out.features = x.data();
    if (data.is_classification()) out.labels = labels.data();
    data.read(reading, samples, out);
    return seen == samples;
  };
  CHECK(check(mt::slice(inner, 500, 600)));
  CHECK(check(reversed));
  CHECK(check(mt::zip(mt::take(inner, 600), other)));
  CHECK(check(transformed));
  CHECK(in_transform == samples);
  CHECK(check(labelled));
  CHECK(check(labelled.subset({backwards.end() - 600, backwards.end()})));
  // In the second of two sets one after another.
  for (std::uint64_t& sample : samples) sample += 600;
  CHECK(check(mt::concat({other, mt::slice(reversed, 3, 600)})));
}

TEST_CASE("a reading that is asked to stop calls no function any more") {
  std::stop_source stop;
  std::size_t calls = 0;
  const mt::Dataset data = mt::generated(one_feature, 100, [&](std::uint64_t, mt::SampleBuffers) {
    if (++calls == 2) stop.request_stop();
  });
  mt::Reading reading;
  reading.stop = stop.get_token();
  std::vector<float> x(3);
  mt::SampleBuffers out;
  out.features = x.data();
  const std::uint64_t samples[] = {1, 2, 3};
  data.read(reading, samples, out);
  CHECK(calls == 2);

  // A function that waits is told, and what it leaves half done is not looked at.
  bool told = false;
  const auto waits = [&](auto, mt::SampleBuffers to, std::stop_token token) {
    told = token.stop_requested();
    to.features[0] = std::numeric_limits<float>::quiet_NaN();
  };
  std::stop_source other;
  const mt::Dataset slow =
      mt::generated(one_feature, 100, [&](std::uint64_t i, mt::SampleBuffers to, std::stop_token token) {
        other.request_stop();
        waits(i, to, token);
      });
  reading.stop = other.get_token();
  CHECK_NOTHROW(slow.read(reading, samples, out));
  CHECK(told);
  std::stop_source third;
  const mt::Dataset slow_many = mt::generated(
      one_feature, 100, [&](std::span<const std::uint64_t> all, mt::SampleBuffers to, std::stop_token token) {
        third.request_stop();
        waits(all, to, token);
      });
  reading.stop = third.get_token();
  told = false;
  CHECK_NOTHROW(slow_many.read(reading, samples, out));
  CHECK(told);
}

TEST_CASE("numbers and labels that a function should not make are named with the sample") {
  const float bad = std::numeric_limits<float>::infinity();
  const auto fill = [bad](std::uint64_t i, mt::SampleBuffers out) {
    out.features[1] = i == 8 ? bad : 1;
    out.targets[0] = i == 9 ? -bad : 1;
  };
  const mt::Dataset data = mt::generated(shape, 10, fill);
  CHECK_NOTHROW(data.feature(7, 0));
  const auto code = ErrorCode::non_finite;
  test::check_error<mt::DataError>(
      code, [&] { data.feature(8, 0); }, "feature 1 of sample 8 is inf", "NonFinite::keep");
  test::check_error<mt::DataError>(
      code, [&] { data.feature(9, 0); }, "target 0 of sample 9 is -inf");
  CHECK(mt::generated(shape, 10, fill, mt::NonFinite::keep).feature(8, 1) == bad);

  const mt::Dataset labels =
      mt::generated({.feature_columns = 1, .classes = 3}, 10,
                    [](std::uint64_t i, mt::SampleBuffers out) { out.labels[0] = static_cast<std::int32_t>(i) - 1; });
  CHECK(labels.label(3) == 2);
  test::check_error<mt::DataError>(
      ErrorCode::label_out_of_range, [&] { labels.label(4); }, "sample 4 has label 3", "0 to 2");
  test::check_error<mt::DataError>(
      ErrorCode::label_out_of_range, [&] { labels.feature(0, 0); }, "sample 0 has label -1");
}
