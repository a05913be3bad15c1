#include <minitrain/data/combine.hpp>
#include <minitrain/data/generated.hpp>
#include <minitrain/data/table_source.hpp>

#include <stdexcept>

#include "data/reading.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

/// Features i, i + 0.5 and target 10·i, in memory, for i from `first`.
mt::Dataset in_memory(std::size_t n, std::size_t first = 0) {
  mt::DatasetParts parts{.samples = n};
  for (std::size_t i = first; i < first + n; ++i) {
    const auto x = static_cast<float>(i);
    parts.features.insert(parts.features.end(), {x, x + 0.5f});
    parts.targets.push_back(10 * x);
  }
  return mt::Dataset(std::move(parts));
}

mt::Dataset from_function(std::uint64_t n, std::uint64_t first = 0) {
  return mt::generated({.feature_columns = 2, .target_columns = 1}, n, [first](std::uint64_t i, mt::SampleBuffers out) {
    const auto x = static_cast<float>(first + i);
    out.features[0] = x, out.features[1] = x + 0.5f, out.targets[0] = 10 * x;
  });
}

/// The same rows in a file of floats, features and target side by side.
class Mapped {
 public:
  Mapped(std::size_t n, std::size_t first) : file_(content(n, first)) {
    const auto mapped = std::make_shared<const mt::MappedFile>(file_.path());
    mt::Table all;
    all.data = mapped->bytes().data();
    all.rows = n, all.columns = 3, all.row_stride = 12, all.column_stride = 4;
    all.file = mapped;
    data = mt::Dataset(
        std::make_shared<mt::TableSource>(all.column_range(0, 2), all.column_range(2, 1), 0, mt::NonFinite::keep));
  }
  mt::Dataset data;

 private:
  static std::string content(std::size_t n, std::size_t first) {
    std::vector<float> rows;
    for (std::size_t i = first; i < first + n; ++i) {
      const auto x = static_cast<float>(i);
      rows.insert(rows.end(), {x, x + 0.5f, 10 * x});
    }
    return {reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(float)};
  }
  test::TemporaryFile file_;
};

}  // namespace

TEST_CASE("a slice is some samples in a row, wherever they come from") {
  const mt::Dataset memory = in_memory(700), function = from_function(700);
  const Mapped file(700, 0);
  const test::Read wanted = test::read_all(in_memory(500, 100));
  for (const mt::Dataset& data : {memory, function, file.data, memory.subset([] {
                                    std::vector<std::uint64_t> all(700);
                                    for (std::size_t i = 0; i < 700; ++i) all[i] = i;
                                    return all;
                                  }())}) {
    const mt::Dataset part = mt::slice(data, 100, 500);
    CHECK(part.size() == 500);
    CHECK(part.shape() == data.shape());
    CHECK(test::read_all(part, {.block = 400}) == wanted);
    CHECK(part.feature(499, 1) == 599.5f);
    CHECK(mt::take(data, 3).size() == 3);
    CHECK(mt::take(data, 3).target(2) == 20);
    CHECK(mt::take(data, 700).size() == 700);
  }
  // All of it is the data itself.
  CHECK(&mt::take(memory, 700).storage() == &memory.storage());
  CHECK(mt::slice(file.data, 0, 700).source() == file.data.source());
  // A slice of samples in another order.
  CHECK(mt::slice(memory.subset({5, 9, 2, 7}), 1, 2).feature(1, 0) == 2);
}

