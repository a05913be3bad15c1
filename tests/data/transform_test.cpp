#include <minitrain/data/combine.hpp>
#include <minitrain/data/generated.hpp>
#include <minitrain/data/transform.hpp>

#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>

#include "data/reading.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

/// Features i, i + 0.5 and target 10·i.
mt::Dataset counting(std::uint64_t n) { return mt::Dataset(std::make_shared<test::NotedSource>(n)); }

mt::Dataset classes(std::uint64_t n) {
  return mt::generated({.feature_columns = 2, .classes = 3}, n, [](std::uint64_t i, mt::SampleBuffers out) {
    out.features[0] = static_cast<float>(i);
    out.labels[0] = static_cast<std::int32_t>(i % 3);
  });
}

/// Every feature becomes a random number.
struct Draw {
  void operator()(std::span<float> x, mt::SampleRandom& random) const {
    for (float& value : x) value = static_cast<float>(random.uniform());
  }
};

/// Takes random numbers, but does not vary.
struct Settled {
  static constexpr bool random = false;
  void operator()(std::span<float>, mt::SampleRandom&) const {}
};

/// The features twice over.
struct Twice {
  std::size_t columns(std::size_t in) const { return 2 * in; }
  void operator()(std::span<const float> in, std::span<float> out) const {
    std::copy(in.begin(), in.end(), out.begin());
    std::copy(in.begin(), in.end(), out.begin() + static_cast<std::ptrdiff_t>(in.size()));
  }
};

/// The features from the last to the first, which needs them all until the end.
struct Reverse {
  std::size_t columns(std::size_t in) const { return in; }
  void operator()(std::span<const float> in, std::span<float> out) const {
    for (std::size_t j = 0; j < in.size(); ++j) out[j] = in[in.size() - 1 - j];
  }
};

/// The sum of the features.
struct Sum {
  std::size_t columns(std::size_t) const { return 1; }
  void operator()(std::span<const float> in, std::span<float> out) const {
    out[0] = 0;
    for (const float x : in) out[0] += x;
  }
};

constexpr auto add_one = [](std::span<float> x) {
  for (float& value : x) value += 1;
};
constexpr auto times_two = [](std::span<float> x) {
  for (float& value : x) value *= 2;
};

static_assert(mt::Transform<Draw> && mt::Transform<Twice> && mt::Transform<mt::Map>);
static_assert(mt::Transform<void (*)(mt::Sample&)>);
// What returns something would lose it; what is not const cannot be called by several threads.
static_assert(!mt::Transform<float (*)(std::span<float>)>);
static_assert(!mt::Transform<std::vector<float> (*)(std::span<const float>)>);
static_assert(!mt::Transform<decltype([n = 0](std::span<float>) mutable { ++n; })>);
static_assert(!mt::Transform<int>);

}  // namespace

TEST_CASE("the random numbers of a sample are those of Philox with their place as counter") {
  // The key is a block of the seed's numbers, counted by the epoch; then come blocks of the sample.
  const std::uint64_t seed = 0x0123456789ABCDEF, epoch = 0x1'0000'0002, sample = 0x3'0000'0004;
  mt::SampleRandom random(seed, epoch, sample, 5);
  const auto key = mt::philox4x32({2, 1, 0xFFFF'FFFF, 0xFFFF'FF07}, {0x89ABCDEF, 0x01234567});
  for (std::uint32_t block = 0; block < 3; ++block) {
    const auto words = mt::philox4x32({block, 4, 3, (5 << 8) + 7}, {key[0], key[1]});
    for (const std::uint32_t word : words) CHECK(random.bits() == word);
  }
  // Words that no later version may change.
  mt::SampleRandom zero(0, 0, 0);
  const std::uint32_t first = zero.bits(), second = zero.bits();
  CHECK(first == 0x972A8139);
  CHECK(second == 0x16613D78);
  mt::SampleRandom same(0, 0, 0);
  CHECK(same.uniform() == static_cast<double>((std::uint64_t{first} << 21) ^ (second >> 11)) * 0x1p-53);
}

