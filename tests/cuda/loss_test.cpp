#include <minitrain/cpu/loss.hpp>

#include "cuda/support.hpp"

#include <algorithm>

using namespace test;

namespace {

/// Totals as a run has them in the middle of a batch; the sums go on from there.
Tensor<double> some_totals() { return Tensor<double>(Shape{3}, {0.1, 3.3, 7}); }

Tensor<std::int32_t> some_labels(std::size_t rows, std::size_t classes) {
  Tensor<std::int32_t> labels(Shape{rows});
  const Random random(rows + classes, RandomPurpose::test);
  for (std::size_t i = 0; i < rows; ++i) labels[i] = static_cast<std::int32_t>(random.word(i) % classes);
  return labels;
}

/// Calls loss(device, arguments) with and without a gradient, twice each.
template <class Device, class Loss>
void run_loss(const Device& device, LossArguments<float, Device> a, const Shape& shape, Results& results, Loss loss) {
  for (const bool gradient : {true, false}) {
    Tensor<double, Device> totals = on(device, some_totals());
    Tensor<float, Device> dy(device, shape);
    a.totals = totals.view();
    a.dy = gradient ? dy.view() : View<float, Device>();
    loss(device, a);
    loss(device, a);
    results.add(gradient ? "totals" : "totals without gradient", device, in(totals));
    results.add("dy", device, in(dy));
  }
}

template <class Loss>
void check_target_loss(const Cuda& gpu, std::size_t rows, std::size_t columns, bool special, Loss loss) {
  CAPTURE(rows, columns, special);
  const Shape shape{rows, columns};
  const auto hy = special ? mixed(shape, columns, -9, 9) : uniform(shape, columns, -9, 9);
  const auto ht = special ? mixed(shape, columns + 1, 0, 1) : uniform(shape, columns + 1, 0, 1);
  check_same_bits(gpu, [&](const auto& device, Results& results) {
    const auto y = on(device, hy), targets = on(device, ht);
    using Device = std::decay_t<decltype(device)>;
    LossArguments<float, Device> a;
    a.y = in(y);
    a.targets = in(targets);
    run_loss(device, a, shape, results, loss);
  });
}

void check_target_losses(const Cuda& gpu, std::size_t rows, std::size_t columns, bool special) {
  check_target_loss(gpu, rows, columns, special, [](const auto& d, const auto& a) { mean_squared_error(d, a); });
  check_target_loss(gpu, rows, columns, special, [](const auto& d, const auto& a) { huber_loss(d, 0.7, a); });
  check_target_loss(gpu, rows, columns, special,
                    [](const auto& d, const auto& a) { binary_cross_entropy_with_logits(d, a); });
}

void check_softmax_loss(const Cuda& gpu, std::size_t rows, std::size_t classes, bool special, double smoothing,
                        bool weighted) {
  CAPTURE(rows, classes, special, smoothing, weighted);
  const Shape shape{rows, classes};
  const auto hy = special ? mixed(shape, classes, -20, 20) : uniform(shape, classes, -20, 20);
  const auto hw = uniform(Shape{classes}, classes, 0, 2);
  const auto hl = some_labels(rows, classes);
  check_same_bits(gpu, [&](const auto& device, Results& results) {
    const auto y = on(device, hy), w = on(device, hw);
    const auto labels = on(device, hl);
    LossArguments<float, std::decay_t<decltype(device)>> a;
    a.y = in(y);
    a.labels = in(labels);
    if (weighted) a.class_weights = in(w);
    run_loss(device, a, shape, results, [&](const auto& d, const auto& b) { softmax_cross_entropy(d, smoothing, b); });
  });
}

}  // namespace

TEST_CASE("Losses against targets on the GPU have the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const bool special : {false, true}) {
    for (const std::size_t rows : extents) {
      for (const std::size_t columns : extents) {
        if (rows < 100 || columns < 20) check_target_losses(gpu, rows, columns, special);
      }
    }
  }
  const auto squared = [](const auto& d, const auto& a) { mean_squared_error(d, a); };
  check_target_loss(gpu, many_blocks * 256 + 3, 1, false, squared);
  check_target_loss(gpu, many_blocks * 8 + 3, 2, false, squared);
}

TEST_CASE("Softmax cross-entropy on the GPU has the bits of the CPU", "[exactness]") {
  const Cuda gpu{0};
  for (const bool special : {false, true}) {
    for (const std::size_t rows : {0, 1, 2, 17, 130}) {
      for (const std::size_t classes : {1, 2, 3, 8, 10, 14, 15, 16, 17, 31, 33, 257}) {
        if (rows > 100 && classes > 20) continue;
        for (const double smoothing : {0.0, 0.1}) {
          for (const bool weighted : {false, true})
            check_softmax_loss(gpu, rows, classes, special, smoothing, weighted);
        }
      }
    }
  }
  check_softmax_loss(gpu, many_blocks * 128 + 3, 2, false, 0, false);
  check_softmax_loss(gpu, many_blocks * 8 + 3, 16, false, 0.1, true);
}

