#include "cpu/loss_fixture.hpp"
#include "support/catch.hpp"

#include <minitrain/cpu/loss.hpp>
#include <minitrain/nn/losses.hpp>
#include <minitrain/testing/dual.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

namespace mt = minitrain;

namespace {

using Dual = mt::testing::Dual<double>;

std::vector<mt::Isa> instruction_sets() {
  std::vector<mt::Isa> sets;
  for (const mt::Isa isa : {mt::Isa::baseline, mt::Isa::avx2, mt::Isa::avx512}) {
    if (isa <= mt::cpu::best_isa()) sets.push_back(isa);
  }
  return sets;
}

mt::Cpu cpu(mt::Isa isa = mt::Isa::best, std::size_t threads = 1) { return mt::Cpu{{.threads = threads, .isa = isa}}; }

/// A batch, answers of both kinds, and results. Inputs as in the fixture.
template <class T>
struct Problem {
  using Total = typename mt::LossArguments<T>::Total;

  Problem(std::size_t rows, std::size_t columns, bool weighted = false)
      : y({rows, columns}), targets({rows, columns}), dy({rows, columns}), weights({weighted ? columns : 0}) {
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = T((static_cast<double>(37 * i % 101) - 50) / 16);
      targets[i] = T(static_cast<double>(23 * i % 17) / 16);
    }
    for (std::size_t row = 0; row < rows; ++row) labels[row] = static_cast<std::int32_t>((3 * row + 1) % columns);
    for (std::size_t c = 0; c < weights.size(); ++c) weights[c] = T((static_cast<double>(c % 3) + 1) / 2);
  }

  mt::LossArguments<T> arguments(bool gradient = true) {
    return {y, targets, labels, gradient ? dy.view() : mt::View<T>{}, weights, totals};
  }
  /// Rows [first, first + count).
  mt::LossArguments<T> part(std::size_t first, std::size_t count) {
    return {y.view().rows(first, count),
            targets.view().rows(first, count),
            {labels.data() + first, mt::Shape{count}},
            dy.view().rows(first, count),
            weights,
            totals};
  }

  mt::Tensor<T> y, targets, dy, weights;
  mt::Tensor<std::int32_t> labels{mt::Shape{y.rows()}};
  mt::Tensor<Total> totals{mt::Shape{3}};
};