TEST_CASE("random numbers of all places differ, and have the right distribution") {
  std::set<std::uint64_t> seen;
  std::size_t made = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (std::uint64_t epoch = 0; epoch < 10; ++epoch) {
      for (std::uint64_t sample = 0; sample < 10; ++sample) {
        for (std::uint32_t transform = 0; transform < 10; ++transform, ++made) {
          mt::SampleRandom random(seed, epoch << 30, sample << 30, transform);
          const std::uint64_t high = random.bits();
          seen.insert(high << 32 | random.bits());
        }
      }
    }
  }
  CHECK(seen.size() == made);

  constexpr std::size_t n = 100'000;
  double uniform = 0, normal = 0, squares = 0, fourth = 0;
  std::vector<std::size_t> counts(7);
  for (std::uint64_t sample = 0; sample < n; ++sample) {
    mt::SampleRandom random(3, 0, sample);
    uniform += random.uniform();
    const double z = random.normal();
    normal += z, squares += z * z, fourth += z * z * z * z;
    ++counts[random.below(7)];
  }
  // Five standard deviations of each mean.
  const double root = std::sqrt(static_cast<double>(n));
  CHECK(std::abs(uniform / n - 0.5) < 5 * 0.2887 / root);
  CHECK(std::abs(normal / n) < 5 / root);
  CHECK(std::abs(squares / n - 1) < 5 * 1.4142 / root);
  CHECK(std::abs(fourth / n - 3) < 5 * 9.798 / root);
  for (const std::size_t count : counts) CHECK(std::abs(static_cast<double>(count) - n / 7.0) < 5 * 111);
}

TEST_CASE("whole random numbers stay below their bound and reach all of it") {
  mt::SampleRandom random(1, 2, 3);
  CHECK(random.below(0) == 0);
  CHECK(random.below(1) == 0);
  for (const std::uint64_t n : {std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{3} << 30, std::uint64_t{1} << 32,
                                (std::uint64_t{1} << 32) + 1, std::uint64_t{3} << 61, ~std::uint64_t{0}}) {
    INFO(n);
    std::size_t wrong = 0, thirds[3] = {};
    for (int i = 0; i < 3000; ++i) {
      const std::uint64_t number = random.below(n);
      wrong += number >= n;
      ++thirds[std::min<std::size_t>(
          2, static_cast<std::size_t>(static_cast<double>(number) / static_cast<double>(n) * 3))];
    }
    CHECK(wrong == 0);
    if (n == 2) continue;
    for (const std::size_t count : thirds) {
      CHECK(count > 850);
      CHECK(count < 1150);
    }
  }
  // Three quarters of the words: without those that are thrown away, every third number would come twice as often.
  std::size_t remainders[3] = {};
  for (int i = 0; i < 3000; ++i) ++remainders[random.below(std::uint64_t{3} << 30) % 3];
  for (const std::size_t count : remainders) {
    CHECK(count > 850);
    CHECK(count < 1150);
  }
}

TEST_CASE("transforms are applied in the order written") {
  const mt::Dataset data = counting(10);
  CHECK(mt::transform(data, add_one, times_two).feature(4, 1) == 11);
  CHECK(mt::transform(data, times_two, add_one).feature(4, 1) == 10);
  CHECK(mt::transform(mt::transform(data, times_two), add_one).feature(4, 1) == 10);
  CHECK(mt::transform(data, times_two).target(4) == 40);
  CHECK(data.feature(4, 1) == 4.5f);
  // A set of transformed samples can be cut and put together as any other.
  CHECK(mt::take(mt::transform(data, add_one), 5).feature(4, 0) == 5);
}