TEST_CASE("Softmax cross-entropy on the GPU tells the first of the largest, as the CPU does", "[exactness]") {
  const Cuda gpu{0};
  for (const std::size_t classes : {3, 15, 16, 19, 40}) {
    for (const float other : {-1.0f, not_a_number, -infinity}) {
      for (const std::size_t away : {0, 1, 2}) {  // from the right answer
        CAPTURE(classes, other, away);
        Tensor<float> hy(Shape{classes, classes});
        Tensor<std::int32_t> hl(Shape{classes});
        for (std::size_t r = 0; r < classes; ++r) {
          for (std::size_t c = 0; c < classes; ++c) hy(r, c) = c % 3 == 2 ? other : -2.0f;
          const std::size_t next = (r + 1) % classes;
          hy(r, r) = hy(r, next) = 5;
          hl[r] = static_cast<std::int32_t>((std::min(r, next) + away) % classes);
        }
        check_same_bits(gpu, [&](const auto& device, Results& results) {
          const auto y = on(device, hy);
          const auto labels = on(device, hl);
          LossArguments<float, std::decay_t<decltype(device)>> a;
          a.y = in(y);
          a.labels = in(labels);
          run_loss(device, a, hy.shape(), results,
                   [](const auto& d, const auto& b) { softmax_cross_entropy(d, 0, b); });
        });
      }
    }
  }
}

TEST_CASE("Outputs that are NaN are wrong answers on the GPU too, for every label", "[exactness]") {
  const Cuda gpu{0};
  for (const std::size_t classes : {2, 3, 15, 16, 40}) {
    for (const float other : {-1.0f, -infinity}) {
      for (const bool all : {false, true}) {
        CAPTURE(classes, other, all);
        Tensor<float> hy(Shape{classes, classes}), ht(Shape{classes, classes});
        Tensor<std::int32_t> hl(Shape{classes});
        for (std::size_t r = 0; r < classes; ++r) {
          hl[r] = static_cast<std::int32_t>(r);
          for (std::size_t c = 0; c < classes; ++c) {
            hy(r, c) = all || c == (r + 1) % classes ? not_a_number : c == r ? 5.0f : other;
            ht(r, c) = c == r ? 1.0f : 0.0f;
          }
        }
        Tensor<double, Cuda> totals = on(gpu, Tensor<double>(Shape{3}, {0, 0, 0}));
        const auto y = on(gpu, hy), targets = on(gpu, ht);
        const auto labels = on(gpu, hl);
        LossArguments<float, Cuda> a;
        a.y = in(y);
        a.targets = in(targets);
        a.labels = in(labels);
        a.totals = totals.view();
        softmax_cross_entropy(gpu, 0, a);
        binary_cross_entropy_with_logits(gpu, a);
        double sums[3];
        copy_to_host(gpu, in(totals), sums);
        CHECK(sums[2] == 0);
      }
    }
  }
}

TEST_CASE("Losses on the GPU do not depend on the split of the batch", "[exactness]") {
  const Cuda gpu{0};
  const std::size_t rows = 301, classes = 10;
  const auto y = on(gpu, uniform(Shape{rows, classes}, 1)), targets = on(gpu, uniform(Shape{rows, classes}, 2, 0, 1));
  const auto labels = on(gpu, some_labels(rows, classes));
  Results whole, parts;
  for (const std::size_t step : {rows, std::size_t{43}}) {
    auto totals = on(gpu, some_totals());
    Tensor<float, Cuda> dy(gpu, Shape{rows, classes});
    for (std::size_t begin = 0; begin < rows; begin += step) {
      LossArguments<float, Cuda> a;
      a.y = in(y).rows(begin, step);
      a.targets = in(targets).rows(begin, step);
      a.labels = {labels.data() + begin, Shape{step}};
      a.dy = dy.view().rows(begin, step);
      a.totals = totals.view();
      huber_loss(gpu, 1, a);
      softmax_cross_entropy(gpu, 0.1, a);
    }
    Results& results = step == rows ? whole : parts;
    results.add("dy", gpu, in(dy));
    // Two losses in turn: only where each adds its rows in order do whole and parts differ. So compare one at a time.
    auto one = on(gpu, some_totals());
    for (std::size_t begin = 0; begin < rows; begin += step) {
      LossArguments<float, Cuda> a;
      a.y = in(y).rows(begin, step);
      a.labels = {labels.data() + begin, Shape{step}};
      a.totals = one.view();
      softmax_cross_entropy(gpu, 0.1, a);
    }
    results.add("totals", gpu, in(one));
  }
  whole.check_equal(parts);
}
