#include <minitrain/data/synthetic.hpp>

#include <cmath>
#include <cstring>
#include <limits>

#include "data/support.hpp"

namespace mt = minitrain;

namespace {

template <class T>
std::uint64_t fingerprint(const std::vector<T>& values) {
  std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a over the bytes
  for (const T value : values) {
    unsigned char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001B3;
  }
  return hash;
}

struct Moments {
  double mean = 0, deviation = 0;
};

Moments moments(const std::vector<float>& values) {
  double sum = 0, squares = 0;
  for (const float value : values) sum += static_cast<double>(value), squares += static_cast<double>(value) * value;
  const double mean = sum / static_cast<double>(values.size());
  return {mean, std::sqrt(squares / static_cast<double>(values.size()) - mean * mean)};
}

}  // namespace

TEST_CASE("synthetic regression has the shape that was asked for, and the same bits everywhere") {
  const auto data = mt::synthetic_regression({.samples = 257, .features = 10, .seed = 1, .targets = 3, .noise = 0.1f});
  CHECK(data.size() == 257);
  CHECK(data.feature_columns() == 10);
  CHECK(data.target_columns() == 3);
  CHECK_FALSE(data.is_classification());
  CHECK(fingerprint(data.storage().features) == 0x3507521150DD4B32);
  CHECK(fingerprint(data.storage().targets) == 0x98D3C5B931957DFD);
}

TEST_CASE("synthetic classes have the shape that was asked for, and the same bits everywhere") {
  const auto data = mt::synthetic_classification({.samples = 257, .features = 33, .classes = 5, .seed = 1});
  CHECK(data.size() == 257);
  CHECK(data.feature_columns() == 33);
  CHECK(data.classes() == 5);
  CHECK(fingerprint(data.storage().features) == 0x61ABB14ED1472BB8);
  CHECK(fingerprint(data.storage().labels) == 0x172B50ADCE18FAE6);
}

TEST_CASE("features and targets have about mean 0 and deviation 1") {
  for (const std::size_t features : {1, 10, 784}) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const auto data = mt::synthetic_regression({.samples = 3000, .features = features, .seed = seed});
      INFO("features " << features << " seed " << seed);
      const Moments x = moments(data.storage().features), y = moments(data.storage().targets);
      CHECK(std::abs(x.mean) < 0.1);
      CHECK(std::abs(x.deviation - 1) < 0.05);
      CHECK(std::abs(y.mean) < 1);
      CHECK(y.deviation > 0.25);
      CHECK(y.deviation < 2.5);
    }
  }
}

TEST_CASE("noise has the deviation that was asked for, and is independent of the rest") {
  const auto clean = mt::synthetic_regression({.samples = 5000, .features = 4, .seed = 9});
  const auto noisy = mt::synthetic_regression({.samples = 5000, .features = 4, .seed = 9, .noise = 0.5f});
  CHECK(clean.storage().features == noisy.storage().features);
  std::vector<float> difference(5000);
  for (std::size_t i = 0; i < 5000; ++i) difference[i] = noisy.target(i) - clean.target(i);
  CHECK(std::abs(moments(difference).mean) < 0.05);
  CHECK(std::abs(moments(difference).deviation - 0.5) < 0.03);
}

TEST_CASE("targets are a function of the features that no straight line fits") {
  // Least squares of y on x (one feature): what it leaves is far from nothing, as the teacher has kinks.
  const auto data = mt::synthetic_regression({.samples = 2000, .features = 1, .seed = 3});
  double xx = 0, xy = 0, yy = 0, x1 = 0, y1 = 0;
  for (std::size_t i = 0; i < 2000; ++i) {
    const double x = data.feature(i, 0), y = data.target(i);
    xx += x * x, xy += x * y, yy += y * y, x1 += x, y1 += y;
  }
  const double n = 2000, variance = xx / n - x1 * x1 / n / n, total = yy / n - y1 * y1 / n / n;
  const double covariance = xy / n - x1 * y1 / n / n;
  CHECK(1 - covariance * covariance / variance / total > 0.02);
}