TEST_CASE("transforms that write other columns") {
  const mt::Dataset data = counting(100);
  const auto row = [](const mt::Dataset& set, std::size_t sample) {
    std::vector<float> result;
    for (std::size_t j = 0; j < set.feature_columns(); ++j) result.push_back(set.feature(sample, j));
    return result;
  };
  CHECK(row(mt::transform(data, Twice{}), 3) == std::vector<float>{3, 3.5, 3, 3.5});
  CHECK(row(mt::transform(data, add_one, Twice{}, times_two), 3) == std::vector<float>{8, 9, 8, 9});
  CHECK(row(mt::transform(data, Twice{}, add_one, Twice{}, times_two, Sum{}, add_one), 3) == std::vector<float>{69});
  CHECK(row(mt::transform(data, Twice{}, Twice{}, Twice{}), 3).size() == 16);
  CHECK(row(mt::transform(data, Reverse{}), 3) == std::vector<float>{3.5, 3});
  CHECK(row(mt::transform(data, Reverse{}, Reverse{}, Reverse{}), 3) == std::vector<float>{3.5, 3});
  CHECK(row(mt::transform(data, Twice{}, Reverse{}, Reverse{}, Reverse{}), 3) == std::vector<float>{3.5, 3, 3.5, 3});
  const mt::Dataset squares = mt::transform(data, mt::Map{.columns = 3, .function = [](std::span<const float> x) {
                                                            return std::vector<float>{x[0], x[0] * x[0], x[1]};
                                                          }});
  CHECK(squares.feature_columns() == 3);
  CHECK(squares.target_columns() == 1);
  CHECK(row(squares, 5) == std::vector<float>{5, 25, 5.5});
  CHECK(squares.target(5) == 50);
}

TEST_CASE("a transform of whole samples changes targets and labels too") {
  const mt::Dataset regression = mt::transform(
      counting(10), Twice{},
      [](mt::Sample& sample) {
        sample.targets[0] += sample.features[3] + static_cast<float>(sample.index);
        sample.features[0] = -1;
        sample.features = {};  // where it points is not for the transform to decide
      },
      add_one);
  CHECK(regression.target(4) == 40 + 4.5f + 4);  // though nobody asks for the features
  CHECK(regression.feature(4, 0) == 0);
  CHECK(regression.feature(4, 1) == 5.5f);
  const mt::Dataset labels = mt::transform(classes(10), [](mt::Sample& sample, mt::SampleRandom& random) {
    sample.label = static_cast<std::int32_t>((static_cast<std::uint64_t>(sample.label) + 1 + random.below(1)) % 3);
  });
  CHECK(labels.label(4) == 2);
  CHECK(labels.label(5) == 0);
  CHECK(labels.feature(5, 0) == 5);
  test::check_error<mt::DataError>(
      ErrorCode::label_out_of_range,
      [] { mt::transform(classes(10), [](mt::Sample& sample) { sample.label += 2; }).label(4); }, "sample 4",
      "label 3");
}

TEST_CASE("transformed sets read the same in any order, by any thread", "[threads]") {
  test::check_readings_agree(mt::transform(counting(501), Draw{}, add_one, Draw{}));
  test::check_readings_agree(mt::transform(counting(501), Draw{}, Twice{}, Sum{}, Twice{}, Draw{}));
  test::check_readings_agree(mt::transform(
      mt::transform(classes(501), Draw{}),
      [](mt::Sample& sample, mt::SampleRandom& random) {
        sample.label = static_cast<std::int32_t>(random.below(3));
        sample.features[0] += static_cast<float>(random.normal());
      },
      Twice{}));
  test::check_readings_agree(mt::transform(counting(501), [](mt::Sample& sample, mt::SampleRandom& random) {
    sample.targets[0] = static_cast<float>(random.normal());
  }));
  const mt::Dataset noisy = mt::transform(counting(100), Draw{});
  test::check_readings_agree(mt::concat({noisy, noisy, mt::slice(noisy, 3, 50)}));
  test::check_readings_agree(mt::zip(
      noisy,
      mt::transform(mt::generated({.feature_columns = 2}, 100, [](std::uint64_t, mt::SampleBuffers) {}), Draw{})));
}