template <class T>
bool same_bits(const mt::Tensor<T>& a, const mt::Tensor<T>& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// f(loss, class weights?) for every loss and kind of option.
template <class F>
void for_each_loss(F&& f) {
  f(mt::MeanSquaredError{}, false);
  f(mt::Huber{.delta = 0.75}, false);
  f(mt::BinaryCrossEntropy{}, false);
  f(mt::SoftmaxCrossEntropy{}, false);
  f(mt::SoftmaxCrossEntropy{}, true);
  f(mt::SoftmaxCrossEntropy{.label_smoothing = 0.1, .class_weights = {}}, false);
  f(mt::SoftmaxCrossEntropy{.label_smoothing = 0.1, .class_weights = {}}, true);
}

using Wide = long double;

Wide huber(Wide e) { return std::abs(e) <= 0.75L ? e * e / 2 : 0.75L * (std::abs(e) - 0.375L); }

/// What one row adds to the totals, by the formulas of nn/losses.hpp, and its gradient.
template <class L, class T>
std::vector<Wide> expected_row(const L& loss, const Problem<T>& p, std::size_t row, Wide (&totals)[3]) {
  const std::size_t n = p.y.columns();
  std::vector<Wide> gradient(n);
  const T* const y = p.y.data() + row * n;
  const T* const t = p.targets.data() + row * n;
  if constexpr (L::uses_labels) {
    const auto label = static_cast<std::size_t>(p.labels[row]);
    const auto best = static_cast<std::size_t>(std::max_element(y, y + n) - y);
    const Wide smoothing = loss.label_smoothing;
    Wide sum = 0;
    for (std::size_t c = 0; c < n; ++c) sum += std::exp(Wide(y[c]) - Wide(y[best]));
    Wide mass = 0;
    for (std::size_t c = 0; c < n; ++c) {
      const Wide weight = p.weights.empty() ? 1 : Wide(p.weights[c]);
      const Wide q = weight * ((1 - smoothing) * (c == label ? 1 : 0) + smoothing / static_cast<Wide>(n));
      mass += q;
      gradient[c] = -q;
      totals[0] -= q * (Wide(y[c]) - Wide(y[best]) - std::log(sum));
    }
    for (std::size_t c = 0; c < n; ++c) gradient[c] += mass * std::exp(Wide(y[c]) - Wide(y[best])) / sum;
    totals[1] += p.weights.empty() ? 1 : Wide(p.weights[label]);
    totals[2] += label == best ? 1 : 0;
    return gradient;
  }
  bool right = true;
  Wide sum = 0;
  for (std::size_t j = 0; j < n; ++j) {
    const Wide e = Wide(y[j]) - Wide(t[j]), size = static_cast<Wide>(n);
    if constexpr (std::is_same_v<L, mt::MeanSquaredError>) {
      sum += e * e;
      gradient[j] = 2 * e / size;
    } else if constexpr (std::is_same_v<L, mt::Huber>) {
      sum += huber(e);
      gradient[j] = std::clamp(e, -0.75L, 0.75L) / size;
    } else {
      sum += std::max(Wide(y[j]), 0.0L) - Wide(y[j]) * Wide(t[j]) + std::log1p(std::exp(-std::abs(Wide(y[j]))));
      gradient[j] = (1 / (1 + std::exp(-Wide(y[j]))) - Wide(t[j])) / size;
      right = right && (y[j] > 0) == (t[j] > T(0.5));
    }
  }
  totals[0] += sum / static_cast<Wide>(n);
  totals[1] += 1;
  totals[2] += std::is_same_v<L, mt::BinaryCrossEntropy> && right ? 1 : 0;
  return gradient;
}

template <class L, class T>
void check_formula(const mt::Cpu& device, const L& loss, Problem<T>& p, double tolerance) {
  loss(device, p.arguments());
  Wide totals[3] = {};
  double worst = 0;
  for (std::size_t row = 0; row < p.y.rows(); ++row) {
    const std::vector<Wide> gradient = expected_row(loss, p, row, totals);
    for (std::size_t j = 0; j < gradient.size(); ++j) {
      const double error = std::abs(static_cast<double>(Wide(p.dy(row, j)) - gradient[j]));
      worst = error <= worst ? worst : error;  // NaN counts
    }
  }
  CHECK(worst < tolerance);
  CHECK(std::abs(p.totals[0] - static_cast<double>(totals[0])) <= tolerance * static_cast<double>(totals[0]));
  CHECK(p.totals[1] == static_cast<double>(totals[1]));
  CHECK(p.totals[2] == static_cast<double>(totals[2]));
}

void check_pytorch(const mt::LossArguments<double>& a, const Problem<double>& p, const fixture::MeanLoss& wanted) {
  CHECK(a.totals[0] / a.totals[1] == test::Approx(wanted.loss).epsilon(1e-14));
  for (std::size_t i = 0; i < p.dy.size(); ++i) {
    CAPTURE(i);
    CHECK_THAT(p.dy[i] / a.totals[1], test::WithinAbs(wanted.gradient[i], 1e-15));
  }
}

}  // namespace

TEST_CASE("losses and their gradients are PyTorch's") {
  const auto check = [](const auto& loss, Problem<double> p, const fixture::MeanLoss& wanted) {
    loss(cpu(), p.arguments());
    check_pytorch(p.arguments(), p, wanted);
  };
  check(mt::MeanSquaredError{}, {4, 3}, fixture::squared);
  check(mt::Huber{.delta = 0.75}, {4, 3}, fixture::huber);
  check(mt::BinaryCrossEntropy{}, {4, 3}, fixture::binary);
  const mt::SoftmaxCrossEntropy plain, smooth{.label_smoothing = 0.1, .class_weights = {}};
  check(plain, {5, 4}, fixture::softmax);
  check(smooth, {5, 4}, fixture::softmax_smooth);
  check(plain, {5, 4, true}, fixture::softmax_weighted);
  check(smooth, {5, 4, true}, fixture::softmax_both);
  check(smooth, {3, 20, true}, fixture::softmax_wide);
}

