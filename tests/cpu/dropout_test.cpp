#include <minitrain/cpu/dropout.hpp>

#include "cpu/support.hpp"

#include <limits>
#include <set>

using namespace test;

namespace {

constexpr DropoutKey some_key{.seed = 0x123456789abcdef0, .layer = 3, .step = 17, .first_row = 5};

template <class T>
Tensor<T> forward(const Cpu& device, const DropoutKey& key, double p, const Tensor<T>& x) {
  Tensor<T> y(x.shape());
  dropout_forward(device, key, p, x.view(), y.view());
  return y;
}

Tensor<float> ones(const Shape& shape) {
  Tensor<float> t(shape);
  std::fill(t.begin(), t.end(), 1.0f);
  return t;
}

}  // namespace

TEST_CASE("Dropout words are Philox4x32-10 of the documented counters") {
  // Column 100 = 64·1 + 36: block 16·1 + 36 % 16, word 36 / 16.
  const auto words = philox4x32({16 + 4, 5 + 9, 17, 3 * 256 + 3}, {0x9abcdef0, 0x12345678});
  CHECK(dropout_word(some_key, 9, 100) == words[2]);
  DropoutKey late = some_key;
  late.step += std::uint64_t{7} << 32;
  CHECK(dropout_word(late, 9, 100) == philox4x32({20, 14, 17, 771}, {0x9abcdef0, 0x12345678 ^ 7})[2]);

  // No two columns of a row share a word.
  std::set<std::pair<std::uint32_t, std::size_t>> places;
  for (std::size_t column = 0; column < 1000; ++column) {
    for (std::uint32_t block = 0; block < 256; ++block) {
      const auto candidates = DropoutBlock(some_key, 0, block).words();
      for (std::size_t k = 0; k < 4; ++k) {
        if (candidates[k] == dropout_word(some_key, 0, column)) places.insert({block, k});
      }
    }
  }
  CHECK(places.size() == 1000);
}

TEST_CASE("Dropout thresholds are probabilities in units of 2^-32") {
  CHECK(dropout_threshold(0) == 0);
  CHECK(dropout_threshold(0.5) == 0x80000000);
  CHECK(dropout_threshold(0x1p-32) == 1);
  CHECK(dropout_threshold(1 - 0x1p-53) == 0xffffffff);
}

TEMPLATE_TEST_CASE("Dropout zeroes the elements whose word is below the threshold and scales the others", "", float,
                   double) {
  for (const Isa isa : instruction_sets()) {
    const Cpu device({.threads = 1, .isa = isa});
    for (const std::size_t columns : {0, 1, 15, 16, 17, 31, 33, 63, 64, 65, 130, 257}) {
      for (const double p : {0.1, 0.5, 0.9}) {
        const auto x = uniform<TestType>(Shape{4, columns}, columns);
        const auto y = forward(device, some_key, p, x);
        for (std::size_t i = 0; i < x.rows(); ++i) {
          for (std::size_t j = 0; j < columns; ++j) {
            const bool stays = dropout_word(some_key, i, j) >= dropout_threshold(p);
            CAPTURE(static_cast<int>(isa), columns, p, i, j);
            REQUIRE(y(i, j) == (stays ? x(i, j) * TestType(1 / (1 - p)) : TestType(0)));
          }
        }
        Tensor<TestType> dx(x.shape());
        dropout_backward(device, some_key, p, x.view(), dx.view());
        CHECK(same_bits(dx, y));
      }
    }
  }
}

TEST_CASE("Dropout with p = 0 is the identity") {
  const Cpu device;
  const auto x = uniform<float>(Shape{3, 33}, 1);
  CHECK(same_bits(forward(device, some_key, 0, x), x));
  auto y = x.clone();
  dropout_forward(device, some_key, 0, View<const float>(y), y.view());
  CHECK(same_bits(y, x));
}