TEST_CASE("seed, epoch, sample and place in the chain each give other random numbers") {
  const auto first = [](const mt::Dataset& data, const test::ReadOptions& options) {
    return test::read_all(data, options).features;
  };
  const mt::Dataset data = mt::transform(counting(100), Draw{});
  CHECK(data.source()->varies());
  const auto base = first(data, {.seed = 1, .epoch = 0});
  CHECK(base == first(data, {.seed = 1, .epoch = 0}));
  CHECK(base != first(data, {.seed = 2, .epoch = 0}));
  CHECK(base != first(data, {.seed = 1, .epoch = 1}));
  CHECK(first(data, {.epoch = 1}) != first(data, {.epoch = (std::uint64_t{1} << 32) + 1}));
  CHECK(std::set<std::uint32_t>(base.begin(), base.end()).size() > 195);

  // Columns drawn by each transform of a chain, whether it was made in one call or in two.
  const auto keep = [](std::size_t column) {
    return [column](std::span<float> x, mt::SampleRandom& random) { x[column] = static_cast<float>(random.uniform()); };
  };
  const mt::Dataset one = mt::transform(counting(50), keep(0), keep(1));
  const mt::Dataset two = mt::transform(mt::transform(counting(50), keep(0)), keep(1));
  const mt::Dataset cut = mt::transform(mt::slice(mt::transform(counting(90), keep(0)), 0, 50), keep(1));
  const mt::Dataset put = mt::transform(mt::concat({mt::transform(counting(50), keep(0))}), keep(1));
  const auto numbers = first(one, {});
  CHECK(numbers == first(two, {}));
  CHECK(numbers == first(cut, {}));
  CHECK(numbers == first(put, {}));
  for (std::size_t i = 0; i < numbers.size(); i += 2) CHECK(numbers[i] != numbers[i + 1]);

  const mt::Dataset chain = mt::transform(counting(50), keep(0), keep(1), keep(0));
  const mt::Dataset nested = mt::transform(mt::transform(mt::transform(counting(50), keep(0)), keep(1)), keep(0));
  const auto three = first(nested, {});
  CHECK(three == first(chain, {}));
  for (std::size_t i = 0; i < three.size(); i += 2) {
    CHECK(three[i] != numbers[i]);
    CHECK(three[i] != three[i + 1]);
  }

  // Equal parts of a set do not draw equal numbers, nor do sets side by side.
  const auto twice = first(mt::concat({data, data}), {});
  CHECK(std::vector<std::uint32_t>(twice.begin(), twice.begin() + 200) == base);
  CHECK(std::vector<std::uint32_t>(twice.begin() + 200, twice.end()) != base);
  const mt::Dataset bare =
      mt::transform(mt::generated({.feature_columns = 2}, 100, [](std::uint64_t, mt::SampleBuffers) {}), Draw{});
  const auto beside = first(mt::zip(bare, data), {});
  for (std::size_t i = 0; i < beside.size(); i += 4) {
    CHECK(beside[i] != beside[i + 2]);
    CHECK(beside[i + 1] != beside[i + 3]);
  }
}

TEST_CASE("a set varies from epoch to epoch when a transform is random") {
  const auto varies = [](const mt::Dataset& data) { return data.source()->varies(); };
  CHECK_FALSE(varies(mt::transform(counting(1), add_one)));
  CHECK_FALSE(varies(mt::transform(counting(1), Twice{}, Settled{})));
  CHECK(varies(mt::transform(counting(1), add_one, Draw{}, add_one)));
  CHECK(varies(mt::transform(mt::transform(counting(1), Draw{}), add_one)));
  CHECK(varies(mt::transform(mt::Dataset(std::make_shared<test::NotedSource>(1, true)), add_one)));
  CHECK(varies(mt::transform(counting(1), [](mt::Sample&, mt::SampleRandom&) {})));
  CHECK_FALSE(varies(mt::transform(counting(1), [](mt::Sample&) {})));
  const auto same = [](std::span<const float> x) { return std::vector<float>(x.begin(), x.end()); };
  const auto drawn = [](std::span<const float>, mt::SampleRandom& random) {
    return std::vector<float>{static_cast<float>(random.normal())};
  };
  CHECK_FALSE(varies(mt::transform(counting(1), mt::Map{.columns = 2, .function = same})));
  CHECK(varies(mt::transform(counting(1), mt::Map{.columns = 1, .function = drawn})));
}