TEST_CASE("losses follow their formulas at every size") {
  for (const mt::Isa isa : instruction_sets()) {
    const mt::Cpu device = cpu(isa);
    for (const std::size_t rows : {0u, 1u, 7u, 31u, 33u, 257u}) {
      for (const std::size_t columns : {1u, 2u, 3u, 8u, 10u, 16u, 17u, 31u, 33u, 257u}) {
        CAPTURE(static_cast<int>(isa), rows, columns);
        for_each_loss([&](const auto& loss, bool weighted) {
          CAPTURE(loss.name(), weighted);
          Problem<double> in_double(rows, columns, weighted);
          check_formula(device, loss, in_double, 2e-14);
          Problem<float> in_float(rows, columns, weighted);
          check_formula(device, loss, in_float, 2e-6);
        });
      }
    }
  }
}

TEST_CASE("gradients of losses are those of dual numbers and of difference quotients") {
  for (const auto& [rows, columns] : {std::pair<std::size_t, std::size_t>{18, 1}, {5, 4}, {3, 20}}) {
    for_each_loss([&, rows = rows, columns = columns](const auto& loss, bool weighted) {
      CAPTURE(loss.name(), weighted, columns);
      Problem<double> p(rows, columns, weighted);
      loss(cpu(), p.arguments());
      for (std::size_t i = 0; i < p.y.size(); ++i) {
        CAPTURE(i);
        Problem<Dual> dual(rows, columns, weighted);
        dual.y[i].derivative = 1;
        loss(cpu(), dual.arguments());
        CHECK_THAT(p.dy[i], test::WithinAbs(dual.totals[0].derivative, 1e-12));
        CHECK_THAT(p.dy[i], test::WithinAbs(dual.dy[i].value, 1e-12));

        const double h = 6e-6, centre = p.y[i];
        const double error = std::abs(centre - p.targets[i]);
        if (std::is_same_v<std::decay_t<decltype(loss)>, mt::Huber> && std::abs(error - 0.75) < h) continue;  // a kink
        Problem<double> above(rows, columns, weighted), below(rows, columns, weighted);
        above.y[i] = centre + h;
        below.y[i] = centre - h;
        loss(cpu(), above.arguments(false));
        loss(cpu(), below.arguments(false));
        CHECK_THAT(p.dy[i], test::WithinAbs((above.totals[0] - below.totals[0]) / (2 * h), 1e-8));
      }
    });
  }
}