TEST_CASE("Dropout drops the fraction p, independently of row, column, layer, step and seed") {
  const Cpu device;
  const Shape shape{1000, 100};
  const double n = static_cast<double>(shape.size());
  const auto x = ones(shape);
  for (const double p : {0.05, 0.3, 0.5, 0.8}) {
    const auto y = forward(device, some_key, p, x);
    double kept = 0;
    for (const float value : y) kept += value != 0;
    // Five standard deviations.
    CHECK(std::abs(kept / n - (1 - p)) < 5 * std::sqrt(p * (1 - p) / n));
  }
  // Agreement with the masks of other keys, and with shifted copies of itself, is that of independent coins.
  const auto base = forward(device, some_key, 0.5, x);
  const auto agreement = [&](const Tensor<float>& other, std::size_t shift) {
    double same = 0;
    for (std::size_t i = 0; i + shift < base.size(); ++i) same += (base[i] != 0) == (other[i + shift] != 0);
    return std::abs(same / (n - static_cast<double>(shift)) - 0.5);
  };
  const double limit = 5 * 0.5 / std::sqrt(n);
  for (const std::size_t shift : {1, 4, 16, 64, 100}) CHECK(agreement(base, shift) < limit);
  DropoutKey key = some_key;
  key.layer += 1;
  CHECK(agreement(forward(device, key, 0.5, x), 0) < limit);
  key = some_key;
  key.step += 1;
  CHECK(agreement(forward(device, key, 0.5, x), 0) < limit);
  key = some_key;
  key.seed += 1;
  CHECK(agreement(forward(device, key, 0.5, x), 0) < limit);
  key = some_key;
  key.seed += std::uint64_t{1} << 40;
  CHECK(agreement(forward(device, key, 0.5, x), 0) < limit);
}

TEMPLATE_TEST_CASE("Dropout does not depend on the split of the batch, the threads or the instruction set",
                   "[threads][exactness]", float, double) {
  const auto x = uniform<TestType>(Shape{97, 65}, 2);
  check_devices_agree([&](const Cpu& device) { return forward(device, some_key, 0.3, x); });
  const Cpu device;
  const auto expected = forward(device, some_key, 0.3, x);
  Tensor<TestType> parts(x.shape());
  for (std::size_t begin = 0; begin < 97; begin += 10) {
    const std::size_t rows = std::min<std::size_t>(10, 97 - begin);
    DropoutKey key = some_key;
    key.first_row += begin;
    dropout_forward(device, key, 0.3, x.view().rows(begin, rows), parts.view().rows(begin, rows));
  }
  CHECK(same_bits(parts, expected));
  // In place.
  auto y = x.clone();
  dropout_forward(device, some_key, 0.3, View<const TestType>(y), y.view());
  CHECK(same_bits(y, expected));
}

TEST_CASE("Dropout gradients are those of dual numbers") {
  const Cpu device;
  for (const std::size_t columns : {1, 31, 33}) {
    const auto x = uniform<double>(Shape{2, columns}, 1), dy = uniform<double>(Shape{2, columns}, 2);
    Tensor<double> dx(x.shape());
    dropout_backward(device, some_key, 0.4, dy.view(), dx.view());
    const auto run = [&](const auto& in, auto& out) { dropout_forward(device, some_key, 0.4, in.view(), out.view()); };
    CHECK(largest_difference(dx, dual_gradient(x, dy, run)) < 1e-12);
  }
}

TEST_CASE("NaN goes through dropout where the element stays") {
  const Cpu device;
  Tensor<float> x(Shape{1, 64});
  std::fill(x.begin(), x.end(), std::numeric_limits<float>::quiet_NaN());
  const auto y = forward(device, some_key, 0.5, x);
  std::size_t dropped = 0;
  for (std::size_t j = 0; j < 64; ++j) {
    const bool stays = dropout_word(some_key, 0, j) >= dropout_threshold(0.5);
    CHECK(std::isnan(y[j]) == stays);
    dropped += !stays;
  }
  CHECK(dropped > 10);
}