TEST_CASE("what a transform throws is nested in an error that names sample and transform") {
  const auto fail = [](mt::Sample& sample) {
    if (sample.index == 4) throw std::runtime_error("no picture");
    if (sample.index == 5) throw 5;
    if (sample.index == 6) throw mt::DataError(ErrorCode::io_error, "a disk");
  };
  const mt::Dataset data = mt::transform(counting(10), add_one, fail, Twice{});
  const auto read = [&](std::uint64_t sample) { return [&data, sample] { data.feature(sample, 0); }; };
  CHECK_NOTHROW(read(3)());
  test::check_error<mt::DataError>(ErrorCode::function_failed, read(4), "number 2 of 3, sample 4: no picture");
  CHECK(test::nested_messages(read(4)) == "transform: number 2 of 3, sample 4: no picture < no picture");
  test::check_error<mt::DataError>(ErrorCode::function_failed, read(5), "sample 5", "no std::exception");
  test::check_error<mt::DataError>(ErrorCode::io_error, read(6), "sample 6: a disk");
  // What the set below throws comes through as it is.
  const mt::Dataset below = mt::generated({.feature_columns = 1}, 3, [](std::uint64_t, mt::SampleBuffers) { throw 1; });
  test::check_error<mt::DataError>(
      ErrorCode::function_failed, [&] { mt::transform(below, add_one).feature(2, 0); }, "generated:", "sample 2");
}

TEST_CASE("a function that returns another number of features is an error with the sample") {
  const mt::Dataset data = mt::transform(counting(10), mt::Map{.columns = 3, .function = [](std::span<const float> x) {
                                                                 return std::vector<float>(x[0] == 7 ? 4 : 3);
                                                               }});
  CHECK_NOTHROW(data.feature(6, 0));
  test::check_error<mt::DataError>(
      ErrorCode::shape_mismatch, [&] { data.feature(7, 0); }, "number 1 of 1, sample 7", "returned 4 numbers",
      "columns is 3");
}

TEST_CASE("transforms whose columns cannot be are refused when they are attached") {
  struct Grows {
    std::size_t columns(std::size_t in) const { return in + 1; }
    void operator()(std::span<float>) const {}
  };
  test::check_error<mt::ShapeError>(
      ErrorCode::shape_mismatch, [] { mt::transform(counting(1), Twice{}, Grows{}); }, "number 2",
      "changes 4 features in place", "is 5");
  test::check_error<mt::ShapeError>(
      ErrorCode::bad_shape,
      [] {
        mt::transform(counting(1),
                      mt::Map{.columns = 0, .function = [](std::span<const float>) { return std::vector<float>(); }});
      },
      "number 1 leaves no features");
  test::check_error<mt::DataError>(
      ErrorCode::empty_data, [] { mt::transform(mt::Dataset(), add_one); }, "no samples");
}

TEST_CASE("a transform to more columns than any machine holds is refused, also amid others") {
  const mt::Dataset data{{.samples = 1, .features = {1, 2}}};
  const auto map = [](std::size_t columns) {
    return mt::Map{columns, [](std::span<const float>) { return std::vector<float>(); }};
  };
  for (const std::size_t columns : {~std::size_t{0}, (std::size_t{1} << 40) + 1}) {
    test::check_error<mt::ShapeError>(
        ErrorCode::bad_shape, [&] { mt::transform(data, map(2), map(columns), map(2)); }, "number 2",
        std::to_string(columns) + " features", "at most 1099511627776");
  }
}

TEST_CASE("hints, checks and the wish to stop go through a transform") {
  const auto source = std::make_shared<test::NotedSource>(100);
  const mt::Dataset data = mt::transform(mt::Dataset(source), add_one);
  CHECK(data.bytes() == 1000);
  data.source()->check();
  data.source()->load(3, 4);
  data.source()->release(3, 4, true);
  CHECK(source->notes() == "check load 3+4 drop 3+4");

  std::stop_source stop;
  std::atomic<std::uint64_t> current{0};
  std::vector<std::uint64_t> seen;
  const mt::Dataset stops = mt::transform(data, [&](std::span<float>) {
    seen.push_back(current.load());
    if (seen.size() == 2) stop.request_stop();
  });
  mt::Reading reading;
  reading.stop = stop.get_token();
  reading.current = &current;
  std::vector<float> x(6);
  mt::SampleBuffers out;
  out.features = x.data();
  const std::uint64_t samples[] = {17, 5, 9};
  stops.read(reading, samples, out);
  CHECK(seen == std::vector<std::uint64_t>{17, 5});
}