TEMPLATE_TEST_CASE("losses are the same bits for AVX2, AVX-512, any split and any number of threads", "[exactness]",
                   float, double) {
  if (mt::cpu::best_isa() < mt::Isa::avx2) return;
  for (const auto& [rows, columns] :
       {std::pair<std::size_t, std::size_t>{33, 1}, {33, 2}, {33, 10}, {33, 16}, {33, 33}, {4'001, 10}, {701, 70}}) {
    for_each_loss([&, rows = rows, columns = columns](const auto& loss, bool weighted) {
      CAPTURE(loss.name(), weighted, rows, columns);
      Problem<TestType> whole(rows, columns, weighted);
      loss(cpu(mt::Isa::avx2), whole.arguments());
      for (const std::size_t threads : {1u, 2u, 3u}) {
        Problem<TestType> other(rows, columns, weighted);
        loss(cpu(mt::Isa::best, threads), other.arguments());
        CHECK(same_bits(whole.totals, other.totals));
        CHECK(same_bits(whole.dy, other.dy));
      }
      for (const std::size_t step : {1u, 7u, 16u, 30u}) {
        Problem<TestType> split(rows, columns, weighted);
        const mt::Cpu device = cpu();
        for (std::size_t first = 0; first < rows; first += step) {
          loss(device, split.part(first, std::min(step, rows - first)));
        }
        CHECK(same_bits(whole.totals, split.totals));
        CHECK(same_bits(whole.dy, split.dy));
      }
      Problem<TestType> evaluated(rows, columns, weighted);
      loss(cpu(), evaluated.arguments(false));
      CHECK(same_bits(whole.totals, evaluated.totals));
    });
  }
}

TEST_CASE("losses touch no row but theirs") {
  for (const mt::Isa isa : instruction_sets()) {
    for (const std::size_t columns : {1u, 3u, 10u, 17u, 33u}) {
      for_each_loss([&](const auto& loss, bool weighted) {
        CAPTURE(static_cast<int>(isa), loss.name(), weighted, columns);
        Problem<float> p(40, columns, weighted);
        for (float& value : p.dy) value = -7;
        loss(cpu(isa), p.part(3, 18));
        for (std::size_t row = 0; row < 40; ++row) {
          for (std::size_t j = 0; j < columns; ++j) {
            if ((row < 3 || row >= 21) != (p.dy(row, j) == -7)) FAIL("row " << row << ", column " << j);
          }
        }
        CHECK(p.totals[1] > 0);
      });
    }
  }
}

TEMPLATE_TEST_CASE("losses stay exact for outputs far apart", "", float, double) {
  using T = TestType;
  for (const mt::Isa isa : instruction_sets()) {
    for (const std::size_t columns : {3u, 20u}) {
      CAPTURE(static_cast<int>(isa), columns);
      Problem<T> p(2, columns);
      for (T& value : p.y) value = T(-1e30);
      p.y(0, 1) = T(1e30);  // row 0: right beyond doubt
      p.y(1, 0) = T(1000);  // row 1: wrong by 999
      p.y(1, 1) = T(1);
      p.labels[0] = p.labels[1] = 1;
      mt::SoftmaxCrossEntropy{}(cpu(isa), p.arguments());
      CHECK(p.totals[0] == 999);
      CHECK(p.totals[2] == 1);
      CHECK(p.dy(0, 1) == 0);
      CHECK(p.dy(1, 0) == 1);
      CHECK(p.dy(1, 1) == -1);
    }
    Problem<T> b(1, 2);
    b.y[0] = T(1000), b.targets[0] = 1;
    b.y[1] = T(-1000), b.targets[1] = T(0.25);
    mt::BinaryCrossEntropy{}(cpu(isa), b.arguments());
    CHECK(b.totals[0] == 125);  // (0 + 0.25·1000) / 2
    CHECK(b.totals[2] == 1);
    CHECK(b.dy[0] == 0);
    CHECK(b.dy[1] == T(-0.125));
  }
}

TEMPLATE_TEST_CASE("a masked class, -infinity, costs nothing unless it is the label", "", float, double) {
  constexpr TestType infinity = std::numeric_limits<TestType>::infinity();
  for (const mt::Isa isa : instruction_sets()) {
    for (const std::size_t columns : {4u, 20u}) {
      CAPTURE(static_cast<int>(isa), columns);
      Problem<TestType> p(1, columns);
      for (TestType& value : p.y) value = -infinity;
      p.y[1] = p.y[2] = 5;
      mt::SoftmaxCrossEntropy{}(cpu(isa), p.arguments());
      CHECK(p.totals[0] == test::Approx(std::log(2.0)));
      CHECK(p.dy[0] == 0);
      CHECK(p.dy[1] == TestType(-0.5));
      CHECK(p.dy[2] == TestType(0.5));
      p.labels[0] = 3;
      mt::SoftmaxCrossEntropy{}(cpu(isa), p.arguments());
      CHECK(p.totals[0] == std::numeric_limits<double>::infinity());
    }
  }
}

TEMPLATE_TEST_CASE("numbers that are not finite come out as a loss that is not", "", float, double) {
  constexpr TestType bad[] = {std::numeric_limits<TestType>::quiet_NaN(), std::numeric_limits<TestType>::infinity()};
  for (const mt::Isa isa : instruction_sets()) {
    for (const std::size_t columns : {2u, 10u, 16u, 17u, 40u}) {
      for (const TestType value : bad) {
        for (const std::size_t at : {std::size_t{0}, std::size_t{1}, columns - 1, columns + 1, 3 * columns - 1}) {
          for_each_loss([&](const auto& loss, bool weighted) {
            CAPTURE(static_cast<int>(isa), loss.name(), weighted, columns, value, at);
            Problem<TestType> p(3, columns, weighted);
            p.targets[at] = 0;  // with target 1, an output of infinity is right and costs 0
            p.y[at] = value;
            loss(cpu(isa), p.arguments());
            CHECK_FALSE(std::isfinite(p.totals[0]));
            CHECK(std::isnan(p.dy[at]) >= std::isnan(value));
          });
        }
      }
    }
  }
}

TEST_CASE("a row with an output that is NaN is answered wrong for every label") {
  constexpr float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const mt::Isa isa : instruction_sets()) {
    for (const std::size_t columns : {2u, 3u, 15u, 16u, 20u, 40u}) {
      for (const std::size_t at : {std::size_t{0}, std::size_t{1}, columns - 1, columns}) {  // columns: all of them
        for (const float others : {-1.0f, infinity, -infinity}) {
          CAPTURE(static_cast<int>(isa), columns, at, others);
          Problem<float> p(columns, columns);
          for (std::size_t row = 0; row < columns; ++row) {
            p.labels[row] = static_cast<std::int32_t>(row);
            for (std::size_t c = 0; c < columns; ++c) {
              p.y[row * columns + c] = at == columns || at == c ? nan : c == row ? others : others - 1;
            }
          }
          mt::SoftmaxCrossEntropy{}(cpu(isa), p.arguments());
          CHECK(std::isnan(p.totals[0]));
          CHECK(p.totals[2] == 0);
          for (const float target : {0.0f, 1.0f}) {
            for (std::size_t i = 0; i < columns * columns; ++i) {
              p.targets[i] = target;
              if (!std::isnan(p.y[i])) p.y[i] = target - 0.5f;
            }
            p.totals[2] = 0;
            mt::BinaryCrossEntropy{}(cpu(isa), p.arguments());
            CHECK(p.totals[2] == 0);
          }
        }
      }
      // Infinities are numbers: the answer is the largest, though the loss is NaN.
      Problem<float> p(3, columns);
      for (float& value : p.y) value = -infinity;
      p.y[0] = infinity;
      p.y[columns + 1] = nan;
      p.labels[0] = p.labels[1] = p.labels[2] = 0;
      mt::SoftmaxCrossEntropy{}(cpu(isa), p.arguments());
      CHECK(std::isnan(p.totals[0]));
      CHECK(p.totals[2] == 2);
    }
  }
}

TEST_CASE("of equal largest outputs the first is the answer") {
  for (const mt::Isa isa : instruction_sets()) {
    for (const std::size_t columns : {3u, 16u, 20u, 40u}) {
      CAPTURE(static_cast<int>(isa), columns);
      Problem<float> p(columns, columns);
      for (float& value : p.y) value = -1;
      for (std::size_t row = 0; row < columns; ++row) p.labels[row] = static_cast<std::int32_t>(row);
      mt::SoftmaxCrossEntropy{}(cpu(isa), p.arguments());
      CHECK(p.totals[2] == 1);
    }
  }
}

TEST_CASE("losses add to the totals that are there") {
  for_each_loss([](const auto& loss, bool weighted) {
    CAPTURE(loss.name(), weighted);
    Problem<double> p(4, 3, weighted), q(4, 3, weighted);
    loss(cpu(), p.arguments());
    q.totals[0] = 64, q.totals[1] = 32, q.totals[2] = 16;
    loss(cpu(), q.arguments());
    CHECK(q.totals[0] == test::Approx(64 + p.totals[0]));
    CHECK(q.totals[1] == 32 + p.totals[1]);
    CHECK(q.totals[2] == 16 + p.totals[2]);
  });
}
