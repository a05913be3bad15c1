#pragma once
// The library's SGD on the noisy quadratic model, and the mean that theory gives it.

#include <minitrain/trainer.hpp>

#include "noisy_quadratic.hpp"

namespace examples {

/// L after so many steps (ascending, the first one 0) of the library's SGD. Noise is Philox's, a stream for every step.
inline std::vector<double> simulate(const NoisyQuadratic& model, const QuadraticRun& run,
                                    const std::vector<std::size_t>& marks, std::uint64_t seed) {
  const minitrain::Cpu device{{.threads = 1}};
  const minitrain::Shape shape{model.dimensions};
  minitrain::Tensor<double> theta(shape), gradient(shape), velocity(shape), noise(shape);
  std::fill(theta.begin(), theta.end(), 1.0);
  const minitrain::View<double> moments[] = {velocity.view()};
  const minitrain::SGD sgd{.learning_rate = run.rate, .momentum = run.momentum};
  std::vector<double> losses;
  for (std::size_t t = 0;; ++t) {
    if (t == marks[losses.size()]) {
      double loss = 0;
      for (std::size_t i = 0; i < model.dimensions; ++i) loss += model.curvature(i) / 2 * theta[i] * theta[i];
      losses.push_back(loss);
      if (losses.size() == marks.size()) return losses;
    }
    using Kind = minitrain::InitialValues::Kind;
    minitrain::fill_initial(device, {Kind::normal, 1 / std::sqrt(run.batch), seed, static_cast<std::uint32_t>(t)},
                            noise.view());
    for (std::size_t i = 0; i < model.dimensions; ++i) {
      const double h = model.curvature(i);
      gradient[i] = h * theta[i] + std::sqrt(h) * noise[i];
    }
    sgd.update(device, minitrain::UpdateStep<double>{.parameters = theta.view(),
                                                     .gradient_sums = gradient.view(),
                                                     .moments = moments,
                                                     .learning_rate = run.rate,
                                                     .step = t + 1});
  }
}

/// E L after the same steps.
inline std::vector<double> losses_at(const NoisyQuadratic& model, const QuadraticRun& run,
                                     const std::vector<std::size_t>& marks) {
  QuadraticMoments moments(model, run);
  std::vector<double> losses{moments.loss()};
  for (std::size_t t = 1; losses.size() < marks.size(); ++t) {
    const double loss = moments.advance();
    if (t == marks[losses.size()]) losses.push_back(loss);
  }
  return losses;
}

}  // namespace examples
