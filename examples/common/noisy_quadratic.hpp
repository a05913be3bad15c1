#pragma once
// The noisy quadratic model, in which all that SGD with momentum does on average can be computed:
//   L(θ) = ½ Σ h_i θ_i²,  gradient g_i = h_i θ_i + n_i,  n_i ~ N(0, c_i / B),  h_i = c_i = 1/i,  θ_i(0) = 1.
// Zhang et al., "Which Algorithmic Choices Matter at Which Batch Sizes? Insights From a Noisy Quadratic Model",
// NeurIPS 2019, arXiv:1907.04164.

#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

namespace examples {

struct NoisyQuadratic {
  std::size_t dimensions = 10'000;
  double target = 0.01;  // of E L; it begins at ½ Σ 1/i, 4.89 in 10,000 dimensions

  static double curvature(std::size_t i) { return 1 / static_cast<double>(i + 1); }
};

/// v = momentum·v + g,  θ -= rate·v.
struct QuadraticRun {
  double rate = 0, momentum = 0, batch = 1;
};

/// E L after T steps of SGD without momentum:
///   ½ Σ h [ρ^T + (1 - ρ^T) a c / (B h (2 - a h))],  ρ = (1 - a h)²,  rate a < 2.
inline double expected_loss(const NoisyQuadratic& model, double rate, double batch, double steps) {
  double loss = 0;
  for (std::size_t i = 0; i < model.dimensions; ++i) {
    const double h = NoisyQuadratic::curvature(i), left = std::exp(2 * steps * std::log(std::abs(1 - rate * h)));
    loss += h / 2 * (left + (1 - left) * rate / (batch * (2 - rate * h)));
  }
  return loss;
}

/// E L after steps without end: ½ Σ a c (1 + m) / (B (1 - m) (2 (1 + m) - a h)); infinite where a run diverges,
/// a h >= 2 (1 + m).
inline double last_loss(const NoisyQuadratic& model, const QuadraticRun& run) {
  const double a = run.rate, m = run.momentum;
  if (a >= 2 * (1 + m)) return std::numeric_limits<double>::infinity();
  double loss = 0;
  for (std::size_t i = 0; i < model.dimensions; ++i) {
    const double h = NoisyQuadratic::curvature(i);
    loss += a * h * (1 + m) / (2 * run.batch * (1 - m) * (2 * (1 + m) - a * h));
  }
  return loss;
}

/// E L after each step, with momentum or without. In every dimension (E θ², E θv, E v²) goes through an affine map,
/// the same at each step.
class QuadraticMoments {
 public:
  QuadraticMoments(const NoisyQuadratic& model, const QuadraticRun& run)
      : model_(model), state_(model.dimensions, State{{1, 0, 0}}) {
    maps_.emplace_back();
    for (std::size_t i = 0; i < model.dimensions; ++i) {
      const double h = NoisyQuadratic::curvature(i), a = run.rate, m = run.momentum, noise = h / run.batch;
      const State u{{h * h, 2 * m * h, m * m}}, w{{h, m, 0}};  // E v'² but for the noise, and E θv'
      Map map;
      for (std::size_t j = 0; j < 3; ++j) {
        map.by[0][j] = (j == 0 ? 1 : 0) - 2 * a * w[j] + a * a * u[j];
        map.by[1][j] = w[j] - a * u[j];
        map.by[2][j] = u[j];
      }
      map.plus = {{a * a * noise, -a * noise, noise}};
      maps_[0].push_back(map);
      half_.push_back(h / 2);
    }
  }

  double loss() const {
    double sum = 0;
    for (std::size_t i = 0; i < state_.size(); ++i) sum += half_[i] * state_[i][0];
    return sum;
  }
  /// loss() after 2^level more steps.
  double advance(std::size_t level = 0) {
    while (maps_.size() <= level) square();
    double sum = 0;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      state_[i] = maps_[level][i](state_[i]);
      sum += half_[i] * state_[i][0];
    }
    return sum;
  }
  /// The smallest number of steps after which E L is at most the target; nothing when it is not among the first
  /// 2^most. It looks at each of the first `one_by_one`, while E L may rise and fall (what swings, swings with
  /// momentum^T); from there on E L only falls, and powers of the map find the step.
  std::optional<double> steps_to_target(std::size_t one_by_one = 1024, std::size_t most = 26) {
    double steps = 0;
    for (double at = loss(); at > model_.target; ++steps) {
      if (steps == static_cast<double>(one_by_one)) return far_steps(steps, most);
      at = advance();
    }
    return steps;
  }

 private:
  struct State {
    double x[3];
    double operator[](std::size_t i) const { return x[i]; }
  };
  struct Map {
    double by[3][3];
    State plus;

    State operator()(const State& s) const {
      const auto row = [&](std::size_t i) { return plus[i] + by[i][0] * s[0] + by[i][1] * s[1] + by[i][2] * s[2]; };
      return {{row(0), row(1), row(2)}};
    }
    Map squared() const {
      Map out;
      for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t j = 0; j < 3; ++j) {
          out.by[i][j] = by[i][0] * by[0][j] + by[i][1] * by[1][j] + by[i][2] * by[2][j];
        }
      }
      out.plus = (*this)(plus);
      return out;
    }
  };

  void square() {
    std::vector<Map> next(state_.size());
    for (std::size_t i = 0; i < next.size(); ++i) next[i] = maps_.back()[i].squared();
    maps_.push_back(std::move(next));
  }
  /// Doubles the stride while E L stays above the target, then halves it.
  std::optional<double> far_steps(double steps, std::size_t most) {
    std::size_t level = 0;
    std::vector<State> before = state_;
    for (bool growing = true;;) {
      before = state_;
      const bool above = advance(level) > model_.target;
      if (above) steps += std::ldexp(1.0, static_cast<int>(level));
      if (!above) state_ = before;
      growing = growing && above;
      if (growing && level == most) return std::nullopt;
      if (!growing && level == 0) return steps + 1;
      growing ? ++level : --level;
    }
  }

  NoisyQuadratic model_;
  std::vector<State> state_;
  std::vector<double> half_;            // h/2
  std::vector<std::vector<Map>> maps_;  // [level][dimension]: 2^level steps
};

/// The smallest T with E L(T) <= target by the closed form, without momentum; nothing when there is none.
inline std::optional<double> steps_by_formula(const NoisyQuadratic& model, double rate, double batch) {
  double low = 0, high = 1;  // above the target at low, not at high
  if (rate >= 2) return std::nullopt;
  if (expected_loss(model, rate, batch, std::numeric_limits<double>::infinity()) > model.target) return std::nullopt;
  for (; expected_loss(model, rate, batch, high) > model.target; high *= 2) low = high;
  while (high - low > 1) {
    const double middle = std::floor((low + high) / 2);
    (expected_loss(model, rate, batch, middle) > model.target ? low : high) = middle;
  }
  return high;
}

}  // namespace examples
