#include <minitrain/data/generated.hpp>
#include <minitrain/data/image_transforms.hpp>

#include <cmath>
#include <map>

#include "data/reading.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

constexpr std::size_t channels = 2, height = 3, width = 4, pixels = channels * height * width;

/// Every sample is the image 1, 2, ..., 24.
mt::Dataset images(std::size_t n) {
  return mt::generated({.feature_columns = pixels}, n, [](std::uint64_t, mt::SampleBuffers out) {
    for (std::size_t j = 0; j < pixels; ++j) out.features[j] = static_cast<float>(j + 1);
  });
}

/// How often each image comes.
std::map<std::vector<float>, std::size_t> counts(const mt::Dataset& data) {
  const test::Read read = test::read_all(data, {.block = 100});
  std::map<std::vector<float>, std::size_t> result;
  for (std::size_t i = 0; i < data.size(); ++i) {
    std::vector<float> image;
    for (std::size_t j = 0; j < pixels; ++j) image.push_back(std::bit_cast<float>(read.features[i * pixels + j]));
    ++result[image];
  }
  return result;
}

/// The image whose pixel (y, x) of channel c is value(c, y, x).
template <class F>
std::vector<float> image_of(F&& value) {
  std::vector<float> result;
  for (int c = 0; c < 2; ++c) {
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < 4; ++x) result.push_back(value(c, y, x));
    }
  }
  return result;
}
float original(int c, int y, int x) { return static_cast<float>((c * 3 + y) * 4 + x + 1); }

}  // namespace

TEST_CASE("RandomCrop shifts an image to every place within its padding, equally often") {
  constexpr int padding = 2;
  constexpr std::size_t n = 25'000;
  const auto seen = counts(mt::transform(
      images(n),
      mt::RandomCrop{.height = height, .width = width, .channels = channels, .padding = padding, .fill = -1}));
  CHECK(seen.size() == 25);
  for (int dy = -padding; dy <= padding; ++dy) {
    for (int dx = -padding; dx <= padding; ++dx) {
      INFO(dy << " " << dx);
      const auto found = seen.find(image_of([&](int c, int y, int x) {
        const bool inside = y + dy >= 0 && y + dy < 3 && x + dx >= 0 && x + dx < 4;
        return inside ? original(c, y + dy, x + dx) : -1;
      }));
      REQUIRE(found != seen.end());
      CHECK(std::abs(static_cast<double>(found->second) - 1000) < 5 * 31);
    }
  }
  // No padding, no change; more of it than the image is large leaves nothing now and then.
  CHECK(counts(mt::transform(images(50), mt::RandomCrop{.height = 3, .width = 4, .channels = 2, .padding = 0})) ==
        counts(images(50)));
  const auto far =
      counts(mt::transform(images(5000), mt::RandomCrop{.height = 3, .width = 4, .channels = 2, .padding = 9}));
  CHECK(far.size() == 5 * 7 + 1);
  CHECK(far.count(std::vector<float>(pixels, 0.0f)) == 1);
}

TEST_CASE("RandomFlip mirrors rows with its probability") {
  constexpr std::size_t n = 10'000;
  const auto seen = counts(mt::transform(
      images(n), mt::RandomFlip{.height = height, .width = width, .channels = channels, .probability = 0.3}));
  REQUIRE(seen.size() == 2);
  const auto mirrored = seen.find(image_of([](int c, int y, int x) { return original(c, y, 3 - x); }));
  REQUIRE(mirrored != seen.end());
  CHECK(seen.count(image_of(original)) == 1);
  CHECK(std::abs(static_cast<double>(mirrored->second) - 3000) < 5 * 46);
  const mt::RandomFlip never{.height = 3, .width = 8, .probability = 0},
      always{.height = 3, .width = 8, .probability = 1};
  CHECK(counts(mt::transform(images(100), never)) == counts(images(100)));
  CHECK(counts(mt::transform(images(100), always)).count(image_of(original)) == 0);
}

TEST_CASE("RandomErase fills a square around every pixel, equally often") {
  constexpr std::size_t n = 24'000;
  for (const int size : {2, 3}) {
    const auto seen = counts(mt::transform(images(n), mt::RandomErase{.height = height,
                                                                      .width = width,
                                                                      .channels = channels,
                                                                      .size = static_cast<std::size_t>(size),
                                                                      .probability = 0.5,
                                                                      .fill = -1}));
    std::map<std::vector<float>, double> wanted{{image_of(original), n / 2.0}};
    for (int cy = 0; cy < 3; ++cy) {
      for (int cx = 0; cx < 4; ++cx) {
        wanted[image_of([&](int c, int y, int x) {
          const bool inside =
              y >= cy - size / 2 && y < cy - size / 2 + size && x >= cx - size / 2 && x < cx - size / 2 + size;
          return inside ? -1 : original(c, y, x);
        })] += n / 24.0;
      }
    }
    CHECK(seen.size() == wanted.size());
    for (const auto& [image, count] : wanted) {
      const auto found = seen.find(image);
      REQUIRE(found != seen.end());
      CHECK(std::abs(static_cast<double>(found->second) - count) < 5 * std::sqrt(count));
    }
  }
  // A square of nothing, and one larger than the image.
  CHECK(counts(mt::transform(images(9),
                             mt::RandomErase{.height = 3, .width = 4, .channels = 2, .size = 0, .probability = 1})) ==
        counts(images(9)));
  const auto all = counts(
      mt::transform(images(9), mt::RandomErase{.height = 3, .width = 4, .channels = 2, .size = 99, .probability = 1}));
  CHECK(all.size() == 1);
  CHECK(all.count(std::vector<float>(pixels, 0.0f)) == 1);
}

TEST_CASE("transforms of images read the same in any order, by any thread", "[threads]") {
  const mt::Dataset data =
      mt::transform(images(301), mt::RandomCrop{.height = 3, .width = 4, .channels = 2, .padding = 1},
                    mt::RandomFlip{.height = 3, .width = 4, .channels = 2},
                    mt::RandomErase{.height = 3, .width = 4, .channels = 2, .size = 1});
  CHECK(data.source()->varies());
  test::check_readings_agree(data);
}

TEST_CASE("images of other sizes than the columns are refused when a transform is attached") {
  const auto attach = [](auto transform) { return [=] { mt::transform(images(1), transform); }; };
  const auto code = ErrorCode::shape_mismatch;
  test::check_error<mt::ShapeError>(code, attach(mt::RandomCrop{.height = 4, .width = 4, .channels = 3}),
                                    "RandomCrop: images of channels x height x width = 3 x 4 x 4", "24 columns");
  test::check_error<mt::ShapeError>(code, attach(mt::RandomFlip{.height = 3, .width = 4}), "RandomFlip", "1 x 3 x 4");
  test::check_error<mt::ShapeError>(code, attach(mt::RandomErase{}), "RandomErase", "1 x 0 x 0");
  // A product that would overflow to 24.
  test::check_error<mt::ShapeError>(
      code, attach(mt::RandomFlip{.height = std::size_t{1} << 61, .width = 8, .channels = 3}), "columns");
  const auto option = ErrorCode::invalid_argument;
  test::check_error<mt::OptionError>(option, attach(mt::RandomFlip{.height = 3, .width = 8, .probability = 1.5}),
                                     "RandomFlip: probability 1.5");
  test::check_error<mt::OptionError>(
      option, attach(mt::RandomErase{.height = 3, .width = 8, .probability = std::nan("")}), "probability nan");
  test::check_error<mt::OptionError>(
      option, attach(mt::RandomCrop{.height = 3, .width = 8, .padding = std::size_t{1} << 40}), "padding");
}
