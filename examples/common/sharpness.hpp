#pragma once
// sharpness(): how much the loss can rise near the parameters of a trained network.

#include <minitrain/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

namespace examples {

/// Parameters to look around, and where: Keskar et al., "On Large-Batch Training for Deep Learning: Generalization Gap
/// and Sharp Minima", ICLR 2017, arXiv:1609.04836, section 2.2.
///   φ = 100·(max_{z in C} f(x + A z) - f(x)) / (1 + f(x)),  C: |z_i| <= epsilon·(|(A⁺x)_i| + 1)
/// A is the identity, or [n, directions] of N(0, 1).
struct Neighbourhood {
  std::vector<float> centre{};  // x, tensor after tensor: Trainer::parameters()
  double epsilon = 1e-3;
  std::size_t directions = 0;  // 0: all of the space
  std::uint64_t seed = 0;      // of A
};

/// Climbs in the box by z ← clip(z + rate·width·sign(∂f/∂z)), an optimizer like any other: its first step, from
/// whatever parameters, goes to the centre. The corners are where a linear f is greatest, and in so small a box f is
/// nearly linear.
class Climb {
 public:
  double learning_rate = 0.5;  // in half widths of the box

  explicit Climb(const Neighbourhood& where) : where_(std::make_shared<State>()) {
    where_->around = where;
    if (where.directions == 0) return;
    const std::size_t n = where.centre.size(), p = where.directions;
    where_->directions = minitrain::Tensor<float>(minitrain::Shape{p, n});  // Aᵀ
    minitrain::fill_initial(minitrain::Cpu{{.threads = 1}}, {minitrain::InitialValues::Kind::normal, 1, where.seed, 0},
                            where_->directions.view());
    // A⁺x is Aᵀx/n but for a few per cent of what is next to nothing beside the 1.
    for (std::size_t k = 0; k < p; ++k) {
      where_->width.push_back(where.epsilon * (std::abs(where_->along(k, where.centre)) / static_cast<double>(n) + 1));
    }
    where_->z.assign(p, 0);
  }

  void check() const {}
  static const char* name() { return "Climb"; }
  static std::size_t moments() { return 0; }
  static const char* moment_name(std::size_t) { return ""; }
  template <class T>
  void update(const minitrain::Cpu&, const minitrain::UpdateStep<T>& step) const {
    State& s = *where_;
    std::vector<float> x = s.around.centre;
    if (step.step > 1) s.around.directions == 0 ? climb(step, x) : climb_along(step, x);
    std::size_t at = 0;
    for (const auto& tensor : step.tensors) {
      for (std::size_t i = 0; i < tensor.size(); ++i) step.parameters[tensor.offset + i] = x[at++];
    }
  }

 private:
  struct State {
    Neighbourhood around;
    minitrain::Tensor<float> directions{};
    std::vector<double> width{}, z{};  // of each direction

    double along(std::size_t k, const std::vector<float>& v) const {
      const float* const a = directions.data() + k * v.size();
      double sum = 0;
      for (std::size_t i = 0; i < v.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(v[i]);
      return sum;
    }
  };
  static double sign(double v) { return static_cast<double>((v > 0) - (v < 0)); }

  template <class T>
  void climb(const minitrain::UpdateStep<T>& step, std::vector<float>& x) const {
    std::size_t at = 0;
    for (const auto& tensor : step.tensors) {
      for (std::size_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i, ++at) {
        const double centre = static_cast<double>(x[at]), width = where_->around.epsilon * (std::abs(centre) + 1);
        const double z = static_cast<double>(step.parameters[i]) - centre +
                         step.learning_rate * width * sign(static_cast<double>(step.gradient_sums[i]));
        x[at] = static_cast<float>(centre + std::clamp(z, -width, width));
      }
    }
  }
  template <class T>
  void climb_along(const minitrain::UpdateStep<T>& step, std::vector<float>& x) const {
    State& s = *where_;
    std::vector<float> gradient;
    for (const auto& tensor : step.tensors) {
      for (std::size_t i = 0; i < tensor.size(); ++i) gradient.push_back(step.gradient_sums[tensor.offset + i]);
    }
    for (std::size_t k = 0; k < s.z.size(); ++k) {
      s.z[k] =
          std::clamp(s.z[k] + step.learning_rate * s.width[k] * sign(s.along(k, gradient)), -s.width[k], s.width[k]);
    }
    for (std::size_t k = 0; k < s.z.size(); ++k) {
      const float* const a = s.directions.data() + k * x.size();
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += static_cast<float>(s.z[k]) * a[i];
    }
  }

  std::shared_ptr<State> where_;
};

/// Keskar's φ by `iterations` of the climb over the whole data set: full-batch training by an optimizer that climbs.
template <class Model>
double sharpness(const minitrain::Dataset& data, const Model& model, const Neighbourhood& where,
                 std::size_t iterations = 10) {
  // Loss of an epoch is that before its only step: at a random start, at the centre, then after each iteration.
  minitrain::Trainer trainer{minitrain::Cpu{{.threads = 1}},
                             model,
                             minitrain::SoftmaxCrossEntropy{},
                             Climb(where),
                             {.epochs = iterations + 2, .batch_size = data.size(), .shuffle = false}};
  const minitrain::History history = trainer.fit(data);
  const double centre = history.epochs[1].training.loss;
  double highest = centre;
  for (std::size_t i = 2; i < history.epochs.size(); ++i) {
    highest = std::max(highest, history.epochs[i].training.loss);
  }
  return 100 * (highest - centre) / (1 + centre);
}

}  // namespace examples