TEST_CASE("slices of slices are one slice, of any number of samples") {
  const std::uint64_t n = 10'000'000'000;
  const mt::Dataset data = mt::generated({.feature_columns = 1}, n, [](std::uint64_t i, mt::SampleBuffers out) {
    out.features[0] = static_cast<float>(i % 65536);
  });
  mt::Dataset part = mt::slice(data, 1000, n - 1000);
  part = mt::slice(part, 5'000'000'000, 4'000'000'000);
  part = mt::slice(part, 7, 3'999'999'993);
  CHECK(part.size() == 3'999'999'993);
  CHECK(part.feature(0, 0) == static_cast<float>(5'000'001'007 % 65536));
  CHECK(part.feature(3'999'999'992, 0) == static_cast<float>(9'000'000'999 % 65536));
  // The source in the middle is not kept.
  const auto* const source = dynamic_cast<const mt::detail::SliceSource*>(part.source().get());
  REQUIRE(source != nullptr);
  CHECK(source->first() == 5'000'001'007);
  CHECK(source->data().source() == data.source());
  // A subset of a slice is no slice.
  CHECK(mt::slice(mt::slice(in_memory(100), 10, 50).subset({49, 3, 30}), 1, 2).feature(0, 0) == 13);
}

TEST_CASE("a part of a file has its share of the bytes") {
  const Mapped file(700, 0);  // of 12 bytes each
  CHECK(mt::take(file.data, 7).bytes() == 84);
  CHECK(mt::slice(mt::slice(file.data, 100, 500), 10, 30).bytes() == 360);
  CHECK(file.data.subset({0, 5, 600}).bytes() == 36);
  CHECK(mt::take(file.data.subset({0, 5, 600, 9}), 3).bytes() == 36);
  CHECK(mt::concat({mt::take(file.data, 7), file.data.subset({3}), in_memory(9)}).bytes() == 96);
  CHECK(
      mt::zip(mt::take(file.data, 7), mt::generated({.feature_columns = 1}, 7, [](std::uint64_t, mt::SampleBuffers) {}))
          .bytes() == 84);
  CHECK(mt::take(in_memory(10), 2).bytes() == 0);                                 // no file
  CHECK(in_memory(10).subset({1}).bytes() == 120);                                // shares the numbers of all ten
  CHECK(file.data.subset(std::vector<std::uint64_t>(1000)).bytes() == 700 * 12);  // one sample, again and again
}

TEST_CASE("a part of the largest of files has its share of the bytes") {
  struct Large final : mt::Source {
    std::uint64_t size() const noexcept override { return std::uint64_t{1} << 40; }
    mt::SampleShape shape() const noexcept override { return {.feature_columns = 1}; }
    void read(const mt::Reading&, std::span<const std::uint64_t>, const mt::SampleBuffers&) const override {}
    std::uint64_t file_bytes() const noexcept override { return std::uint64_t{1} << 62; }
  };
  const mt::Dataset data(std::make_shared<Large>());
  CHECK(mt::slice(data, 5, std::uint64_t{1} << 30).bytes() == std::uint64_t{1} << 52);
  CHECK(mt::slice(data, 1, (std::uint64_t{1} << 40) - 1).bytes() == (std::uint64_t{1} << 62) - (1 << 22));
}

TEST_CASE("a slice of samples that are not there is refused") {
  const mt::Dataset data = in_memory(10);
  test::check_error<mt::DataError>(
      ErrorCode::empty_data, [&] { mt::take(data, 0); }, "no samples");
  for (const auto& [first, count] : {std::pair<std::uint64_t, std::uint64_t>{5, 6}, {11, 1}, {10, 1}, {1, ~0ull}}) {
    INFO(first << " " << count);
    test::check_error<mt::DataError>(
        ErrorCode::count_mismatch, [&, f = first, c = count] { mt::slice(data, f, c); }, "there are 10");
  }
  CHECK(mt::slice(data, 9, 1).feature(0, 0) == 9);
}

TEST_CASE("sets one after another, from files, functions and memory", "[threads]") {
  const Mapped first(300, 0), last(1, 1000);
  const mt::Dataset all = mt::concat({first.data, from_function(400, 300), in_memory(300, 700), last.data});
  CHECK(all.size() == 1001);
  CHECK(all.bytes() == 301 * 12);
  CHECK(test::read_all(all, {.block = 1000}) == test::read_all(in_memory(1001)));
  CHECK(all.feature(299, 0) == 299);
  CHECK(all.feature(300, 0) == 300);
  CHECK(all.target(1000) == 10000);
  test::check_readings_agree(all);
  // Of slices and sets one after another.
  const mt::Dataset again = mt::concat({mt::slice(all, 250, 600), mt::take(all, 250), mt::slice(all, 850, 151)});
  CHECK(again.feature(0, 0) == 250);
  CHECK(again.feature(600, 0) == 0);
  CHECK(again.feature(1000, 0) == 1000);
  test::check_readings_agree(again);
}

TEST_CASE("sets one after another may have more samples than any memory") {
  const mt::Dataset all =
      mt::concat({from_function(std::uint64_t{1} << 62), in_memory(5, 3), from_function(std::uint64_t{1} << 61)});
  CHECK(all.size() == (std::uint64_t{1} << 62) + (std::uint64_t{1} << 61) + 5);
  CHECK(all.feature((std::uint64_t{1} << 62) + 4, 0) == 7);
  CHECK(all.feature((std::uint64_t{1} << 62) + 5 + 9, 1) == 9.5f);
  const mt::Dataset half = from_function(std::uint64_t{1} << 62);
  CHECK(mt::concat({half, half}).size() == std::uint64_t{1} << 63);
  test::check_error<mt::DataError>(
      ErrorCode::overflow,
      [&] {
        mt::concat({half, half, in_memory(1)});
      },
      "parts 0 to 2", "2^63");
}

TEST_CASE("sets that do not go one after another are named") {
  test::check_error<mt::DataError>(
      ErrorCode::empty_data, [] { mt::concat({}); }, "no parts");
  test::check_error<mt::DataError>(
      ErrorCode::empty_data,
      [] {
        mt::concat({in_memory(1), mt::Dataset()});
      },
      "part 1 has no samples");
  const mt::Dataset narrow{{.samples = 1, .features = {1}, .targets = {1}}};
  const mt::Dataset classes{{.samples = 1, .features = {1, 2}, .labels = {1}, .classes = 2}};
  const auto code = ErrorCode::shape_mismatch;
  test::check_error<mt::ShapeError>(
      code,
      [&] {
        mt::concat({in_memory(3), in_memory(4), narrow});
      },
      "part 2 has 1 features, 1 targets", "part 0 has 2 features, 1 targets, 0 classes");
  test::check_error<mt::ShapeError>(
      code,
      [&] {
        mt::concat({in_memory(3), classes});
      },
      "part 1 has 2 features, 0 targets, 2 classes");
}

TEST_CASE("an error of a part names it") {
  const mt::Dataset bad =
      mt::generated({.feature_columns = 2, .target_columns = 1}, 10, [](std::uint64_t i, mt::SampleBuffers) {
        if (i == 4) throw std::runtime_error("gone");
      });
  test::check_error<mt::DataError>(
      ErrorCode::function_failed,
      [&] {
        mt::concat({in_memory(5), bad}).feature(9, 0);
      },
      "concat: part 1", "sample 4: gone");
  test::check_error<mt::DataError>(
      ErrorCode::function_failed,
      [&] { mt::zip(bad, mt::Dataset{{.samples = 10, .features = std::vector<float>(10)}}).feature(4, 0); },
      "zip: set 0", "sample 4: gone");
}

TEST_CASE("columns of several sets side by side", "[threads]") {
  const mt::Dataset a{{.samples = 3, .features = {1, 2, 3}}};
  const mt::Dataset b{{.samples = 3, .features = {10, 11, 20, 21, 30, 31}, .labels = {2, 0, 1}, .classes = 3}};
  const mt::Dataset c = mt::generated({.feature_columns = 1}, 3, [](std::uint64_t i, mt::SampleBuffers out) {
    out.features[0] = 100 * static_cast<float>(i);
  });
  const mt::Dataset all = mt::zip(a, b, c);
  CHECK(all.size() == 3);
  CHECK(all.shape() == mt::SampleShape{.feature_columns = 4, .classes = 3});
  std::vector<float> row;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 4; ++j) row.push_back(all.feature(i, j));
  }
  CHECK(row == std::vector<float>{1, 10, 11, 0, 2, 20, 21, 100, 3, 30, 31, 200});
  CHECK(all.label(0) == 2);
  CHECK(all.label(2) == 1);
  CHECK(mt::zip(c, a).shape() == mt::SampleShape{.feature_columns = 2});
  CHECK(mt::zip(in_memory(3), c).target(2) == 20);
  CHECK(mt::zip(c, in_memory(3)).target(2) == 20);
  const mt::Dataset features = mt::generated({.feature_columns = 3}, 701, [](std::uint64_t i, mt::SampleBuffers out) {
    std::fill_n(out.features, 3, static_cast<float>(i));
  });
  const Mapped file(701, 5);
  test::check_readings_agree(mt::zip(features, file.data));
  CHECK(mt::zip(features, file.data).feature(700, 3) == 705);
}

TEST_CASE("sets that do not go side by side are refused with both counts") {
  test::check_error<mt::DataError>(
      ErrorCode::count_mismatch, [] { mt::zip(from_function(10), from_function(12)); }, "set 1 has 12", "set 0 has 10");
  test::check_error<mt::DataError>(
      ErrorCode::count_mismatch, [] { mt::zip(in_memory(10), in_memory(10)); }, "set 0", "set 1", "1 targets",
      "answers");
  test::check_error<mt::DataError>(
      ErrorCode::empty_data, [] { mt::zip(mt::Dataset(), mt::Dataset()); }, "no samples");
}

TEST_CASE("hints reach the files that samples come from") {
  const auto a = std::make_shared<test::NotedSource>(100), b = std::make_shared<test::NotedSource>(50);
  const auto tell = [](const mt::Dataset& data, std::uint64_t first, std::uint64_t count) {
    data.source()->check();
    data.source()->expect(first, count);
    data.source()->load(first, count);
    data.source()->release(first, count, false);
    data.source()->release(first, count, true);
  };
  const auto all_of = [](const std::string& place) {
    return "check expect " + place + " load " + place + " release " + place + " drop " + place;
  };
  tell(mt::slice(mt::Dataset(a), 20, 60), 5, 10);
  CHECK(a->notes() == all_of("25+10"));

  const mt::Dataset both = mt::concat({mt::Dataset(a), in_memory(30), mt::Dataset(b)});
  CHECK(both.bytes() == 2000);
  tell(both, 90, 45);
  CHECK(a->notes() == all_of("90+10"));
  CHECK(b->notes() == all_of("0+5"));
  tell(both, 100, 20);
  CHECK(a->notes() == "check");
  CHECK(b->notes() == "check");
  tell(both, 179, 1);
  CHECK(b->notes() == all_of("49+1"));
  a->notes();

  tell(mt::zip(mt::Dataset(b), mt::generated({.feature_columns = 1}, 50, [](std::uint64_t, mt::SampleBuffers) {})), 7,
       3);
  CHECK(b->notes() == all_of("7+3"));

  // A subset's samples lie in stretches of the file.
  const mt::Dataset some = mt::Dataset(a).subset({0, 1, 2, 4, 50, 51, 99, 98});
  tell(mt::concat({some}), 1, 7);
  CHECK(
      a->notes() ==
      "check expect 1+4 expect 50+2 expect 99+1 expect 98+1 load 1+4 load 50+2 load 99+1 load 98+1 release 1+4 release "
      "50+2 release 99+1 release 98+1 drop 1+4 drop 50+2 drop 99+1 drop 98+1");
}

TEST_CASE("parts that vary have seeds of their own, others have none") {
  const auto a = std::make_shared<test::NotedSource>(3, true), b = std::make_shared<test::NotedSource>(3, true);
  const mt::Dataset both = mt::concat({mt::Dataset(a), mt::Dataset(b)});
  CHECK(both.source()->varies());
  CHECK(mt::slice(both, 1, 3).source()->varies());
  CHECK_FALSE(mt::concat({in_memory(2), from_function(3)}).source()->varies());
  test::read_all(both, {.seed = 5});
  CHECK(a->seed == 5);
  CHECK(b->seed != 5);
  const std::uint64_t seed = b->seed;
  test::read_all(both, {.seed = 6});
  CHECK(b->seed != seed);
  test::read_all(both, {.seed = 5});
  CHECK(b->seed == seed);
  // Parts of parts too: the second of the second is neither the first nor the second.
  const auto c = std::make_shared<test::NotedSource>(3, true);
  test::read_all(mt::concat({mt::Dataset(a), mt::concat({mt::Dataset(b), mt::Dataset(c)})}), {.seed = 5});
  CHECK(b->seed == seed);
  CHECK(c->seed != seed);
  CHECK(c->seed != 5);
}