TEST_CASE("a larger data set begins with the smaller one, and another seed makes another") {
  const auto small = mt::synthetic_regression({.samples = 31, .features = 3, .seed = 5});
  const auto large = mt::synthetic_regression({.samples = 33, .features = 3, .seed = 5});
  const auto other = mt::synthetic_regression({.samples = 31, .features = 3, .seed = 6});
  for (std::size_t i = 0; i < 31; ++i) {
    CHECK(small.feature(i, 2) == large.feature(i, 2));
    CHECK(small.target(i) == large.target(i));
  }
  CHECK(small.storage().features != other.storage().features);
  CHECK(small.storage().targets != other.storage().targets);

  const auto few = mt::synthetic_classification({.samples = 31, .features = 3, .classes = 4, .seed = 5});
  const auto many = mt::synthetic_classification({.samples = 33, .features = 3, .classes = 4, .seed = 5});
  for (std::size_t i = 0; i < 31; ++i) {
    CHECK(few.feature(i, 1) == many.feature(i, 1));
    CHECK(few.label(i) == many.label(i));
  }
}

TEST_CASE("classes are equally likely, and their centres tell them apart but not quite") {
  for (const std::size_t features : {2, 20, 784}) {
    const std::size_t n = 3000, classes = 3;
    const auto data = mt::synthetic_classification({.samples = n, .features = features, .classes = classes, .seed = 5});
    std::vector<double> centres(classes * features), counts(classes);
    for (std::size_t i = 0; i < n; ++i) {
      const auto label = static_cast<std::size_t>(data.label(i));
      counts[label] += 1;
      for (std::size_t j = 0; j < features; ++j) centres[label * features + j] += data.feature(i, j);
    }
    for (std::size_t k = 0; k < classes; ++k) {
      CHECK(std::abs(counts[k] - 1000) < 150);
      for (std::size_t j = 0; j < features; ++j) centres[k * features + j] /= counts[k];
    }
    std::size_t right = 0;
    for (std::size_t i = 0; i < n; ++i) {
      std::size_t nearest = 0;
      double least = std::numeric_limits<double>::max();
      for (std::size_t k = 0; k < classes; ++k) {
        double distance = 0;
        for (std::size_t j = 0; j < features; ++j) {
          const double d = data.feature(i, j) - centres[k * features + j];
          distance += d * d;
        }
        if (distance < least) least = distance, nearest = k;
      }
      right += static_cast<std::int32_t>(nearest) == data.label(i);
    }
    INFO("features " << features);
    CHECK(right > n * 6 / 10);
    CHECK(right < n);
  }
}

TEST_CASE("options outside of their ranges are refused") {
  const auto code = mt::ErrorCode::invalid_argument;
  using R = mt::SyntheticRegressionOptions;
  using C = mt::SyntheticClassificationOptions;
  const auto regression = [](R options) { return [options] { mt::synthetic_regression(options); }; };
  const auto classes = [](C options) { return [options] { mt::synthetic_classification(options); }; };
  const auto check = [&](auto f, const char* part) { test::check_error<mt::OptionError>(code, f, part); };
  check(regression({.features = 1}), "synthetic_regression: 0 samples");
  check(regression({.samples = 1}), "0 features");
  check(regression({.samples = 1, .features = (1 << 20) + 1}), "1048577 features");
  check(regression({.samples = ~std::size_t{0}, .features = 1}), "samples: ask for 1 to 2^40");
  check(regression({.samples = 1, .features = 1, .targets = 0}), "0 targets");
  for (const float noise : {-0.1f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    check(regression({.samples = 1, .features = 1, .noise = noise}), "noise");
  }
  check(classes({.features = 1}), "synthetic_classification: 0 samples");
  check(classes({.samples = 1}), "0 features");
  check(classes({.samples = 1, .features = 1, .classes = 1}), "1 classes");
  check(classes({.samples = 1, .features = 1, .classes = 0}), "0 classes");
  check(classes({.samples = 1, .features = 1, .classes = (1 << 20) + 1}), "2 to 2^20");
}
