// The noisy quadratic model: a problem small enough that what a batch size is worth can be computed, not measured.
// Every run of SGD on it, with and without momentum, has an exact mean; the library's optimizer is held to it.
#include <minitrain/experiment/fits.hpp>
#include <minitrain/trainer.hpp>

#include "common/experiment.hpp"
#include "common/noisy_quadratic.hpp"

namespace mt = minitrain;
using examples::NoisyQuadratic;
using examples::QuadraticRun;

constexpr double momentum = 0.9;

// The fewest steps to the target, over rates (1 - momentum)·2^(j/8), and the rate of them.
struct Best {
  double steps = examples::nan, rate = examples::nan;
};

template <class Steps>
static Best best_of(const NoisyQuadratic& model, double m, double batch, const Steps& steps_at) {
  Best best;
  // From rates that diverge, or end above the target, down to where fewer steps are no longer in sight: below the best
  // rate, steps go with 1/rate.
  for (int j = 48; j > -120; --j) {
    const double rate = (1 - m) * std::exp2(j / 8.0);
    if (!(examples::last_loss(model, {rate, m, batch}) < model.target)) continue;
    const std::optional<double> steps = steps_at(rate);
    if (steps && !(*steps >= best.steps)) best = {*steps, rate};
    if (steps && *steps > 1.3 * best.steps) break;
  }
  return best;
}

// {steps, rate} of a point of the grid.
static std::vector<double> tuned(const NoisyQuadratic& model, const mt::Point& point) {
  const double m = point["momentum"], batch = point["batch_size"];
  const Best best = best_of(model, m, batch, [&](double rate) {
    return m == 0 ? examples::steps_by_formula(model, rate, batch)
                  : examples::QuadraticMoments(model, {rate, m, batch}).steps_to_target();
  });
  return {best.steps, best.rate};
}

// L after 0, 1, 2, 4, ... steps, and after `steps` of them, in one run of the library's SGD. Noise is Philox's, a
// stream for every step.
static std::vector<double> simulate(const NoisyQuadratic& model, const QuadraticRun& run,
                                    const std::vector<std::size_t>& marks, std::uint64_t seed) {
  const mt::Cpu device{{.threads = 1}};
  const mt::Shape shape{model.dimensions};
  mt::Tensor<double> theta(shape), gradient(shape), velocity(shape), noise(shape);
  std::fill(theta.begin(), theta.end(), 1.0);
  const mt::View<double> moments[] = {velocity.view()};
  const mt::SGD sgd{.learning_rate = run.rate, .momentum = run.momentum};
  std::vector<double> losses;
  for (std::size_t t = 0;; ++t) {
    if (t == marks[losses.size()]) {
      double loss = 0;
      for (std::size_t i = 0; i < model.dimensions; ++i) loss += model.curvature(i) / 2 * theta[i] * theta[i];
      losses.push_back(loss);
      if (losses.size() == marks.size()) return losses;
    }
    using Kind = mt::InitialValues::Kind;
    mt::fill_initial(device, {Kind::normal, 1 / std::sqrt(run.batch), seed, static_cast<std::uint32_t>(t)},
                     noise.view());
    for (std::size_t i = 0; i < model.dimensions; ++i) {
      const double h = model.curvature(i);
      gradient[i] = h * theta[i] + std::sqrt(h) * noise[i];
    }
    sgd.update(device, mt::UpdateStep<double>{.parameters = theta.view(),
                                              .gradient_sums = gradient.view(),
                                              .moments = moments,
                                              .learning_rate = run.rate,
                                              .step = t + 1});
  }
}
